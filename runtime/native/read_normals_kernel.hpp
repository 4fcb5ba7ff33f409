// Normal numbers of read noise, whole numbers of 16 bits, for one level.
//
// A half word of Philox chooses three of 32 numbers by five bits each, whose moments up to the
// seventh are those of a normal law. Their sums in four words are mixed by a Hadamard matrix, so
// that every number is a signed sum of twelve independent ones.
#pragma once

#include "analog.hpp"
#include "normals_kernel.hpp"

namespace mcc::MCC_LEVEL {

namespace {

constexpr int read_rounds = 7;

struct Choice {
#if MCC_WIDTH == 64
  I16 table;
  Choice() {
    for (int i = 0; i < 16; ++i) {
      table[i] = read_table[i];
      table[i + 16] = static_cast<std::int16_t>(-read_table[i]);
    }
  }
  // The number that the lowest five bits choose.
  [[gnu::always_inline]] I16 operator()(U16 bits) const {
    return reinterpret_cast<I16>(_mm512_permutexvar_epi16(reinterpret_cast<__m512i>(bits),
                                                          reinterpret_cast<__m512i>(table)));
  }
#elif MCC_WIDTH == 32
  U8 low, high;
  Choice() {
    for (int i = 0; i < 32; ++i) {
      low[i] = static_cast<std::uint8_t>(read_table[i % 16]);
      high[i] = static_cast<std::uint8_t>(read_table[i % 16] >> 8);
    }
  }
  [[gnu::always_inline]] I16 operator()(U16 bits) const {
    const U16 index = bits & 15;
    const auto pick = [](U8 table, U16 places) {
      return reinterpret_cast<I16>(_mm256_shuffle_epi8(reinterpret_cast<__m256i>(table),
                                                       reinterpret_cast<__m256i>(places)));
    };
    const I16 found = pick(low, index | 0x8000) | pick(high, index << 8 | 0x80);
    const I16 sign = reinterpret_cast<I16>(bits << 11) >> 15;
    return (found ^ sign) - sign;
  }
#else
  [[gnu::always_inline]] I16 operator()(U16 bits) const {
    I16 found;
    for (int i = 0; i < width / 2; ++i) {
      const std::int16_t number = read_table[bits[i] & 15];
      found[i] = bits[i] & 16 ? static_cast<std::int16_t>(-number) : number;
    }
    return found;
  }
#endif
};

// Four numbers for each half word of the counters (`first` + lane, event, sample, place).
[[gnu::always_inline]] inline void read_normals(const Choice& choice, const Address& address,
                                                std::uint32_t sample, std::uint32_t first,
                                                I16 (&numbers)[4]) {
  const Words drawn = draw<read_rounds>(address, sample, first);
  I16 part[4];
  for (int w = 0; w < 4; ++w) {
    const U16 bits = reinterpret_cast<U16>(drawn.word[w]);
    part[w] = choice(bits) + choice(bits >> 5) + choice(bits >> 10);
  }
  const I16 a = part[0] + part[1], b = part[0] - part[1];
  const I16 c = part[2] + part[3], d = part[2] - part[3];
  numbers[0] = a + c;
  numbers[1] = b + d;
  numbers[2] = a - c;
  numbers[3] = b - d;
}

}  // namespace

}  // namespace mcc::MCC_LEVEL
