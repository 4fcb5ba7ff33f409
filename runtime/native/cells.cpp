// Writing cells: conductances from states, with errors drawn by address.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <limits>

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

// Writes some cells; returns the largest state among them, and writes none if that has no target.
MCC_BEST_BUILD std::size_t write(const std::uint8_t* states, std::size_t count,
                                 const double* targets, const double* deviations,
                                 std::size_t known, const float* normals, double* __restrict found) {
  std::uint8_t largest = 0;
  for (std::size_t cell = 0; cell < count; ++cell)
    largest = states[cell] > largest ? states[cell] : largest;
  if (largest >= known) return largest;
  for (std::size_t cell = 0; cell < count; ++cell) {
    const double written = targets[states[cell]] + deviations[states[cell]] * double(normals[cell]);
    found[cell] = written > 0 ? written : 0.0;
  }
  return largest;
}

nb::object written_cells(const States& states, const OfState& targets, const OfState& deviations,
                         std::uint64_t seed, std::uint32_t place, std::uint32_t event,
                         std::uint32_t sample, int threads,
                         const std::optional<std::string>& level) {
  const std::size_t count = states.size(), known = targets.shape(0);
  require(deviations.shape(0) == known, "targets and deviations must have the same states");
  require(count < (std::size_t(1) << 34), "there are only 2**32 counters");
  require(threads >= 1, "threads must be at least 1");
  const AnalogKernel kernel = analog_kernel_of(choose_level(level));
  Owned<double> found(states.shape(0), states.shape(1));
  std::atomic<bool> good{true};
  {
    nb::gil_scoped_release release;
    const std::size_t draws = (count + 3) / 4, tasks = (draws + draws_of_task - 1) / draws_of_task;
    run_tasks(tasks, std::min<std::size_t>(threads, tasks), [&](std::size_t task, std::size_t) {
      float normals[4 * draws_of_task];
      const std::size_t from = task * draws_of_task, first = 4 * from;
      const std::size_t some = std::min(count - first, 4 * draws_of_task);
      kernel.normals(address_of(seed, place, event), sample, static_cast<std::uint32_t>(from),
                     (some + 3) / 4, normals);
      if (write(states.data() + first, some, targets.data(), deviations.data(), known, normals,
                found.items.get() + first) >= known)
        good = false;
    });
  }
  require(good, "a state has no target");
  return found.release();
}

using Siemens = nb::ndarray<const double, nb::ndim<2>, nb::device::cpu>;

constexpr std::size_t cells_of_task = std::size_t(1) << 15;

// How conductances become digits.
struct Digits {
  double per_siemens;
  double lowest;  // digits that are taken off, unless columns are subtracted
  bool pairs;
};

template <int step>
[[gnu::always_inline]] inline void sum_row(const double* from, std::int64_t stride, std::size_t sums,
                                           const Digits& digits, float* __restrict to) {
  for (std::size_t sum = 0; sum < sums; ++sum) {
    const double* cell = from + std::int64_t(sum) * step * stride;
    const double low = step == 2 ? cell[stride] * digits.per_siemens : digits.lowest;
    to[sum] = static_cast<float>(cell[0] * digits.per_siemens - low);
  }
}

template <int step>
[[gnu::always_inline]] inline void spread_row(const double* from, std::int64_t stride,
                                              std::size_t sums, double relative, double per_siemens,
                                              float* __restrict to) {
  for (std::size_t sum = 0; sum < sums; ++sum) {
    const double* cell = from + std::int64_t(sum) * step * stride;
    const double first = cell[0] * relative * per_siemens;
    double square = first * first;
    if (step == 2) {
      const double second = cell[stride] * relative * per_siemens;
      square += second * second;
    }
    to[sum] = static_cast<float>(square);
  }
}

[[gnu::always_inline]] inline bool are_siemens(const double* from, std::int64_t stride,
                                               std::size_t count) {
  std::size_t wrong = 0;
  for (std::size_t cell = 0; cell < count; ++cell) {
    const double found = from[std::int64_t(cell) * stride];
    wrong += !(found >= 0 && found <= std::numeric_limits<double>::max());
  }
  return wrong == 0;
}

