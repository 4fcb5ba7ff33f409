// What the analog product hands to the kernels: plain data, nothing of Python or the library.
//
// Conductances and variances of reads are fixed-point numbers of 16 bits, and sums of their
// products with drives are exact integers, so that every level and every number of threads gives
// the same bits; `runtime/analog_oracle.py` is the same arithmetic in NumPy.
//
// Analog sums come in units of 32: one slice of 32 columns of weights. Lane i of a vector of 32-bit
// numbers belongs to the columns 2 i and 2 i + 1; even ones lie apart from odd ones.
#pragma once

#include <cstddef>
#include <cstdint>

#include "address.hpp"
#include "bit_planes.hpp"
#include "levels.hpp"

namespace mcc {

constexpr int unit_cols = 32;
constexpr int unit_pairs = unit_cols / 2;
constexpr int entry_bytes = 2 * unit_cols;  // sums of one entry of a table
constexpr int analog_chunk_quads = 4;       // quads whose sums fit in 16 bits
constexpr int analog_max_phases = 8;
constexpr int phases_of_draw = 4;  // one block of Philox makes the noise of a pair in four phases

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
  const std::int32_t* converters;  // [unit][even, odd], number of the converter
  const float* breakpoints;        // [converter][count]
  const std::int32_t* codes;       // [converter][count + 1]
  int count;
};

struct AnalogPlan {
  Groups groups;
  int units;
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
  const std::int32_t* starts;     // [unit][group][even, odd]: variance of drives of 2**7.5
  const std::int32_t* flips;      // [unit][group][even, odd], 0 or -1, or null
  Staircases staircases;          // null if codes are rounded and clipped
  Address noise;
};

// Inputs that are worked on together.
struct AnalogInputs {
  const std::uint8_t* codes;
  std::int64_t batch_stride;
  std::int64_t row_stride;
  bool is_signed;
  int batch;
};

// One block of normal numbers: its sample, and the number of its first group in the sample.
struct Reading {
  std::uint32_t sample;
  std::uint32_t first;
};

struct AnalogScratch {
  const Reading* readings;  // [input]
  std::int32_t* inputs;     // [group][input]: sum of the codes
  std::uint8_t* codes;      // a row group of an input: [padded row], again for negative ones
  std::uint8_t* indices;    // quads: [group][input][phase (signed: twice)][quad], 16 times the index
  std::uint8_t* tables;     // quads: [quad][entry][sums, variances]
  std::int16_t* drives;     // pairs: [group][input][phase][padded row]
  std::int16_t* squares;    // pairs: likewise, less 2**15
  std::int32_t* sums;       // pairs: [input][phase][even, odd]
  std::int32_t* variances;  // pairs: likewise
};

// Fills what depends on the inputs only.
using PrepareAnalog = void (*)(const AnalogPlan&, const AnalogInputs&, const AnalogScratch&);

// Adds the product of one unit, shifted by `lift`, to totals [input][even, odd].
using AddUnit = void (*)(const AnalogPlan&, int unit, int lift, int batch, const AnalogScratch&,
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
