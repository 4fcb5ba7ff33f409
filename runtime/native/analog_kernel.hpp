// The analog product, and the drawing of random numbers, for one level.
#pragma once

#include "analog_pairs_kernel.hpp"
#include "analog_quads_kernel.hpp"

namespace mcc::MCC_LEVEL {

namespace {

// Lanes of two vectors in turns, from the first half of each or from the second.
template <int half, class Vector>
[[gnu::always_inline]] inline Vector in_turns(Vector a, Vector b) {
  I32 places;
  for (int i = 0; i < lane_count; ++i)
    places[i] = half * lane_count / 2 + i / 2 + i % 2 * lane_count;
  return __builtin_shuffle(a, b, places);
}

template <class Vector>
[[gnu::always_inline]] inline void transpose(const Vector (&four)[4], Vector (&rows)[4]) {
  const Vector a = in_turns<0>(four[0], four[2]), b = in_turns<0>(four[1], four[3]);
  const Vector c = in_turns<1>(four[0], four[2]), d = in_turns<1>(four[1], four[3]);
  rows[0] = in_turns<0>(a, b);
  rows[1] = in_turns<1>(a, b);
  rows[2] = in_turns<0>(c, d);
  rows[3] = in_turns<1>(c, d);
}

template <class Item, class Vector, class Make>
[[gnu::always_inline]] inline void fill(std::uint32_t first, std::size_t count, Item* items,
                                        const Make& make) {
  for (std::size_t start = 0; start < count; start += lane_count) {
    Vector four[4], rows[4];
    make(first + static_cast<std::uint32_t>(start), four);
    transpose(four, rows);
    const std::size_t left = count - start;
    std::memcpy(items + start * 4, rows, left < lane_count ? left * 4 * sizeof(Item) : sizeof rows);
  }
}

void fill_words(const Address& address, std::uint32_t sample, std::uint32_t first,
                std::size_t count, std::uint32_t* items) {
  fill<std::uint32_t, U32>(first, count, items, [&](std::uint32_t from, U32(&four)[4]) {
    const Words drawn = draw<write_rounds>(address, sample, from);
    for (int p = 0; p < 4; ++p) four[p] = drawn.word[p];
  });
}

void fill_normals(const Address& address, std::uint32_t sample, std::uint32_t first,
                  std::size_t count, float* items) {
  fill<float, F32>(first, count, items, [&](std::uint32_t from, F32(&four)[4]) {
    four_normals(draw<write_rounds>(address, sample, from), four);
  });
}

// An item holds the number of a sum of the first half of a unit, and above it one of the second.
void fill_read_normals(const Address& address, std::uint32_t sample, std::uint32_t first,
                       std::size_t count, std::int32_t* items) {
  const Choice choice;
  fill<std::int32_t, I32>(first, count, items, [&](std::uint32_t from, I32(&four)[4]) {
    I16 drawn[4];
    read_normals(choice, address, sample, from, drawn);
    for (int p = 0; p < 4; ++p) four[p] = reinterpret_cast<I32>(drawn[p]);
  });
}

}  // namespace

AnalogKernel analog_kernel() {
  return {prepare_quads, prepare_pairs, add_chosen_quads, add_pairs_of_unit,
          fill_words,    fill_normals,  fill_read_normals};
}

}  // namespace mcc::MCC_LEVEL