// One row of cells.
struct Row {
  const double* siemens;
  const double* spread;  // what `relative` is a part of
  double relative;
  std::int64_t stride, spread_stride;
};

template <int step>
[[gnu::always_inline]] inline bool add_strided(const Row& row, const Digits& digits,
                                               std::size_t sums, float* weights,
                                               float* variances) {
  sum_row<step>(row.siemens, row.stride, sums, digits, weights);
  if (variances)
    spread_row<step>(row.spread, row.spread_stride, sums, row.relative, digits.per_siemens,
                     variances);
  return are_siemens(row.siemens, row.stride, sums * step);
}

// Weights and variances of the sums of a row; whether its cells have conductances. Strides that
// the compiler knows make vectors.
MCC_BEST_BUILD bool add_row(const Row& row, const Digits& digits, std::size_t sums, float* weights,
                            float* variances) {
  const bool near = row.stride == 1 && row.spread_stride == 1;
  const Row neighbours{row.siemens, row.spread, row.relative, 1, 1};
  if (digits.pairs)
    return near ? add_strided<2>(neighbours, digits, sums, weights, variances)
                : add_strided<2>(row, digits, sums, weights, variances);
  return near ? add_strided<1>(neighbours, digits, sums, weights, variances)
              : add_strided<1>(row, digits, sums, weights, variances);
}

nb::object sums_of_cells(const Siemens& siemens, const std::optional<Siemens>& sigma,
                         double relative, double per_siemens, double lowest, bool pairs,
                         int threads) {
  require(threads >= 1, "threads must be at least 1");
  const std::size_t rows = siemens.shape(0), step = pairs ? 2 : 1;
  require(siemens.shape(1) % step == 0, "pairs need an even number of columns");
  require(!sigma || (sigma->shape(0) == rows && sigma->shape(1) == siemens.shape(1)),
          "sigma must have the shape of siemens");
  const std::size_t sums = siemens.shape(1) / step;
  const bool noisy = sigma || relative > 0;
  Owned<float> weights(rows, sums), variances(noisy ? rows : 0, sums);
  const Siemens& spread = sigma ? *sigma : siemens;
  const Digits digits{per_siemens, lowest, pairs};
  std::atomic<bool> good{true};
  {
    nb::gil_scoped_release release;
    const std::size_t height = 1 + cells_of_task / (sums * step + 1);
    const std::size_t tasks = (rows + height - 1) / height;
    run_tasks(tasks, std::min<std::size_t>(threads, tasks), [&](std::size_t task, std::size_t) {
      for (std::size_t row = task * height; row < std::min(rows, (task + 1) * height); ++row) {
        const Row cells{siemens.data() + std::int64_t(row) * siemens.stride(0),
                        spread.data() + std::int64_t(row) * spread.stride(0),
                        sigma ? 1.0 : relative, siemens.stride(1), spread.stride(1)};
        if (!add_row(cells, digits, sums, weights.items.get() + row * sums,
                     noisy ? variances.items.get() + row * sums : nullptr))
          good = false;
      }
    });
  }
  return nb::make_tuple(weights.release(), noisy ? variances.release() : nb::none(), bool(good));
}

}  // namespace

}  // namespace mcc

void bind_cells(nb::module_& module) {
  using namespace nb::literals;
  module.def("written_cells", &mcc::written_cells, "states"_a.noconvert(), "targets"_a.noconvert(),
             "deviations"_a.noconvert(), nb::kw_only(), "seed"_a, "place"_a, "event"_a, "sample"_a,
             "threads"_a = 1, "level"_a = nb::none());
  module.def("sums_of_cells", &mcc::sums_of_cells, "siemens"_a.noconvert(),
             "sigma"_a.noconvert().none(), nb::kw_only(), "relative"_a, "per_siemens"_a, "lowest"_a,
             "pairs"_a, "threads"_a = 1);
}
