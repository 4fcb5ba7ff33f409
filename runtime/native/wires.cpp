// Crossbars with resistive wires: reduction of blocks, and the borders to Python.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cmath>

#include "arrays.hpp"
#include "threads.hpp"
#include "wire_blocks.hpp"
#include "wire_nodes.hpp"

namespace nb = nanobind;

namespace mcc {

namespace {

using Table = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Tables = nb::ndarray<const double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Vector = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

nb::object owned(double* data, std::size_t axes, const std::size_t* shape) {
  nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<double*>(p); });
  return nb::cast(nb::ndarray<nb::numpy, double>(data, axes, shape, owner));
}

struct Blocks {
  std::size_t rows, cols;  // of a block
  std::size_t down, across;
  std::size_t count;  // of all macros
  const double* cells;
  double word_siemens, bit_siemens;
  const double* first_word;
  const double* first_bit;
};

// Blocks after each other, one in each lane; the last one fills the lanes left over.
class BlockLanes {
 public:
  BlockLanes(const Blocks& blocks, std::size_t first) : blocks_(blocks) {
    for (std::size_t lane = 0; lane < block_lanes; ++lane) {
      const std::size_t index = std::min(first + lane, blocks.count - 1);
      across_[lane] = index % blocks.across;
      down_[lane] = index / blocks.across % blocks.down;
      macro_[lane] = index / blocks.across / blocks.down;
    }
  }

  Lanes cell(std::size_t i, std::size_t j) const {
    return each([&](std::size_t n) {
      return blocks_.cells[row(n, i) * blocks_.across * blocks_.cols + across_[n] * blocks_.cols + j];
    });
  }
  Lanes word(std::size_t i, std::size_t j) const {
    return each([&](std::size_t n) {
      return across_[n] == 0 && j == 0 ? blocks_.first_word[row(n, i)] : blocks_.word_siemens;
    });
  }
  Lanes bit(std::size_t i, std::size_t j) const {
    return each([&](std::size_t n) {
      const std::size_t col = (macro_[n] * blocks_.across + across_[n]) * blocks_.cols + j;
      return down_[n] == 0 && i == 0 ? blocks_.first_bit[col] : blocks_.bit_siemens;
    });
  }

 private:
  std::size_t row(std::size_t n, std::size_t i) const {
    return (macro_[n] * blocks_.down + down_[n]) * blocks_.rows + i;
  }
  template <class Value>
  static Lanes each(const Value& value) {
    Lanes lanes{};
    for (std::size_t n = 0; n < block_lanes; ++n) lanes[n] = value(n);
    return lanes;
  }

  const Blocks& blocks_;
  std::size_t down_[block_lanes], across_[block_lanes], macro_[block_lanes];
};

void reduce_lanes(const Blocks& blocks, std::size_t first, double* out) {
  const Part whole{0, 0, static_cast<int>(blocks.rows), static_cast<int>(blocks.cols)};
  const Mesh mesh = reduced(BlockLanes(blocks, first), whole);
  const std::size_t ports = mesh.nodes();
  for (std::size_t a = 0; a < ports; ++a)
    for (std::size_t b = 0; b < ports; ++b) {
      const Lanes found = a == b ? Lanes{} : mesh.between(static_cast<int>(a), static_cast<int>(b));
      for (std::size_t n = 0; n < block_lanes && first + n < blocks.count; ++n)
        out[((first + n) * ports + a) * ports + b] = found[n];
    }
}

nb::object reduce_blocks(const Tables& cells, std::size_t rows, std::size_t cols, double word,
                         double bit, const Table& first_word, const Table& first_bit,
                         std::size_t threads) {
  require(rows >= 1 && cols >= 1 && rows <= 64 && cols <= 64, "blocks must be 1 to 64 cells wide");
  require(cells.shape(1) % rows == 0 && cells.shape(2) % cols == 0, "cells are not whole blocks");
  require(first_word.shape(0) == cells.shape(0) && first_word.shape(1) == cells.shape(1),
          "first_word must be (macros, rows)");
  require(first_bit.shape(0) == cells.shape(0) && first_bit.shape(1) == cells.shape(2),
          "first_bit must be (macros, cols)");
  require(threads >= 1, "threads must be at least 1");
  const std::size_t down = cells.shape(1) / rows, across = cells.shape(2) / cols;
  const Blocks blocks{rows, cols, down, across, cells.shape(0) * down * across, cells.data(),
                      word, bit, first_word.data(), first_bit.data()};
  const std::size_t ports = 2 * (rows + cols);
  std::unique_ptr<double[]> out(new double[blocks.count * ports * ports + 1]);
  {
    nb::gil_scoped_release release;
    const std::size_t tasks = (blocks.count + block_lanes - 1) / block_lanes;
    const std::size_t used = std::max<std::size_t>(1, std::min(threads, tasks));
    run_tasks(tasks, used, [&](std::size_t task, std::size_t) {
      reduce_lanes(blocks, task * block_lanes, out.get());
    });
  }
  const std::size_t shape[5] = {cells.shape(0), down, across, ports, ports};
  return owned(out.release(), 5, shape);
}

nb::object wire_voltages(const Table& cells, double word, double bit, const Vector& first_word,
                         const Vector& first_bit, const Table& into_rows, const Table& into_cols,
                         double tolerance, std::size_t most, std::size_t threads) {
  const std::size_t rows = cells.shape(0), cols = cells.shape(1);
  require(rows >= 1 && cols >= 1, "there are no cells");
  require(first_word.shape(0) == rows && first_bit.shape(0) == cols,
          "first_word and first_bit must have one segment for each wire");
  require(into_rows.shape(0) == rows && into_rows.shape(1) == cols &&
              into_cols.shape(0) == rows && into_cols.shape(1) == cols,
          "currents must have the shape of the cells");
  require(threads >= 1, "threads must be at least 1");
  std::unique_ptr<double[]> out(new double[2 * rows * cols]);
  std::size_t iterations;
  {
    nb::gil_scoped_release release;
    WireNodes nodes(rows, cols, cells.data(), word, bit, first_word.data(), first_bit.data(),
                    threads);
    iterations = nodes.solve(into_rows.data(), into_cols.data(), tolerance, most, out.get(),
                             out.get() + rows * cols);
  }
  const std::size_t shape[3] = {2, rows, cols};
  return nb::make_tuple(owned(out.release(), 3, shape), iterations);
}

}  // namespace

}  // namespace mcc

void bind_wires(nb::module_& module) {
  using namespace nb::literals;
  module.def("reduce_blocks", &mcc::reduce_blocks, "cells"_a.noconvert(), nb::kw_only(), "rows"_a,
             "cols"_a, "word"_a, "bit"_a, "first_word"_a.noconvert(), "first_bit"_a.noconvert(),
             "threads"_a = 1);
  module.def("wire_voltages", &mcc::wire_voltages, "cells"_a.noconvert(), nb::kw_only(), "word"_a,
             "bit"_a, "first_word"_a.noconvert(), "first_bit"_a.noconvert(),
             "into_rows"_a.noconvert(), "into_cols"_a.noconvert(), "tolerance"_a,
             "most_iterations"_a, "threads"_a = 1);
}
