// What the analog product hands to the kernels: plain data, nothing of Python or the library.
//
// All arithmetic is float32 in a fixed order, and drives times weights are exact products, so that
// every level and every number of threads gives the same bits; `runtime/analog_oracle.py` is the
// same arithmetic in NumPy.
#pragma once

#include <cstddef>
#include <cstdint>

#include "address.hpp"

namespace mcc {

constexpr int analog_lanes = 16;   // sums that are worked on together
constexpr int analog_phases = 4;   // phases that are worked on together: one draw of Philox
constexpr int analog_max_phases = 8;

struct AnalogPhase {
  int low_bit;
  int mask;
  std::int32_t worth;  // what a unit of a code is worth in the sum
};

struct AnalogPlan {
  int rows;
  int sums;    // analog sums of one input, phase and group
  int strips;  // of `analog_lanes` sums
  int group_rows;
  int groups;
  int phase_count;
  AnalogPhase phases[analog_max_phases];
  bool signed_drive;
  bool squares;  // whether drives other than 0 and 1 occur
  float scale;   // 2**-shift
  float low;
  float high;
  std::int32_t digit;           // largest digit: what a flipped column holds for each input
  const float* weights;         // [strip][row][lane]
  const float* variances;       // [strip][row][lane], or null
  const std::int32_t* flips;    // [group][strip][lane], 0 or -1, or null
  Address noise;
};

// Inputs that are worked on together, and where: a sample has `positions` of them.
struct AnalogInputs {
  const std::uint8_t* codes;
  std::int64_t batch_stride;
  std::int64_t row_stride;
  bool is_signed;
  int batch;
  std::size_t first;        // number of the first input
  std::size_t positions;    // of a sample
  std::uint32_t sample;     // number of the sample of input 0
};

struct AnalogScratch {
  float* drives;          // [input][row of group][phase]
  std::uint16_t* driven;  // [input][row of group]: rows with a code other than 0
  int* counts;            // [input]: how many they are
  std::int32_t* inputs;   // [input]: sum of the codes of the group
  std::int32_t* totals;   // [input][strip][lane], zero at the start
};

// Adds everything of all row groups to scratch.totals.
using AnalogAdd = void (*)(const AnalogPlan&, const AnalogInputs&, const AnalogScratch&);

// Writes the four words, or normal numbers, of one counter after another: [count][4].
template <class Item>
using Draw = void (*)(const Address&, std::uint32_t sample, std::uint32_t first, std::size_t count,
                      Item* items);

struct AnalogKernel {
  AnalogAdd add;
  Draw<std::uint32_t> words;
  Draw<float> normals;
};

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
