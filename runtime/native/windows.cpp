// Windows of a memory: as the rows of a matrix, with which a convolution drives its word lines, and
// back from the columns of one, which it gives.
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
template <class Strided>
std::vector<std::int64_t> offsets(const Strided& array, std::size_t first, std::size_t last) {
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

constexpr std::size_t run = 8;  // inputs side by side in memory that are copied together
constexpr std::size_t part = 16;  // rows that are
using Sixteen = std::uint8_t __attribute__((vector_size(part)));

// Whether inputs from `first` on lie side by side in memory.
bool side_by_side(const std::vector<std::int64_t>& inputs, std::size_t first, std::size_t count) {
  for (std::size_t i = 1; i < count; ++i)
    if (inputs[first + i] != inputs[first] + std::int64_t(i)) return false;
  return true;
}

// Items of two vectors in turns, from the first half of each or from the second.
template <class Item, int half>
[[gnu::always_inline]] inline Sixteen in_turns(Sixteen a, Sixteen b) {
  constexpr int size = sizeof(Item);
  Sixteen places;
  for (int i = 0; i < int(part); ++i)
    places[i] = half * part / 2 + i / size / 2 * size + i % size + i / size % 2 * part;
  return __builtin_shuffle(a, b, places);
}

[[gnu::always_inline]] inline Sixteen eight_of(const std::uint8_t* from) {
  using Halves = std::uint64_t __attribute__((vector_size(part)));
  std::uint64_t first;
  std::memcpy(&first, from, run);
  return reinterpret_cast<Sixteen>(Halves{first, 0});
}

// Of vectors `step` apart, each pair becomes one with all first halves and one with all second ones.
template <class Item, int step>
[[gnu::always_inline]] inline void pair_up(const Sixteen (&from)[part / 2],
                                           Sixteen (&to)[part / 2]) {
#pragma GCC unroll 8
  for (int i = 0; i < int(part / 2); i += 2) {
    const int first = i / 2 / step * 2 * step + i / 2 % step;
    to[i] = in_turns<Item, 0>(from[first], from[first + step]);
    to[i + 1] = in_turns<Item, 1>(from[first], from[first + step]);
  }
}

// Sixteen rows of a run of inputs as bytes [input][row], inputs `pitch` apart.
[[gnu::always_inline]] inline void turn(const std::uint8_t* from, const std::int64_t* rows,
                                        std::uint8_t* to, std::size_t pitch) {
  Sixteen two[part / 2], four[part / 2], eight[part / 2], all[part / 2];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < part / 2; ++i) {
    two[i] = in_turns<std::uint8_t, 0>(eight_of(from + rows[2 * i]),
                                       eight_of(from + rows[2 * i + 1]));
  }
  pair_up<std::uint16_t, 1>(two, four);
  pair_up<std::uint32_t, 2>(four, eight);
  pair_up<std::uint64_t, 4>(eight, all);
#pragma GCC unroll 8
  for (std::size_t input = 0; input < run; ++input)
    std::memcpy(to + input * pitch, &all[input], part);
}

// `restrict` says that no byte written here is an offset.
void copy_rows(const std::uint8_t* from, const std::int64_t* offsets, std::size_t rows,
               std::uint8_t* __restrict to) {
  for (std::size_t row = 0; row < rows; ++row) to[row] = from[offsets[row]];
}

// The rows of every input, to memory without gaps.
class Windows {
 public:
  Windows(const Array& array, std::size_t rows)
      : data_(static_cast<const std::uint8_t*>(array.data())) {
    const std::size_t axis = first_row_axis(array, rows);
    inputs_ = offsets(array, 0, axis);
    rows_ = offsets(array, axis, array.ndim());
    together_ = rows_.back() - rows_.front() == std::int64_t(rows) - 1 &&
                std::is_sorted(rows_.begin(), rows_.end());
  }

  std::size_t inputs() const { return inputs_.size(); }

  void copy(std::size_t first, std::size_t end, std::uint8_t* to) const {
    while (first < end) {
      const bool turns = !together_ && rows_.size() >= part && first + run <= end &&
                         side_by_side(inputs_, first, run);
      if (turns)
        copy_run(first, to);
      else if (together_)
        std::memcpy(to + first * rows_.size(), data_ + inputs_[first] + rows_[0], rows_.size());
      else
        copy_rows(data_ + inputs_[first], rows_.data(), rows_.size(), to + first * rows_.size());
      first += turns ? run : 1;
    }
  }

 private:
  // The last part begins earlier than where the one before it ends, where it would be too short.
  void copy_run(std::size_t first, std::uint8_t* to) const {
    const std::size_t rows = rows_.size();
    for (std::size_t row = 0; row < rows; row += part) {
      const std::size_t start = std::min(row, rows - part);
      turn(data_ + inputs_[first], rows_.data() + start, to + first * rows + start, rows);
    }
  }

  const std::uint8_t* data_;
  std::vector<std::int64_t> inputs_, rows_;
  bool together_;  // whether the rows of an input lie side by side
};

using Codes8 = nb::ndarray<nb::numpy, nb::ndim<2>>;

