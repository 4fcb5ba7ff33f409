#include "packed_digits.hpp"

#include <algorithm>

namespace mcc {

namespace {

constexpr std::size_t max_rows = 1u << 17;
constexpr std::size_t max_cols = 1u << 20;

}  // namespace

PackedDigits::PackedDigits(const Array& digits, int bits, std::int64_t active,
                           const std::optional<Array>& flipped)
    : bits_per_cell(bits) {
  require_type(holds<std::int8_t>(digits), "digits must be int8");
  require(digits.ndim() == 3, "digits must have three axes (slices, rows, cols)");
  slices = digits.shape(0);
  rows = digits.shape(1);
  cols = digits.shape(2);
  require(digits.size() > 0, "digits must not be empty");
  require(bits >= 1 && bits <= 4, "bits_per_cell must be 1 to 4");
  require(slices * bits <= 16, "the digits of a weight must have at most 16 bits together");
  require(rows <= max_rows && cols <= max_cols, "digits have too many rows or columns");
  require(active >= 1, "active_rows must be at least 1");
  set_groups(std::min<std::uint64_t>(active, rows));
  pack(digits);
  const int largest = (1 << bits) - 1;
  require(highest <= largest && lowest >= -largest, "a digit does not fit in bits_per_cell");
  if (flipped) flip(*flipped);
}

void PackedDigits::set_groups(std::size_t requested) {
  active_rows = requested;
  const std::size_t count = (rows + active_rows - 1) / active_rows;
  const std::size_t last = rows - (count - 1) * active_rows;
  groups = {int(count), int(active_rows), int(last), int((active_rows + quad_rows - 1) / quad_rows),
            int((last + quad_rows - 1) / quad_rows)};
}

std::size_t PackedDigits::strips_of(std::size_t column_block) const {
  const std::size_t left = std::min<std::size_t>(cols - column_block * lanes, lanes);
  return (left + strip_cols - 1) / strip_cols;
}

// The strips of a column block, slice after slice, fill its lane blocks; only the last column block
// can have fewer than four strips a slice.
PackedDigits::Place PackedDigits::place_of(std::size_t slice, std::size_t col) const {
  const std::size_t block = col / lanes;
  const std::size_t strip = slice * strips_of(block) + col % lanes / strip_cols;
  return {block * slices + strip / strips, int(strip % strips)};
}

void PackedDigits::pack(const Array& digits) {
  const Place end = place_of(slices - 1, cols - 1);
  const std::size_t block_bytes = groups.count * group_bytes();
  items_ = Aligned<std::uint8_t>((end.lane_block + 1) * block_bytes);
  const auto* data = static_cast<const std::int8_t*>(digits.data());
  for (std::size_t slice = 0; slice < slices; ++slice) {
    for (std::size_t col = 0; col < cols; ++col) {
      const Place place = place_of(slice, col);
      std::uint8_t* to = items_.data() + place.lane_block * block_bytes +
                         strips * (col % strip_cols) + place.strip;
      const std::int8_t* from = data + std::int64_t(slice) * digits.stride(0) +
                                std::int64_t(col) * digits.stride(2);
      for (std::size_t row = 0; row < rows; ++row) {
        const int digit = from[std::int64_t(row) * digits.stride(1)];
        lowest = std::min(lowest, digit);
        highest = std::max(highest, digit);
        to[row / active_rows * group_bytes() + row % active_rows * lanes] =
            static_cast<std::uint8_t>(digit);
      }
    }
  }
}

void PackedDigits::flip(const Array& flipped) {
  require_type(holds<bool>(flipped), "flipped must be bool");
  const bool fits = flipped.ndim() == 3 && flipped.shape(0) == std::size_t(groups.count) &&
                    flipped.shape(1) == slices && flipped.shape(2) == cols;
  require(fits, "flipped must have three axes (groups, slices, cols) that fit the digits");
  const Place end = place_of(slices - 1, cols - 1);
  signs_ = Aligned<std::int32_t>((end.lane_block + 1) * groups.count * lanes);
  corrections_ = Aligned<std::int32_t>(groups.count * padded_cols());
  const auto* data = static_cast<const bool*>(flipped.data());
  for (std::size_t group = 0; group < std::size_t(groups.count); ++group) {
    for (std::size_t slice = 0; slice < slices; ++slice) {
      for (std::size_t col = 0; col < cols; ++col) {
        if (!data[std::int64_t(group) * flipped.stride(0) +
                  std::int64_t(slice) * flipped.stride(1) + std::int64_t(col) * flipped.stride(2)])
          continue;
        const Place place = place_of(slice, col);
        const std::size_t block = place.lane_block * groups.count + group;
        signs_.data()[block * lanes + place.strip * strip_cols + col % strip_cols] = -1;
        corrections_.data()[group * padded_cols() + col] += ((1 << bits_per_cell) - 1)
                                                            << (slice * bits_per_cell);
      }
    }
  }
}

std::vector<LaneBlock> PackedDigits::lane_blocks(std::size_t column_block) const {
  const std::size_t strips_here = strips_of(column_block);
  const std::size_t count = (slices * strips_here + strips - 1) / strips;
  std::vector<LaneBlock> blocks(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t block = column_block * slices + i;
    blocks[i].digits = items_.data() + block * groups.count * group_bytes();
    blocks[i].signs = signs_.data() ? signs_.data() + block * groups.count * lanes : nullptr;
    for (int s = 0; s < strips; ++s) {
      const std::size_t strip = i * strips + s;
      const bool dead = strip >= slices * strips_here;
      blocks[i].strip[s].col = dead ? dead_strip : int(strip % strips_here) * strip_cols;
      blocks[i].strip[s].shift = dead ? 0 : int(strip / strips_here) * bits_per_cell;
    }
  }
  return blocks;
}

}  // namespace mcc
