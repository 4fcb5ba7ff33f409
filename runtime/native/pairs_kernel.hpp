// Sums of two neighbouring products of 16-bit numbers, for one level.
#pragma once

#include "vectors.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace mcc::MCC_LEVEL {

namespace {

// sums + a[2 i] * b[2 i] + a[2 i + 1] * b[2 i + 1], modulo 2**32.
[[gnu::always_inline]] inline I32 add_pairs(I32 sums, I16 a, I16 b) {
#if MCC_WIDTH == 64
  return reinterpret_cast<I32>(_mm512_dpwssd_epi32(reinterpret_cast<__m512i>(sums),
                                                   reinterpret_cast<__m512i>(a),
                                                   reinterpret_cast<__m512i>(b)));
#elif MCC_WIDTH == 32
  return sums + reinterpret_cast<I32>(_mm256_madd_epi16(reinterpret_cast<__m256i>(a),
                                                        reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
  return sums + reinterpret_cast<I32>(_mm_madd_epi16(reinterpret_cast<__m128i>(a),
                                                     reinterpret_cast<__m128i>(b)));
#else
  const I32 x = reinterpret_cast<I32>(a), y = reinterpret_cast<I32>(b);
  return sums + (x << 16 >> 16) * (y << 16 >> 16) + (x >> 16) * (y >> 16);
#endif
}

}  // namespace

}  // namespace mcc::MCC_LEVEL
