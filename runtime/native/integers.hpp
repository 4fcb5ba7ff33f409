// What the integer product hands to the kernels.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mcc {

constexpr int panel_cols = 64;
constexpr int quad = 4;

struct IntegerTask {
  const std::uint8_t* codes;   // (batch, quads, 4), unsigned
  const std::int8_t* weights;  // [panel][quad][column of panel][row of quad]
  const std::int32_t* start;   // what every sum starts from, by column of panel
  int quads;
  int batch;
  std::int32_t* sums;  // (batch, stride)
  std::size_t stride;
  int cols;  // columns of this panel that are stored
};

// Computes the sums of one panel.
using IntegerKernel = void (*)(const IntegerTask&);

namespace avx512 {
IntegerKernel integer_kernel();
}
namespace avx2 {
IntegerKernel integer_kernel();
}
namespace portable {
IntegerKernel integer_kernel();
}

}  // namespace mcc
