// The instruction sets that a kernel is built for, and the choice between them at run time.
#pragma once

#include <optional>
#include <string>
#include <vector>

// For plain loops over arrays: the compiler builds them for several instruction sets, of which the
// loader takes the best. They round alike, so that none has to be forced.
#if defined(MCC_X86) && defined(__GLIBC__) && !defined(__clang__)
#define MCC_BEST_BUILD \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MCC_BEST_BUILD
#endif

namespace mcc {

enum class Level { avx512, avx2, portable };

// The levels that this build and this processor have, the best first.
const std::vector<Level>& available_levels();

const char* level_name(Level level);

// The level of that name, or the best one. Throws nanobind::value_error for one that is not there.
Level choose_level(const std::optional<std::string>& name);

}  // namespace mcc
