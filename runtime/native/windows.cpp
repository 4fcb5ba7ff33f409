// Windows of a memory as the rows of a matrix: what a convolution drives its word lines with.
#include <nanobind/stl/string.h>

#include <algorithm>
#include <vector>

#include "arrays.hpp"
#include "threads.hpp"

namespace nb = nanobind;

namespace mcc {

namespace {

constexpr std::size_t codes_of_task = 1u << 18;

// The offset of every element of some axes, the last axis fastest.
std::vector<std::int64_t> offsets(const Array& array, std::size_t first, std::size_t last) {
  std::vector<std::int64_t> found{0};
  for (std::size_t axis = first; axis < last; ++axis) {
    std::vector<std::int64_t> next;
    next.reserve(found.size() * array.shape(axis));
    for (const std::int64_t offset : found)
      for (std::size_t i = 0; i < array.shape(axis); ++i)
        next.push_back(offset + std::int64_t(i) * array.stride(axis));
    found = std::move(next);
  }
  return found;
}

// The axis from which on the axes hold `rows` elements.
std::size_t first_row_axis(const Array& array, std::size_t rows) {
  std::size_t axis = array.ndim(), held = 1;
  while (held < rows && axis > 0) held *= array.shape(--axis);
  require(held == rows, "the last axes do not hold `rows` elements");
  return axis;
}

// `restrict` says that no byte written here is an offset.
void copy_rows(const std::uint8_t* from, const std::int64_t* offsets, std::size_t rows,
               std::uint8_t* __restrict to) {
  for (std::size_t row = 0; row < rows; ++row) to[row] = from[offsets[row]];
}

using Codes8 = nb::ndarray<nb::numpy, nb::ndim<2>>;

nb::object gather(const Array& array, std::size_t rows, int threads) {
  const bool is_signed = holds<std::int8_t>(array);
  require_type(is_signed || holds<std::uint8_t>(array), "codes must be uint8 or int8");
  require(rows >= 1, "rows must be at least 1");
  require(threads >= 1, "threads must be at least 1");
  const std::size_t axis = first_row_axis(array, rows);
  const std::vector<std::int64_t> inputs = offsets(array, 0, axis);
  const std::vector<std::int64_t> within = offsets(array, axis, array.ndim());
  const std::size_t batch = inputs.size();
  std::unique_ptr<std::uint8_t[]> items(new std::uint8_t[batch * rows + 1]);
  {
    nb::gil_scoped_release unlocked;
    const auto* data = static_cast<const std::uint8_t*>(array.data());
    const std::size_t inputs_of_task = std::max<std::size_t>(codes_of_task / rows, 1);
    const std::size_t tasks = (batch + inputs_of_task - 1) / inputs_of_task;
    run_tasks(tasks, std::min<std::size_t>(threads, tasks), [&](std::size_t task, std::size_t) {
      const std::size_t end = std::min((task + 1) * inputs_of_task, batch);
      for (std::size_t input = task * inputs_of_task; input < end; ++input) {
        copy_rows(data + inputs[input], within.data(), rows, items.get() + input * rows);
      }
    });
  }
  std::uint8_t* data = items.get();
  nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<std::uint8_t*>(p); });
  items.release();
  const std::size_t shape[2] = {batch, rows};
  const auto dtype = is_signed ? nb::dtype<std::int8_t>() : nb::dtype<std::uint8_t>();
  return nb::cast(Codes8(data, 2, shape, owner, nullptr, dtype));
}

}  // namespace

}  // namespace mcc

void bind_windows(nb::module_& module) {
  module.def("gather_codes", &mcc::gather, nb::arg("windows").noconvert(), nb::arg("rows"),
             nb::kw_only(), nb::arg("threads") = 1,
             "Return windows (..., rows in the last axes) as a matrix (inputs, rows).");
}
