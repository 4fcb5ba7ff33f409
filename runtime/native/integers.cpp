// The exact product of integer codes and integer weights.
#include "integers.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>

#include "arrays.hpp"
#include "levels.hpp"
#include "threads.hpp"

namespace nb = nanobind;

namespace mcc {

namespace {

constexpr std::size_t rows_of_task = 24;
constexpr std::size_t products_worth_a_thread = 4'000'000;

class PackedIntegers {
 public:
  explicit PackedIntegers(const Array& weights) {
    require_type(holds<std::int8_t>(weights), "weights must be int8");
    require(weights.ndim() == 2, "weights must have two axes (rows, cols)");
    rows = weights.shape(0);
    cols = weights.shape(1);
    require(rows > 0 && cols > 0, "weights must not be empty");
    require(rows <= (1u << 24) && cols <= (1u << 24), "weights have too many rows or columns");
    quads = (rows + quad - 1) / quad;
    panels = (cols + panel_cols - 1) / panel_cols;
    items = Aligned<std::int8_t>(panels * quads * quad * panel_cols);
    column_sums = Aligned<std::int32_t>(panels * panel_cols);
    const auto* data = static_cast<const std::int8_t*>(weights.data());
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t col = 0; col < cols; ++col) {
        const std::int8_t weight = data[std::int64_t(row) * weights.stride(0) +
                                        std::int64_t(col) * weights.stride(1)];
        const std::size_t place = (col / panel_cols * quads + row / quad) * panel_cols;
        items.data()[(place + col % panel_cols) * quad + row % quad] = weight;
        column_sums.data()[col] += weight;
      }
    }
  }

  std::size_t nbytes() const { return items.nbytes() + column_sums.nbytes(); }

  std::size_t rows, cols, quads, panels;
  Aligned<std::int8_t> items;  // [panel][quad][column][row of quad]
  Aligned<std::int32_t> column_sums;
};

IntegerKernel kernel_of(Level level) {
  switch (level) {
#ifdef MCC_X86
    case Level::avx512:
      return avx512::integer_kernel();
    case Level::avx2:
      return avx2::integer_kernel();
#endif
    default:
      return portable::integer_kernel();
  }
}

[[gnu::always_inline]] inline void copy_row(const std::uint8_t* from, std::int64_t stride,
                                            std::size_t rows, std::uint8_t flip,
                                            std::uint8_t* to) {
  for (std::size_t row = 0; row < rows; ++row) to[row] = from[std::int64_t(row) * stride] ^ flip;
}

// Codes of some inputs as unsigned bytes: signed ones are 128 too large.
void copy_codes(const Codes& codes, std::size_t first, std::size_t count, std::size_t row_bytes,
                std::uint8_t* to) {
  const std::uint8_t flip = codes.is_signed ? 0x80 : 0;
  for (std::size_t input = 0; input < count; ++input, to += row_bytes) {
    const std::uint8_t* from = codes.data + std::int64_t(first + input) * codes.batch_stride;
    if (codes.row_stride == 1)
      copy_row(from, 1, codes.rows, flip, to);
    else
      copy_row(from, codes.row_stride, codes.rows, flip, to);
  }
}

void multiply(const Codes& codes, const PackedIntegers& weights, IntegerKernel kernel,
              std::size_t threads, std::int32_t* sums) {
  const std::size_t row_bytes = weights.quads * quad;
  const std::size_t slabs = (codes.batch + rows_of_task - 1) / rows_of_task;
  const std::size_t wanted = (threads + slabs - 1) / std::max<std::size_t>(slabs, 1);
  const std::size_t parts = std::min(weights.panels, wanted);
  const std::size_t tasks = slabs * parts;
  threads = std::max<std::size_t>(std::min(threads, tasks), 1);
  Aligned<std::int32_t> start(weights.panels * panel_cols);
  if (codes.is_signed)
    for (std::size_t col = 0; col < weights.cols; ++col)
      start.data()[col] = static_cast<std::int32_t>(
          -128 * static_cast<std::uint32_t>(weights.column_sums.data()[col]));
  const Aligned<std::uint8_t> copies(threads * rows_of_task * row_bytes);
  run_tasks(tasks, threads, [&](std::size_t task, std::size_t worker) {
    const std::size_t first = task / parts * rows_of_task;
    const std::size_t count = std::min(rows_of_task, codes.batch - first);
    std::uint8_t* copy = copies.data() + worker * rows_of_task * row_bytes;
    copy_codes(codes, first, count, row_bytes, copy);
    const std::size_t part = task % parts;
    for (std::size_t panel = weights.panels * part / parts;
         panel < weights.panels * (part + 1) / parts; ++panel) {
      const std::size_t col = panel * panel_cols;
      const std::size_t left = std::min<std::size_t>(weights.cols - col, panel_cols);
      kernel({copy, weights.items.data() + panel * row_bytes * panel_cols, start.data() + col,
              int(weights.quads), int(count), sums + first * weights.cols + col, weights.cols,
              int(left)});
    }
  });
}

nb::object integer_product(const Array& array, const PackedIntegers& weights, int threads,
                           const std::optional<std::string>& level) {
  const Codes codes = codes_of(array, weights.rows);
  require(threads >= 1, "threads must be at least 1");
  const IntegerKernel kernel = kernel_of(choose_level(level));
  Sums sums(codes.batch, weights.cols);
  const std::size_t worth =
      1 + codes.batch * weights.rows * weights.cols / products_worth_a_thread;
  {
    nb::gil_scoped_release unlocked;
    const std::size_t used = std::min<std::size_t>(threads, worth);
    multiply(codes, weights, kernel, used, sums.items.get());
  }
  return sums.release();
}

}  // namespace

}  // namespace mcc

void bind_integers(nb::module_& module) {
  using mcc::PackedIntegers;
  nb::class_<PackedIntegers>(module, "PackedIntegers",
                             "A matrix of int8 weights, made ready for `integer_product`.")
      .def_ro("rows", &PackedIntegers::rows, "Rows of the matrix.")
      .def_ro("cols", &PackedIntegers::cols, "Columns of the matrix.")
      .def_prop_ro("nbytes", &PackedIntegers::nbytes, "Bytes that the packed weights take.");
  module.def(
      "pack_integers", [](const mcc::Array& weights) { return PackedIntegers(weights); },
      nb::arg("weights").noconvert(),
      "Make a matrix of weights (rows, cols) ready for `integer_product`.");
  module.def("integer_product", &mcc::integer_product, nb::arg("codes").noconvert(),
             nb::arg("weights"), nb::kw_only(), nb::arg("threads") = 1,
             nb::arg("level") = nb::none(), "Return `codes @ weights` exactly (batch, cols).");
}
