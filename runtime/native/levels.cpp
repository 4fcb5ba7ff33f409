#include "levels.hpp"

#include <nanobind/nanobind.h>

#include <algorithm>

namespace nb = nanobind;

namespace mcc {

namespace {

std::vector<Level> detect() {
  std::vector<Level> found;
#ifdef MCC_X86
  __builtin_cpu_init();
  const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("avx512vnni");
  if (wide) found.push_back(Level::avx512);
  if (__builtin_cpu_supports("avx2")) found.push_back(Level::avx2);
#endif
  found.push_back(Level::portable);
  return found;
}

}  // namespace

const std::vector<Level>& available_levels() {
  static const std::vector<Level> levels = detect();
  return levels;
}

const char* level_name(Level level) {
  switch (level) {
    case Level::avx512:
      return "avx512";
    case Level::avx2:
      return "avx2";
    default:
      return "portable";
  }
}

Level choose_level(const std::optional<std::string>& name) {
  const auto& levels = available_levels();
  if (!name) return levels.front();
  const auto same = [&](Level level) { return *name == level_name(level); };
  const auto found = std::find_if(levels.begin(), levels.end(), same);
  if (found != levels.end()) return *found;
  throw nb::value_error("level must be one of those that levels() returns");
}

}  // namespace mcc

void bind_levels(nb::module_& module) {
  module.def(
      "levels",
      [] {
        nb::list names;
        for (const mcc::Level level : mcc::available_levels()) names.append(mcc::level_name(level));
        return nb::tuple(names);
      },
      nb::sig("def levels() -> tuple[str, ...]"),
      "Return the levels that this processor has, the best first.");
}
