// Row groups of codes as indices of tables of four rows, for one level.
#pragma once

#include "bit_planes.hpp"
#include "vectors.hpp"

namespace mcc::MCC_LEVEL {

namespace {

// The codes of one row group of one input, and apart from them the magnitudes of negative ones.
// The stride is an argument of its own so that neighbouring codes are read as vectors.
[[gnu::always_inline]] inline void gather_codes(bool signed_drive, const std::uint8_t* from,
                                                std::int64_t stride, int rows,
                                                std::uint8_t* codes, std::uint8_t* negative) {
  if (!signed_drive) {
    for (int row = 0; row < rows; ++row) codes[row] = from[row * stride];
    return;
  }
  for (int row = 0; row < rows; ++row) {
    const auto code = static_cast<std::int8_t>(from[row * stride]);
    codes[row] = static_cast<std::uint8_t>(code < 0 ? 0 : code);
    negative[row] = static_cast<std::uint8_t>(code < 0 ? -code : 0);
  }
}

void gather(bool signed_drive, const std::uint8_t* from, std::int64_t stride, int rows,
            std::uint8_t* codes, std::uint8_t* negative) {
  if (stride == 1)
    gather_codes(signed_drive, from, 1, rows, codes, negative);
  else
    gather_codes(signed_drive, from, stride, rows, codes, negative);
}

// 16 times the index that one bit of four rows makes, for each quad. Reads and writes whole vectors,
// which may end up to `quad_slack` bytes after the last quad.
[[gnu::always_inline]] inline void index_quads(const std::uint8_t* codes, int quads, int bit,
                                               std::uint8_t* index) {
  constexpr int count = width / quad_rows;
  using Indices = std::uint8_t __attribute__((vector_size(count)));
  for (int quad = 0; quad < quads; quad += count) {
    // The bits of rows 0 to 3 meet in bits 7 to 4 of the highest byte.
    const U32 four = load<U32>(codes + quad * quad_rows) >> bit & 0x01010101u;
    store(index + quad, __builtin_convertvector(four * 0x80402010u >> 24, Indices));
  }
}

}  // namespace

}  // namespace mcc::MCC_LEVEL
