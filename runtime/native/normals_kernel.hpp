// Philox 4x32 and the normal numbers made of it (Box and Muller), for one level.
//
// Polynomials are those of Cephes. Built without contraction of products and sums, so that all
// levels round alike.
#pragma once

#include "address.hpp"
#include "vectors.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace mcc::MCC_LEVEL {

using F32 = float __attribute__((vector_size(MCC_WIDTH)));
using U64 = std::uint64_t __attribute__((vector_size(MCC_WIDTH)));
constexpr int lane_count = MCC_WIDTH / 4;

namespace {

[[gnu::always_inline]] inline F32 filled_with(float value) { return F32{} + value; }

[[gnu::always_inline]] inline F32 square_root(F32 value) {
#if MCC_WIDTH == 64
  return reinterpret_cast<F32>(_mm512_maskz_sqrt_ps(0xffff, reinterpret_cast<__m512>(value)));
#elif MCC_WIDTH == 32
  return reinterpret_cast<F32>(_mm256_sqrt_ps(reinterpret_cast<__m256>(value)));
#elif defined(__SSE2__)
  return reinterpret_cast<F32>(_mm_sqrt_ps(reinterpret_cast<__m128>(value)));
#else
  F32 root;
  for (int i = 0; i < lane_count; ++i) root[i] = __builtin_sqrtf(value[i]);
  return root;
#endif
}

// The products of the even 32-bit lanes, 64 bits each.
[[gnu::always_inline]] inline U64 even_products(U64 a, std::uint32_t factor) {
#if MCC_WIDTH == 64
  return reinterpret_cast<U64>(
      _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a), _mm512_set1_epi64(factor)));
#elif MCC_WIDTH == 32
  return reinterpret_cast<U64>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), _mm256_set1_epi64x(factor)));
#elif defined(__SSE2__)
  return reinterpret_cast<U64>(
      _mm_mul_epu32(reinterpret_cast<__m128i>(a), _mm_set1_epi64x(factor)));
#else
  return (a & 0xffffffffu) * factor;
#endif
}

constexpr int write_rounds = 10;

struct Words {
  U32 word[4];
};

// Words of counters in 64-bit lanes; what their upper halves hold does not matter.
struct WideWords {
  U64 word[4];
};

constexpr std::uint32_t first_factor = 0xD2511F53u, second_factor = 0xCD9E8D57u;
constexpr std::uint32_t first_step = 0x9E3779B9u, second_step = 0xBB67AE85u;

// What counters that differ in their first word only have in common in the first two rounds.
struct Common {
  Common(const Address& address, std::uint32_t sample)
      : key{address.key[0], address.key[1]}, place(address.place ^ address.key[1]) {
    const std::uint64_t second = std::uint64_t{sample} * second_factor;
    low = static_cast<std::uint32_t>(second);
    const auto high = static_cast<std::uint32_t>(second >> 32);
    product = std::uint64_t{high ^ address.event ^ address.key[0]} * first_factor;
  }
  std::uint32_t key[2], place, low;
  std::uint64_t product;
};

template <int rounds>
[[gnu::always_inline]] inline WideWords philox(U64 counters, const Common& common) {
  const U64 first = even_products(counters, first_factor);
  const U64 second = even_products((first >> 32) ^ std::uint64_t{common.place}, second_factor);
  std::uint32_t key0 = common.key[0] + first_step, key1 = common.key[1] + second_step;
  WideWords words{{(second >> 32) ^ std::uint64_t{common.low ^ key0}, second,
                   first ^ ((common.product >> 32) ^ key1), U64{} + common.product}};
  for (int round = 2; round < rounds; ++round) {
    key0 += first_step;
    key1 += second_step;
    const U64 one = even_products(words.word[0], first_factor);
    const U64 other = even_products(words.word[2], second_factor);
    words = {{(other >> 32) ^ words.word[1] ^ std::uint64_t{key0}, other,
              (one >> 32) ^ words.word[3] ^ std::uint64_t{key1}, one}};
  }
  return words;
}

// 23 bits as a number within (0, 1), never an end of it.
[[gnu::always_inline]] inline F32 fraction(U32 bits) {
  const F32 whole = __builtin_convertvector(reinterpret_cast<I32>(bits), F32);
  return (whole + 0.5f) * 0x1p-23f;
}

