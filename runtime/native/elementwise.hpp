// What the vector unit hands to the kernels: rows of elements of some operands.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mcc {

constexpr int max_operands = 4;

// Elements that lie at equal steps of bytes in every operand, the result last.
struct Rows {
  char* at[max_operands];
  std::int64_t steps[max_operands];
  std::size_t count;
};

struct Range {
  float zero;  // of codes
  float low;
  float high;
};

using DoRow = void (*)(const Range&, const Rows&);

struct ElementwiseKernel {
  DoRow quantize_unsigned, quantize_signed;  // reals, scales: codes
  DoRow dequantize, dequantize_biased;       // sums, scales (, biases): reals
  DoRow clip;                                // reals: reals
};

namespace avx512 {
ElementwiseKernel elementwise_kernel();
}
namespace avx2 {
ElementwiseKernel elementwise_kernel();
}
namespace portable {
ElementwiseKernel elementwise_kernel();
}

}  // namespace mcc
