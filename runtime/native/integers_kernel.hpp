// The integer product for one level: exact products of unsigned codes and signed weights.
#pragma once

#include "integers.hpp"
#include "pairs_kernel.hpp"

namespace mcc::MCC_LEVEL {

namespace {

#if MCC_WIDTH == 64

// As many sums as registers hold: rows of the batch, and vectors of 16 columns.
constexpr int tile_rows = 6;
constexpr int tile_vectors = 4;

struct Weights {
  U8 bytes;
  explicit Weights(const std::int8_t* from) : bytes(load<U8>(from)) {}
};

struct Four {
  U32 bytes;
  explicit Four(std::uint32_t codes) : bytes(U32{} + codes) {}
};

[[gnu::always_inline]] inline void multiply(I32& sums, const Four& codes, const Weights& weights) {
  sums = reinterpret_cast<I32>(
      _mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sums), reinterpret_cast<__m512i>(codes.bytes),
                          reinterpret_cast<__m512i>(weights.bytes)));
}

#else

constexpr int tile_rows = 4;
constexpr int tile_vectors = 2;

// Rows 0 and 2 of a quad, and rows 1 and 3, as neighbours of 16 bits.
struct Weights {
  I16 even;
  I16 odd;
  explicit Weights(const std::int8_t* from) {
    const I16 both = load<I16>(from);
    even = both << 8 >> 8;
    odd = both >> 8;
  }
};

struct Four {
  I16 even;
  I16 odd;
  explicit Four(std::uint32_t codes)
      : even(reinterpret_cast<I16>(U32{} + (codes & 0x00ff00ffu))),
        odd(reinterpret_cast<I16>(U32{} + (codes >> 8 & 0x00ff00ffu))) {}
};

[[gnu::always_inline]] inline void multiply(I32& sums, const Four& codes, const Weights& weights) {
  sums = add_pairs(add_pairs(sums, codes.even, weights.even), codes.odd, weights.odd);
}

#endif

constexpr int items = width / 4;
constexpr int tile_cols = tile_vectors * items;

template <int rows>
void tile(const IntegerTask& task, int first_row, int first_col) {
  I32 sums[rows][tile_vectors];
  for (int v = 0; v < tile_vectors; ++v)
    for (int r = 0; r < rows; ++r) sums[r][v] = load<I32>(task.start + first_col + v * items);
  const std::int8_t* weights = task.weights + first_col * quad;
  const std::size_t row_bytes = std::size_t(task.quads) * quad;
  const std::uint8_t* codes = task.codes + first_row * row_bytes;
  for (int q = 0; q < task.quads; ++q, weights += panel_cols * quad, codes += quad) {
    for (int v = 0; v < tile_vectors; ++v) {
      const Weights part(weights + v * width);
      for (int r = 0; r < rows; ++r) {
        std::uint32_t four;
        std::memcpy(&four, codes + r * row_bytes, sizeof four);
        multiply(sums[r][v], Four(four), part);
      }
    }
  }
  for (int r = 0; r < rows; ++r) {
    std::int32_t* place = task.sums + (first_row + r) * task.stride + first_col;
    for (int v = 0; v < tile_vectors; ++v) {
      const int left = task.cols - first_col - v * items;
      if (left >= items)
        store(place + v * items, sums[r][v]);
      else if (left > 0)
        std::memcpy(place + v * items, &sums[r][v], 4 * left);
    }
  }
}

template <int rows>
void tiles(const IntegerTask& task, int first_row) {
  for (int col = 0; col < task.cols; col += tile_cols) tile<rows>(task, first_row, col);
}

// The rows of the batch that remain, `rows` of them at most.
template <int rows>
void remaining(const IntegerTask& task, int first_row) {
  if constexpr (rows > 0) {
    if (task.batch - first_row == rows) return tiles<rows>(task, first_row);
    remaining<rows - 1>(task, first_row);
  }
}

void multiply_panel(const IntegerTask& task) {
  int row = 0;
  for (; row + tile_rows <= task.batch; row += tile_rows) tiles<tile_rows>(task, row);
  remaining<tile_rows - 1>(task, row);
}

}  // namespace

IntegerKernel integer_kernel() { return multiply_panel; }

}  // namespace mcc::MCC_LEVEL
