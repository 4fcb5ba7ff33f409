// Where random numbers are: the key and the upper words of the counter of Philox 4x32-10.
#pragma once

#include <cstdint>

namespace mcc {

struct Address {
  std::uint32_t key[2];  // the seed of the chip
  std::uint32_t place;   // core, macro and purpose
  std::uint32_t event;
};

inline Address address_of(std::uint64_t seed, std::uint32_t place, std::uint32_t event) {
  return {{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}, place, event};
}

}  // namespace mcc
