// What the bit-plane product hands to the kernels: plain data, nothing of Python or the library.
//
// A phase drives some bits of the inputs. Four rows and one bit plane give an index 0..15 into a
// table of the sums of the digits of these rows, 64 columns at a time; the tables of a row group
// are made once and looked up by every input and phase. A sum is in bytes as long as it fits, then
// in wider lanes, where the converter is applied.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mcc {

constexpr int quad_rows = 4;
constexpr int lanes = 64;
constexpr int strip_cols = 16;
constexpr int strips = lanes / strip_cols;
constexpr int table_entries = 1 << quad_rows;
constexpr int table_bytes = table_entries * lanes;
constexpr int max_phases = 8;
constexpr int max_slots = 16;
constexpr int dead_strip = -1;
constexpr int quad_slack = 64;  // bytes after codes and indices that may be read and written

// Digits, 64 lanes at a time: [lane block][group][quad][row of quad][lane]. Four strips of 16
// columns of one slice make a lane block; lane 4 i + j is column i of strip j.
struct Strip {
  int col;    // first column within the column block, or dead_strip
  int shift;  // logarithm of what a unit of the slice is worth
};

struct LaneBlock {
  const std::uint8_t* digits;
  const std::int32_t* signs;  // [group][strip][column of strip], 0 or -1; null without flips
  Strip strip[strips];
};

struct Groups {
  int count;
  int rows;       // of a full group
  int last_rows;  // of the last group
  int quads;      // of a full group
  int last_quads;
};

struct Phase {
  int planes;     // bits that it drives
  int lift;       // shift of what was accumulated before, to this phase's worth
  bool negative;  // whether its codes are subtracted
  bool flush;     // whether the accumulator goes to the sums after it
  int worth;      // logarithm of what a unit of it is worth
};

// One bit plane of the inputs, in the order in which the phases take them.
struct Slot {
  int bit;
  bool of_negative;  // of the magnitude of the negative inputs (sign-magnitude)
};

// `half` a step is added to the sums before they are shifted. A sum halfway from an even code to
// the one above is then a whole step in the bits of `tie_mask`, and gets the even code.
struct Converter {
  int shift;
  int half;
  int tie_mask;
  int low;
  int high;
};

struct BitPlanePlan {
  Groups groups;
  Converter converter;
  int phase_count;
  Phase phases[max_phases];
  int slot_count;
  Slot slots[max_slots];
  bool signed_drive;
  bool wide;            // whether lanes have 32 bits, not 16
  int lowest_digit;     // at most 0
  int chunk_quads;      // quads whose sum fits in a byte
  int chunk_start;      // added to each byte of a chunk, so that it is not negative
};

struct BitPlaneScratch {
  std::uint8_t* codes;    // one row group of one input: [quads * 4], and again for negative ones
  std::uint8_t* indices;  // [group][batch][slot][quad], 16 times the index
  std::uint8_t* tables;   // [quad][entry][lane]
};

struct BitPlaneInputs {
  const std::uint8_t* codes;
  std::int64_t batch_stride;
  std::int64_t row_stride;
  int batch;
};

// Fills scratch.indices from codes.
using PrepareInputs = void (*)(const BitPlanePlan&, const BitPlaneInputs&, const BitPlaneScratch&);

// Adds the product of one lane block to sums [batch][width].
using AddLaneBlock = void (*)(const BitPlanePlan&, const LaneBlock&, int batch,
                              const BitPlaneScratch&, std::int32_t* sums, int width);

struct BitPlaneKernel {
  PrepareInputs prepare;
  AddLaneBlock add;
};

namespace avx512 {
BitPlaneKernel bit_plane_kernel();
}
namespace avx2 {
BitPlaneKernel bit_plane_kernel();
}
namespace portable {
BitPlaneKernel bit_plane_kernel();
}

}  // namespace mcc
