// The instruction sets that a kernel is built for, and the choice between them at run time.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace mcc {

enum class Level { avx512, avx2, portable };

// The levels that this build and this processor have, the best first.
const std::vector<Level>& available_levels();

const char* level_name(Level level);

// The level of that name, or the best one. Throws nanobind::value_error for one that is not there.
Level choose_level(const std::optional<std::string>& name);

}  // namespace mcc
