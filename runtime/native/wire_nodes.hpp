// All node voltages of a crossbar with resistive wires, by conjugate gradients.
//
// The row nodes are eliminated exactly (each row wire is a tridiagonal system), so the unknowns are
// the column nodes; the preconditioner solves every column wire exactly. Sums run in an order that
// does not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "threads.hpp"

namespace mcc {

class WireNodes {
 public:
  // Conductances in siemens; an infinite one is a wire without resistance. `first` segments lead
  // from the ends of the wires, which are held at 0 V, to the first cells.
  WireNodes(std::size_t rows, std::size_t cols, const double* cells, double word, double bit,
            const double* first_word, const double* first_bit, std::size_t threads)
      : rows_(rows), cols_(cols), threads_(threads), cells_(cells), word_(word), bit_(bit),
        row_inverse_(rows * cols), col_inverse_(rows * cols) {
    over_rows([&](std::size_t from, std::size_t to) { factor_rows(from, to, first_word); });
    over_cols([&](std::size_t from, std::size_t to) { factor_cols(from, to, first_bit); });
  }

  // Solves for the voltages that currents into the nodes cause, until the unbalanced currents of
  // no column add up to more than `tolerance`. Returns the iterations, or `most` + 1 when they do
  // not suffice.
  std::size_t solve(const double* into_rows, const double* into_cols, double tolerance,
                    std::size_t most, double* row_volts, double* col_volts) {
    const std::size_t size = rows_ * cols_;
    std::vector<double> residual(size), direction(size), image(size), next(size), product(size);
    double* x = col_volts;
    std::fill(x, x + size, 0.0);
    over_rows([&](std::size_t from, std::size_t to) {
      RowTile tile(cols_);
      for (std::size_t row = from; row < to; row += lanes) {
        load(tile, row, to, [&](std::size_t at) { return into_rows[at]; });
        solve_rows(tile, row, to);
        each(tile, row, to, [&](std::size_t at, double volts) {
          residual[at] = into_cols[at] + cells_[at] * volts;
        });
      }
    });
    double before = 0, step = 0;
    std::size_t count = 0;
    for (;; ++count) {
      // The preconditioned residual, with the step that led to it.
      const double now = over_cols_sum([&](std::size_t from, std::size_t to) {
        if (count > 0)
          for (std::size_t row = 0; row < rows_; ++row)
            for (std::size_t at = row * cols_ + from; at < row * cols_ + to; ++at) {
              x[at] += step * direction[at];
              residual[at] -= step * product[at];
            }
        return solve_cols(residual.data(), next.data(), from, to);
      });
      if (!(worst(residual.data()) > tolerance) || count == most + 1) break;
      const double ratio = count > 0 ? now / before : 0.0;
      before = now;
      const double curvature = over_rows_sum([&](std::size_t from, std::size_t to) {
        RowTile tile(cols_);
        double sum = 0;
        for (std::size_t row = from; row < to; row += lanes) {
          const std::size_t end = std::min(to, row + lanes);
          for (std::size_t at = row * cols_; at < end * cols_; ++at) {
            direction[at] = next[at] + ratio * direction[at];
            image[at] = residual[at] + ratio * image[at];
          }
          load(tile, row, to, [&](std::size_t at) { return cells_[at] * direction[at]; });
          solve_rows(tile, row, to);
          each(tile, row, to, [&](std::size_t at, double volts) {
            product[at] = image[at] - cells_[at] * volts;
          });
          for (std::size_t at = row * cols_; at < end * cols_; ++at)
            sum += product[at] * direction[at];
        }
        return sum;
      });
      step = before / curvature;
    }
    over_rows([&](std::size_t from, std::size_t to) {
      RowTile tile(cols_);
      for (std::size_t row = from; row < to; row += lanes) {
        load(tile, row, to, [&](std::size_t at) { return into_rows[at] + cells_[at] * x[at]; });
        solve_rows(tile, row, to);
        each(tile, row, to, [&](std::size_t at, double volts) { row_volts[at] = volts; });
      }
    });
    return count;
  }

 private:
  static constexpr std::size_t lanes = 8, stripe = 64;
  using RowLanes = double __attribute__((vector_size(lanes * sizeof(double))));
  // Some rows side by side, so that their recurrences run in the lanes of vectors.
  using RowTile = std::vector<RowLanes>;

  template <class Work>
  void over(std::size_t count, std::size_t part, const Work& work) const {
    const std::size_t tasks = (count + part - 1) / part;
    run_tasks(tasks, std::max<std::size_t>(1, std::min(threads_, tasks)),
              [&](std::size_t task, std::size_t) {
                work(task * part, std::min(count, (task + 1) * part), task);
              });
  }
  template <class Work>
  void over_rows(const Work& work) const {
    over(rows_, 4 * lanes, [&](std::size_t from, std::size_t to, std::size_t) { work(from, to); });
  }
  template <class Work>
  void over_cols(const Work& work) const {
    over(cols_, stripe, [&](std::size_t from, std::size_t to, std::size_t) { work(from, to); });
  }
  template <class Work>
  double over_rows_sum(const Work& work) const {
    return summed(rows_, 4 * lanes, work);
  }
  template <class Work>
  double over_cols_sum(const Work& work) const {
    return summed(cols_, stripe, work);
  }
  template <class Work>
  double summed(std::size_t count, std::size_t part, const Work& work) const {
    std::vector<double> parts((count + part - 1) / part);
    over(count, part, [&](std::size_t from, std::size_t to, std::size_t task) {
      parts[task] = work(from, to);
    });
    double sum = 0;
    for (const double item : parts) sum += item;
    return sum;
  }

