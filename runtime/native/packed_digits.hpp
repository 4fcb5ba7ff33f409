// The digits of a tile in the order in which the bit-plane kernels read them.
#pragma once

#include <optional>
#include <vector>

#include "arrays.hpp"
#include "bit_planes.hpp"

namespace mcc {

class PackedDigits {
 public:
  // Digits (slices, rows, cols), and which columns hold complements (groups, slices, cols).
  PackedDigits(const Array& digits, int bits_per_cell, std::int64_t active_rows,
               const std::optional<Array>& flipped);

  std::size_t nbytes() const {
    return items_.nbytes() + signs_.nbytes() + corrections_.nbytes();
  }

  // Lane blocks of one column block of 64 columns.
  std::size_t column_blocks() const { return (cols + lanes - 1) / lanes; }
  std::vector<LaneBlock> lane_blocks(std::size_t column_block) const;

  // What a unit of input adds for the columns that are flipped [group][padded column], or null.
  const std::int32_t* corrections() const { return corrections_.data(); }
  std::size_t padded_cols() const { return column_blocks() * lanes; }

  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t slices = 0;
  std::size_t active_rows = 0;
  int bits_per_cell = 0;
  int lowest = 0;   // digit, at most 0
  int highest = 0;  // digit, at least 0
  Groups groups{};

 private:
  struct Place {
    std::size_t lane_block;
    int strip;
  };
  Place place_of(std::size_t slice, std::size_t col) const;
  std::size_t strips_of(std::size_t column_block) const;
  std::size_t group_bytes() const { return std::size_t(groups.quads) * quad_rows * lanes; }
  void set_groups(std::size_t requested);
  void pack(const Array& digits);
  void flip(const Array& flipped);

  Aligned<std::uint8_t> items_;
  Aligned<std::int32_t> signs_;
  Aligned<std::int32_t> corrections_;
};

}  // namespace mcc
