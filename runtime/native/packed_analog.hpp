// The conductances of a tile, as the analog kernels read them.
#pragma once

#include <nanobind/ndarray.h>

#include <optional>

#include "analog.hpp"
#include "arrays.hpp"

namespace mcc {

class PackedAnalog {
 public:
  using Matrix = nanobind::ndarray<const float, nanobind::ndim<2>, nanobind::c_contig,
                                   nanobind::device::cpu>;
  using Flags =
      nanobind::ndarray<const bool, nanobind::ndim<2>, nanobind::c_contig, nanobind::device::cpu>;

  PackedAnalog(const Matrix& weights, const std::optional<Matrix>& variances, int slices,
               int bits_per_cell, int active_rows, int dac_bits,
               const std::optional<Flags>& flipped);

  std::size_t nbytes() const {
    return weights.nbytes() + variances.nbytes() + starts.nbytes() + flips.nbytes();
  }
  std::size_t cols() const { return sums / slices; }
  std::size_t blocks() const { return (cols() + unit_cols - 1) / unit_cols; }
  std::size_t units() const { return blocks() * slices; }
  bool by_quads() const { return dac_bits == 1; }

  std::size_t rows, sums, slices;
  int bits_per_cell, dac_bits;
  Groups groups{};
  int fraction = 0;           // bits of a weight below one digit
  double variance_scale = 1;  // units of a variance in a squared digit
  Aligned<std::int16_t> weights, variances;
  Aligned<std::int32_t> starts, flips;

 private:
  struct Bounds {
    double weight = 0;    // largest magnitude
    double chunk = 0;     // of 16 rows
    double group = 0;     // of all rows of a group
    double variance = 0;  // of all rows of a group
  };
  Bounds bounds(const Matrix& weights, const std::optional<Matrix>& variances) const;
  void choose_scales(const Bounds& bounds);
  void pack_weights(const Matrix& matrix);
  void pack_variances(const Matrix& matrix);
  void pack_flips(const Flags& flipped);
  std::size_t place_of(std::size_t row, std::size_t sum) const;
  std::size_t place_of_sum(std::size_t group, std::size_t sum) const;
};

}  // namespace mcc
