// The conductances of a tile, as the analog kernels read them.
#pragma once

#include <nanobind/ndarray.h>

#include <optional>
#include <vector>

#include "analog.hpp"
#include "arrays.hpp"

namespace mcc {

class PackedAnalog {
 public:
  using Matrix = nanobind::ndarray<const float, nanobind::ndim<2>, nanobind::c_contig,
                                   nanobind::device::cpu>;
  using Flags =
      nanobind::ndarray<const bool, nanobind::ndim<2>, nanobind::c_contig, nanobind::device::cpu>;

  using Converters = nanobind::ndarray<const std::int32_t, nanobind::ndim<1>, nanobind::c_contig,
                                       nanobind::device::cpu>;
  using Codes = nanobind::ndarray<const std::int32_t, nanobind::ndim<2>, nanobind::c_contig,
                                  nanobind::device::cpu>;

  PackedAnalog(const Matrix& weights, const std::optional<Matrix>& variances, int slices,
               int bits_per_cell, int active_rows, int dac_bits,
               const std::optional<Flags>& flipped, std::size_t threads);

  // Converters (sums,) with their breakpoints (converters, count) and codes (converters, count + 1).
  void set_staircases(const Converters& converter_of, const Matrix& breakpoints,
                      const Codes& codes);
  Staircases staircases() const {
    return {converters_.data(), breakpoints_.data(), codes_.data(), steps_};
  }

  std::size_t nbytes() const {
    return weights.nbytes() + variances.nbytes() + starts.nbytes() + flips.nbytes() +
           converters_.nbytes() + breakpoints_.nbytes() + codes_.nbytes();
  }
  std::size_t cols() const { return sums / slices; }
  std::size_t sums_of_unit() const { return unit_sums / slices * slices; }
  std::size_t units() const { return (sums + sums_of_unit() - 1) / sums_of_unit(); }
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
    bool good = true;     // whether all numbers are finite, and variances not negative
  };
  static Bounds wider(const Bounds& a, const Bounds& b);
  // The sums of some units, which lie side by side.
  struct Block {
    std::size_t unit;          // the first of them
    std::size_t first, count;  // sums
  };
  template <class Run>
  void each_block(std::size_t threads, const Run& run) const;
  std::size_t blocks() const;
  Block block_of(std::size_t number) const;
  Bounds bounds(const Matrix& weights, const Matrix* variances, const Block& block) const;
  void choose_scales(const Bounds& bounds);
  void pack_weights(const Matrix& matrix, const Block& block);
  void pack_variances(const Matrix& matrix, const Block& block);
  void pack_row(const std::int32_t* numbers, const Block& block, std::int16_t* to) const;
  void pack_flips(const Flags& flipped);
  std::size_t place_of_row(std::size_t row) const;
  std::size_t place_of_sum(std::size_t group, std::size_t sum) const;

  Aligned<std::int32_t> converters_;
  Aligned<float> breakpoints_;
  Aligned<std::int32_t> codes_;
  int steps_ = 0;
};

}  // namespace mcc
