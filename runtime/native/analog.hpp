// What the analog product hands to the kernels: plain data, nothing of Python or the library.
//
// Conductances and variances of reads are fixed-point numbers of 16 bits, and sums of their
// products with drives are exact integers, so that every level and every number of threads gives
// the same bits; `runtime/analog_oracle.py` is the same arithmetic in NumPy.
//
// Analog sums come in units of up to 32, whole columns of weights with all their slices. Lane i of
// a vector of 32 numbers of 16 bits is the sum i / 2 for even i, and 16 + i / 2 for odd ones: the
// lower and the upper half words of 32 bits are the two halves of a unit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "address.hpp"
#include "bit_planes.hpp"
#include "levels.hpp"

namespace mcc {

constexpr int unit_sums = 32;
constexpr int half_sums = unit_sums / 2;
constexpr int entry_bytes = 2 * unit_sums;  // sums of one entry of a table
// Tables stand an entry apart: else equal entries of all would meet in few sets of a cache.
constexpr int table_places = table_entries + 1;
constexpr int analog_chunk_quads = 4;       // quads whose sums fit in 16 bits
constexpr int analog_max_phases = 8;
constexpr int reads_of_draw = 4;  // one counter of Philox makes the noise of four reads

// Sums of twelve of these, each of either sign, are the normal numbers of read noise.
constexpr std::int16_t read_table[16] = {62,  184, 304,  419,  530,  635,  733,  826,
                                         913, 996, 1075, 1155, 1237, 1332, 1471, 2714};
constexpr int read_choices = 12;

// The variance of these numbers.
constexpr double read_variance() {
  double squares = 0;
  for (const int number : read_table) squares += number * number;
  return read_choices * squares / 16;
}

struct AnalogPhase {
  int low_bit;
  int mask;
  int shift;      // logarithm of what a code of it is worth
  bool negative;  // whether its codes are subtracted
};

// The code of a level, in steps of the converter, is that of the breakpoints at or below it.
struct Staircases {
  const std::int32_t* converters;  // [unit][sum], number of the converter
  const float* breakpoints;        // [converter][count]
  const std::int32_t* codes;       // [converter][count + 1]
  int count;
};

struct AnalogPlan {
  Groups groups;
  int units;
  std::int32_t lifts[unit_sums];  // logarithm of what a digit is worth
  int phase_count;
  AnalogPhase phases[analog_max_phases];
  bool signed_drive;
  bool noisy;
  float step;    // steps of the converter in a unit of a sum
  float spread;  // squared steps, over those of the unit of normal numbers, in a unit of variance
  float extra;   // what is added to every variance, so scaled
  float low;
  float high;
  std::int32_t digit;             // largest digit: what a flipped column holds for each input
  const std::int16_t* weights;    // [unit][group], then by quads or by pairs of rows
  const std::int16_t* variances;  // likewise, or null
  const std::int32_t* starts;     // [unit][group][sum]: variance of drives of 2**7.5
  const std::int32_t* flips;      // [unit][group][sum], 0 or -1, or null
  Staircases staircases;          // null if codes are rounded and clipped
  Address noise;
  std::uint32_t positions;  // inputs of a sample
};

// Inputs that are worked on together.
struct AnalogInputs {
  const std::uint8_t* codes;
  std::int64_t batch_stride;
  std::int64_t row_stride;
  bool is_signed;
  int batch;
};

// Where an input stands, which gives its noise an address.
struct Reading {
  std::uint32_t sample;
  std::uint32_t position;
};

struct AnalogScratch {
  const Reading* readings;  // [input]
  std::int32_t* inputs;     // [group][input]: sum of the codes
  std::uint8_t* codes;      // a row group of an input: [padded row], again for negative ones
  std::uint8_t* indices;    // quads: [group][input][phase (signed: twice)][quad], 16 times the index
  std::uint8_t* tables;     // quads: [quad][entry][sums, variances]
  std::int16_t* drives;     // pairs: [group][input][phase][padded row]
  std::int16_t* squares;    // pairs: likewise, less 2**15
  std::int32_t* sums;       // pairs: [input][phase][sum]
  std::int32_t* variances;  // pairs: likewise
};

// Fills what depends on the inputs only.
using PrepareAnalog = void (*)(const AnalogPlan&, const AnalogInputs&, const AnalogScratch&);

// Adds the product of one unit, of which `sums` sums are there, to totals [input][sum], each as its
// digit is worth.
using AddUnit = void (*)(const AnalogPlan&, int unit, int sums, int batch, const AnalogScratch&,
                         std::int32_t* totals);

// Writes the four words, or normal numbers, of one counter after another: [count][4].
template <class Item>
using Draw = void (*)(const Address&, std::uint32_t sample, std::uint32_t first, std::size_t count,
                      Item* items);

struct AnalogKernel {
  PrepareAnalog prepare_quads, prepare_pairs;
  AddUnit add_quads, add_pairs;
  Draw<std::uint32_t> words;
  Draw<float> normals;
  Draw<std::int32_t> read_normals;
};

AnalogKernel analog_kernel_of(Level level);

namespace avx512 {
AnalogKernel analog_kernel();
}
namespace avx2 {
AnalogKernel analog_kernel();
}
namespace portable {
AnalogKernel analog_kernel();
}

}  // namespace mcc