  template <class Value>
  void load(RowTile& tile, std::size_t row, std::size_t to, const Value& value) const {
    const std::size_t used = std::min(lanes, to - row);
    for (std::size_t col = 0; col < cols_; ++col) {
      RowLanes found{};
      for (std::size_t lane = 0; lane < used; ++lane) found[lane] = value((row + lane) * cols_ + col);
      tile[col] = found;
    }
  }
  template <class Take>
  void each(const RowTile& tile, std::size_t row, std::size_t to, const Take& take) const {
    const std::size_t used = std::min(lanes, to - row);
    for (std::size_t lane = 0; lane < used; ++lane)
      for (std::size_t col = 0; col < cols_; ++col)
        take((row + lane) * cols_ + col, tile[col][lane]);
  }

  // Pivots of the tridiagonal systems, inverted; of a wire without resistance the one inverse of
  // its sum of conductances. They are sums of positive numbers: the conductance to the near end as
  // seen from a cell, its cell, and the segment after it.
  void factor_rows(std::size_t from, std::size_t to, const double* first) {
    for (std::size_t row = from; row < to; ++row) {
      double* inverse = &row_inverse_[row * cols_];
      factor(&cells_[row * cols_], inverse, cols_, 1, word_, first[row]);
    }
  }
  void factor_cols(std::size_t from, std::size_t to, const double* first) {
    for (std::size_t col = from; col < to; ++col)
      factor(&cells_[col], &col_inverse_[col], rows_, cols_, bit_, first[col]);
  }
  static void factor(const double* cells, double* inverse, std::size_t count, std::size_t stride,
                     double segment, double first) {
    double behind = first;
    if (std::isinf(segment)) {
      for (std::size_t i = 0; i < count; ++i) behind += cells[i * stride];
      inverse[0] = 1.0 / behind;
      return;
    }
    for (std::size_t i = 0; i < count; ++i) {
      const double ahead = i + 1 < count ? segment : 0.0, own = behind + cells[i * stride];
      inverse[i * stride] = 1.0 / (own + ahead);
      behind = own * segment * inverse[i * stride];
    }
  }

  void solve_rows(RowTile& tile, std::size_t row, std::size_t to) const {
    const std::size_t used = std::min(lanes, to - row);
    const auto inverse = [&](std::size_t col) {
      RowLanes found{};
      for (std::size_t lane = 0; lane < used; ++lane)
        found[lane] = row_inverse_[(row + lane) * cols_ + col];
      return found;
    };
    if (std::isinf(word_)) {
      RowLanes sum{};
      for (const RowLanes& item : tile) sum += item;
      sum *= inverse(0);
      std::fill(tile.begin(), tile.end(), sum);
      return;
    }
    RowLanes last{};
    for (std::size_t col = 0; col < cols_; ++col) {
      last = (tile[col] + word_ * last) * inverse(col);
      tile[col] = last;
    }
    for (std::size_t col = cols_ - 1; col-- > 0;) {
      last = tile[col] + word_ * inverse(col) * last;
      tile[col] = last;
    }
  }

  // Returns the product of what goes in with what comes out.
  double solve_cols(const double* into, double* volts, std::size_t from, std::size_t to) const {
    if (std::isinf(bit_)) return solve_ideal_cols(into, volts, from, to);
    for (std::size_t row = 0; row < rows_; ++row)
      for (std::size_t col = from; col < to; ++col) {
        const std::size_t at = row * cols_ + col;
        const double before = row > 0 ? volts[at - cols_] : 0.0;
        volts[at] = (into[at] + bit_ * before) * col_inverse_[at];
      }
    double sum = 0;
    for (std::size_t row = rows_; row-- > 0;)
      for (std::size_t col = from; col < to; ++col) {
        const std::size_t at = row * cols_ + col;
        if (row + 1 < rows_) volts[at] += bit_ * col_inverse_[at] * volts[at + cols_];
        sum += into[at] * volts[at];
      }
    return sum;
  }
  double solve_ideal_cols(const double* into, double* volts, std::size_t from,
                          std::size_t to) const {
    double product = 0;
    for (std::size_t col = from; col < to; ++col) {
      double sum = 0;
      for (std::size_t row = 0; row < rows_; ++row) sum += into[row * cols_ + col];
      for (std::size_t row = 0; row < rows_; ++row)
        volts[row * cols_ + col] = sum * col_inverse_[col];
      product += sum * sum * col_inverse_[col];
    }
    return product;
  }

  // The largest sum of the unbalanced currents of a column; of a wire without resistance they are
  // those of its one node.
  double worst(const double* residual) const {
    std::vector<double> sums(cols_);
    const bool ideal = std::isinf(bit_);
    for (std::size_t row = 0; row < rows_; ++row)
      for (std::size_t col = 0; col < cols_; ++col) {
        const double item = residual[row * cols_ + col];
        sums[col] += ideal ? item : std::fabs(item);
      }
    double largest = 0;
    for (std::size_t col = 0; col < cols_; ++col) {
      const bool held = ideal && col_inverse_[col] == 0;
      if (!held) largest = std::max(largest, std::fabs(sums[col]));
    }
    return largest;
  }

  std::size_t rows_, cols_, threads_;
  const double* cells_;
  double word_, bit_;
  std::vector<double> row_inverse_, col_inverse_;
};

}  // namespace mcc
