// Writing cells: conductances from states, with errors drawn by address.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>

#include "analog.hpp"
#include "arrays.hpp"
#include "levels.hpp"
#include "threads.hpp"

namespace nb = nanobind;

namespace mcc {

namespace {

constexpr std::size_t draws_of_task = 1024;

using States =
    nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using OfState = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

nb::object written_cells(const States& states, const OfState& targets, const OfState& deviations,
                         std::uint64_t seed, std::uint32_t place, std::uint32_t event,
                         std::uint32_t sample, int threads,
                         const std::optional<std::string>& level) {
  const std::size_t count = states.size(), known = targets.shape(0);
  require(deviations.shape(0) == known, "targets and deviations must have the same states");
  require(count < (std::size_t(1) << 34), "there are only 2**32 counters");
  require(threads >= 1, "threads must be at least 1");
  const AnalogKernel kernel = analog_kernel_of(choose_level(level));
  auto items = std::make_unique_for_overwrite<double[]>(count + 1);
  double* const found = items.get();
  std::atomic<bool> good{true};
  {
    nb::gil_scoped_release release;
    const std::size_t draws = (count + 3) / 4, tasks = (draws + draws_of_task - 1) / draws_of_task;
    run_tasks(tasks, std::min<std::size_t>(threads, tasks), [&](std::size_t task, std::size_t) {
      float normals[4 * draws_of_task];
      const std::size_t from = task * draws_of_task;
      kernel.normals(address_of(seed, place, event), sample, static_cast<std::uint32_t>(from),
                     std::min(draws_of_task, draws - from), normals);
      const std::size_t first = 4 * from, last = std::min(count, first + 4 * draws_of_task);
      const std::uint8_t* part = states.data() + first;
      const double *target = targets.data(), *deviation = deviations.data();
      if (first < last && *std::max_element(part, states.data() + last) >= known) {
        good = false;
        return;
      }
      for (std::size_t cell = 0; cell < last - first; ++cell) {
        const double written = target[part[cell]] + deviation[part[cell]] * double(normals[cell]);
        found[first + cell] = written > 0 ? written : 0.0;
      }
    });
  }
  require(good, "a state has no target");
  nb::capsule owner(found, [](void* p) noexcept { delete[] static_cast<double*>(p); });
  items.release();
  const std::size_t shape[2] = {states.shape(0), states.shape(1)};
  return nb::cast(nb::ndarray<nb::numpy, double, nb::ndim<2>>(found, 2, shape, owner));
}

}  // namespace

}  // namespace mcc

void bind_cells(nb::module_& module) {
  using namespace nb::literals;
  module.def("written_cells", &mcc::written_cells, "states"_a.noconvert(), "targets"_a.noconvert(),
             "deviations"_a.noconvert(), nb::kw_only(), "seed"_a, "place"_a, "event"_a, "sample"_a,
             "threads"_a = 1, "level"_a = nb::none());
}
