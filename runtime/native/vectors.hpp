// Vectors of the width of a level, MCC_WIDTH bytes, by the compiler's own vector types.
//
// Files that include this one are built with the flags of their level, so nothing in them may be
// an inline function of the library: the linker would keep one copy for all levels.
#pragma once

#include <cstdint>
#include <cstring>

namespace mcc::MCC_LEVEL {

constexpr int width = MCC_WIDTH;
constexpr int pieces = 64 / width;

#define MCC_VECTOR(item) item __attribute__((vector_size(MCC_WIDTH)))
using U8 = MCC_VECTOR(std::uint8_t);
using U16 = MCC_VECTOR(std::uint16_t);
using I16 = MCC_VECTOR(std::int16_t);
using U32 = MCC_VECTOR(std::uint32_t);
using I32 = MCC_VECTOR(std::int32_t);
#undef MCC_VECTOR

template <class Vector>
[[gnu::always_inline]] inline Vector load(const void* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}

template <class Vector>
[[gnu::always_inline]] inline void store(void* to, Vector vector) {
  std::memcpy(to, &vector, sizeof vector);
}

template <class Vector>
[[gnu::always_inline]] inline Vector smaller(Vector a, Vector b) {
  return a < b ? a : b;
}

template <class Vector>
[[gnu::always_inline]] inline Vector larger(Vector a, Vector b) {
  return a > b ? a : b;
}

}  // namespace mcc::MCC_LEVEL