nb::object gather(const Array& array, std::size_t rows, int threads) {
  const bool is_signed = holds<std::int8_t>(array);
  require_type(is_signed || holds<std::uint8_t>(array), "codes must be uint8 or int8");
  require(rows >= 1, "rows must be at least 1");
  require(threads >= 1, "threads must be at least 1");
  const Windows windows(array, rows);
  const std::size_t batch = windows.inputs();
  std::unique_ptr<std::uint8_t[]> items(new std::uint8_t[batch * rows + 1]);
  {
    nb::gil_scoped_release unlocked;
    const std::size_t inputs_of_task = std::max<std::size_t>(codes_of_task / rows, 1);
    const std::size_t tasks = (batch + inputs_of_task - 1) / inputs_of_task;
    run_tasks(tasks, std::min<std::size_t>(threads, tasks), [&](std::size_t task, std::size_t) {
      windows.copy(task * inputs_of_task, std::min((task + 1) * inputs_of_task, batch),
                   items.get());
    });
  }
  std::uint8_t* data = items.get();
  nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<std::uint8_t*>(p); });
  items.release();
  const std::size_t shape[2] = {batch, rows};
  const auto dtype = is_signed ? nb::dtype<std::int8_t>() : nb::dtype<std::uint8_t>();
  return nb::cast(Codes8(data, 2, shape, owner, nullptr, dtype));
}

constexpr std::size_t sums_of_task = 1u << 16;
constexpr std::size_t four = 4;  // inputs, and columns, that are turned together
constexpr std::size_t line_inputs = 16;  // side by side, whose sums fill a line of the cache

// Adds the sums of an input.
void add_row(const std::int32_t* from, std::size_t cols, std::int32_t* to, std::int64_t stride) {
  for (std::size_t col = 0; col < cols; ++col) {
    std::int32_t* place = to + std::int64_t(col) * stride;  // anywhere in a memory of bytes
    std::int32_t total;
    std::memcpy(&total, place, sizeof total);
    total += from[col];
    std::memcpy(place, &total, sizeof total);
  }
}

using Four = std::uint32_t __attribute__((vector_size(part)));

// Adds four columns of four inputs that lie side by side.
[[gnu::always_inline]] inline void add_square(const std::int32_t* from, std::size_t cols,
                                              std::int32_t* to, std::int64_t stride) {
  Sixteen rows[four], pairs[four];
  for (std::size_t i = 0; i < four; ++i) std::memcpy(&rows[i], from + i * cols, part);
  pairs[0] = in_turns<std::int32_t, 0>(rows[0], rows[2]);
  pairs[1] = in_turns<std::int32_t, 1>(rows[0], rows[2]);
  pairs[2] = in_turns<std::int32_t, 0>(rows[1], rows[3]);
  pairs[3] = in_turns<std::int32_t, 1>(rows[1], rows[3]);
  rows[0] = in_turns<std::int32_t, 0>(pairs[0], pairs[2]);
  rows[1] = in_turns<std::int32_t, 1>(pairs[0], pairs[2]);
  rows[2] = in_turns<std::int32_t, 0>(pairs[1], pairs[3]);
  rows[3] = in_turns<std::int32_t, 1>(pairs[1], pairs[3]);
  for (std::size_t i = 0; i < four; ++i) {
    std::int32_t* place = to + std::int64_t(i) * stride;
    Four total;
    std::memcpy(&total, place, part);
    total += reinterpret_cast<Four>(rows[i]);
    std::memcpy(place, &total, part);
  }
}

// Adds the sums of inputs that lie side by side, fours of fours of columns. The inputs come first,
// so that a line of the cache is done at once: lines of channels often share their place in it.
void add_block(const std::int32_t* from, std::size_t inputs, std::size_t cols, std::int32_t* to,
               std::int64_t stride) {
  for (std::size_t col = 0; col < cols; col += four)
    for (std::size_t input = 0; input < inputs; input += four)
      add_square(from + input * cols + col, cols, to + std::int64_t(col) * stride + input, stride);
}

using Totals = nb::ndarray<std::int32_t, nb::device::cpu>;
using Products =
    nb::ndarray<const std::int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void add_sums(const Totals& totals, const Products& products, int threads) {
  require(totals.ndim() >= 1, "totals must have an axis of columns");
  const std::size_t cols = totals.shape(totals.ndim() - 1);
  const std::vector<std::int64_t> inputs = offsets(totals, 0, totals.ndim() - 1);
  require(products.shape(0) == inputs.size() && products.shape(1) == cols,
          "products must have the inputs and the columns of the totals");
  require(threads >= 1, "threads must be at least 1");
  const std::int64_t stride = totals.stride(totals.ndim() - 1);
  nb::gil_scoped_release unlocked;
  const std::size_t share = std::max<std::size_t>(sums_of_task / std::max<std::size_t>(cols, 1), 1);
  const std::size_t tasks = (inputs.size() + share - 1) / share;
  run_tasks(tasks, std::min<std::size_t>(threads, tasks), [&](std::size_t task, std::size_t) {
    const std::size_t end = std::min((task + 1) * share, inputs.size());
    for (std::size_t input = task * share; input < end;) {
      std::size_t together = cols % four == 0 ? line_inputs : 0;
      while (together && !(input + together <= end && side_by_side(inputs, input, together)))
        together -= four;
      std::int32_t* to = totals.data() + inputs[input];
      const std::int32_t* from = products.data() + input * cols;
      if (together)
        add_block(from, together, cols, to, stride);
      else
        add_row(from, cols, to, stride);
      input += together ? together : 1;
    }
  });
}

}  // namespace

}  // namespace mcc

void bind_windows(nb::module_& module) {
  module.def("gather_codes", &mcc::gather, nb::arg("windows").noconvert(), nb::arg("rows"),
             nb::kw_only(), nb::arg("threads") = 1,
             "Return windows (..., rows in the last axes) as a matrix (inputs, rows).");
  module.def("add_sums", &mcc::add_sums, nb::arg("totals").noconvert(),
             nb::arg("products").noconvert(), nb::kw_only(), nb::arg("threads") = 1,
             "Add products (inputs, cols) to totals (..., cols) with any strides.");
}