[[gnu::always_inline]] inline F32 logarithm(F32 value) {
  const U32 bits = reinterpret_cast<U32>(value);
  F32 mantissa = reinterpret_cast<F32>((bits & 0x007fffffu) | 0x3f800000u);
  I32 exponent = reinterpret_cast<I32>(bits >> 23) - 127;
  const I32 above = mantissa > filled_with(1.41421356f);
  mantissa = above ? mantissa * 0.5f : mantissa;
  exponent -= above;
  const F32 power = __builtin_convertvector(exponent, F32);
  const F32 x = mantissa - 1.0f;
  const F32 z = x * x;
  F32 y = filled_with(7.0376836292e-2f);
  y = y * x + -1.1514610310e-1f;
  y = y * x + 1.1676998740e-1f;
  y = y * x + -1.2420140846e-1f;
  y = y * x + 1.4249322787e-1f;
  y = y * x + -1.6668057665e-1f;
  y = y * x + 2.0000714765e-1f;
  y = y * x + -2.4999993993e-1f;
  y = y * x + 3.3333331174e-1f;
  y = y * x * z;
  y = y + -2.12194440e-4f * power;
  y = y - 0.5f * z;
  return (x + y) + 0.693359375f * power;
}

// Two normal numbers from two words: radius from the first, angle from the second.
[[gnu::always_inline]] inline void normal_pair(U32 first, U32 second, F32& cosine, F32& sine) {
  const F32 radius = square_root(-2.0f * logarithm(fraction(first >> 9)));
  const F32 angle = (fraction((second & 0x3fffffffu) >> 7) - 0.5f) * 1.57079632679f;
  const F32 z = angle * angle;
  F32 s = filled_with(-1.9515295891e-4f);
  s = s * z + 8.3321608736e-3f;
  s = s * z + -1.6666654611e-1f;
  s = s * z * angle + angle;
  F32 c = filled_with(2.443315711809948e-5f);
  c = c * z + -1.388731625493765e-3f;
  c = c * z + 4.166664568298827e-2f;
  c = c * z * z - 0.5f * z + 1.0f;
  // The two highest bits turn by quarters: (c, s), (-s, c), (-c, -s), (s, -c).
  const U32 quarter = second >> 30;
  const I32 swap = reinterpret_cast<I32>(quarter & 1u) != 0;
  const F32 x = swap ? s : c;
  const F32 y = swap ? c : s;
  const U32 minus_x = ((quarter ^ (quarter >> 1)) & 1u) << 31;
  const U32 minus_y = (quarter >> 1) << 31;
  cosine = radius * reinterpret_cast<F32>(reinterpret_cast<U32>(x) ^ minus_x);
  sine = radius * reinterpret_cast<F32>(reinterpret_cast<U32>(y) ^ minus_y);
}

// The words of the counters (`first` + lane, event, sample, place). x86 and the rest of the machines
// we build for keep the low half of a 64-bit lane first.
template <int rounds>
[[gnu::always_inline]] inline Words draw(const Address& address, std::uint32_t sample,
                                         std::uint32_t first) {
  U32 lanes;
  for (int i = 0; i < lane_count; ++i) lanes[i] = static_cast<std::uint32_t>(i);
  const U64 counters = reinterpret_cast<U64>(lanes + first);
  const Common common(address, sample);
  const WideWords even = philox<rounds>(counters, common);
  const WideWords odd = philox<rounds>(counters >> 32, common);
  Words drawn;
  for (int w = 0; w < 4; ++w)
    drawn.word[w] = reinterpret_cast<U32>((even.word[w] & 0xffffffffu) | (odd.word[w] << 32));
  return drawn;
}

[[gnu::always_inline]] inline void four_normals(const Words& drawn, F32 (&numbers)[4]) {
  normal_pair(drawn.word[0], drawn.word[1], numbers[0], numbers[1]);
  normal_pair(drawn.word[2], drawn.word[3], numbers[2], numbers[3]);
}

}  // namespace

}  // namespace mcc::MCC_LEVEL
