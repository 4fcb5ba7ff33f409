#include "packed_analog.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace mcc {

namespace {

constexpr int most_fraction = 14;
constexpr double least_variance = 0x1p-40;  // of a group, in squared digits: below, there is none
constexpr std::size_t chunk_rows = analog_chunk_quads * quad_rows;

double largest(const std::vector<double>& numbers) {
  return *std::max_element(numbers.begin(), numbers.end());
}

}  // namespace

PackedAnalog::PackedAnalog(const Matrix& matrix, const std::optional<Matrix>& spreads,
                           int slice_count, int bits, int active_rows, int dac,
                           const std::optional<Flags>& flipped)
    : rows(matrix.shape(0)), sums(matrix.shape(1)), bits_per_cell(bits), dac_bits(dac) {
  require(rows >= 1 && rows < 65536 && sums >= 1, "weights have no rows or too many, or no columns");
  require(slice_count >= 1 && sums % slice_count == 0, "weights are not whole slices");
  require(bits >= 1 && bits <= 4, "bits_per_cell must be 1 to 4");
  require(bits * slice_count <= 31, "the digits of a weight must have at most 31 bits together");
  require(active_rows >= 1, "active_rows must be at least 1");
  require(dac >= 1 && dac <= 8, "dac_bits must be 1 to 8");
  slices = slice_count;
  const std::size_t full = std::min<std::size_t>(active_rows, rows);
  const std::size_t count = (rows + full - 1) / full, last = rows - (count - 1) * full;
  groups = {int(count), int(full), int(last), int((full + quad_rows - 1) / quad_rows),
            int((last + quad_rows - 1) / quad_rows)};
  if (spreads)
    require(spreads->shape(0) == rows && spreads->shape(1) == sums,
            "variances must have the shape of the weights");
  if (flipped)
    require(flipped->shape(0) == count && flipped->shape(1) == sums,
            "flipped must be (groups, columns)");
  choose_scales(bounds(matrix, spreads));
  pack_weights(matrix);
  if (spreads) pack_variances(*spreads);
  if (flipped) pack_flips(*flipped);
}

// Where a cell is, by quads: [unit][group][row][column]; by pairs: [unit][group][pair of rows]
// [even, odd][row of pair].
std::size_t PackedAnalog::place_of(std::size_t row, std::size_t sum) const {
  const std::size_t col = sum / slices % unit_cols;
  const std::size_t unit = sum / slices / unit_cols * slices + sum % slices;
  const std::size_t group = row / groups.rows, within = row % groups.rows;
  const std::size_t start = (unit * groups.count + group) * groups.quads * quad_rows;
  if (by_quads()) return (start + within) * unit_cols + col;
  return (start + within / 2 * 2) * unit_cols + (col % 2 * unit_pairs + col / 2) * 2 + within % 2;
}

std::size_t PackedAnalog::place_of_sum(std::size_t group, std::size_t sum) const {
  const std::size_t col = sum / slices % unit_cols;
  const std::size_t unit = sum / slices / unit_cols * slices + sum % slices;
  return (unit * groups.count + group) * unit_cols + col % 2 * unit_pairs + col / 2;
}

PackedAnalog::Bounds PackedAnalog::bounds(const Matrix& matrix,
                                          const std::optional<Matrix>& spreads) const {
  Bounds found;
  std::vector<double> chunk(sums), group(sums), variance(sums);
  bool good = true;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t within = row % groups.rows;
    if (within % chunk_rows == 0) std::fill(chunk.begin(), chunk.end(), 0.0);
    if (within == 0) {
      std::fill(group.begin(), group.end(), 0.0);
      std::fill(variance.begin(), variance.end(), 0.0);
    }
    for (std::size_t sum = 0; sum < sums; ++sum) {
      const double weight = std::abs(double(matrix.data()[row * sums + sum]));
      found.weight = std::max(found.weight, weight);
      chunk[sum] += weight;
      group[sum] += weight;
      const double spread = spreads ? spreads->data()[row * sums + sum] : 0;
      good &= spread >= 0;
      variance[sum] += spread;
    }
    found.chunk = std::max(found.chunk, largest(chunk));
    found.group = std::max(found.group, largest(group));
    found.variance = std::max(found.variance, largest(variance));
    for (const double total : group) good &= std::isfinite(total);
  }
  require(good && std::isfinite(found.variance), "weights and variances must be finite, "
          "and variances not negative");
  return found;
}

// Weights, and by quads sums of 16 of them, must fit in 16 bits, sums of a group times drives in 32; so must
// sums of variances times squared drives.
void PackedAnalog::choose_scales(const Bounds& found) {
  const double drive = (1 << dac_bits) - 1;
  const double reach = 0x7fffffff / drive - groups.rows / 2.0;
  const double chunk = by_quads() ? (32767 - chunk_rows / 2.0) / found.chunk : 32766 / found.weight;
  const double limit = std::min(chunk, reach / found.group);
  fraction = std::isfinite(limit) ? std::min(std::ilogb(limit), most_fraction) : most_fraction;
  const double most = by_quads() ? 65535 : std::min(32767.0, std::floor(0x7fffffff / (drive * drive)));
  variance_scale = found.variance < least_variance ? 0 : most / found.variance;
}

void PackedAnalog::pack_weights(const Matrix& matrix) {
  weights = Aligned<std::int16_t>(units() * groups.count * groups.quads * quad_rows * unit_cols);
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t sum = 0; sum < sums; ++sum)
      weights.data()[place_of(row, sum)] = static_cast<std::int16_t>(
          std::nearbyint(std::ldexp(double(matrix.data()[row * sums + sum]), fraction)));
}

// Sums from the first row of a group on are rounded, not the variances alone, so that small ones
// do not vanish.
void PackedAnalog::pack_variances(const Matrix& matrix) {
  variances = Aligned<std::int16_t>(units() * groups.count * groups.quads * quad_rows * unit_cols);
  starts = Aligned<std::int32_t>(units() * groups.count * unit_cols);
  std::vector<double> totals(sums), rounded(sums);
  for (std::size_t row = 0; row < rows; ++row) {
    if (row % groups.rows == 0) {
      std::fill(totals.begin(), totals.end(), 0.0);
      std::fill(rounded.begin(), rounded.end(), 0.0);
    }
    for (std::size_t sum = 0; sum < sums; ++sum) {
      totals[sum] += matrix.data()[row * sums + sum];
      const double next = std::nearbyint(totals[sum] * variance_scale);
      const auto part = static_cast<std::int32_t>(next - rounded[sum]);
      rounded[sum] = next;
      variances.data()[place_of(row, sum)] = static_cast<std::int16_t>(part);
      starts.data()[place_of_sum(row / groups.rows, sum)] += part << 15;
    }
  }
}

void PackedAnalog::pack_flips(const Flags& flipped) {
  flips = Aligned<std::int32_t>(units() * groups.count * unit_cols);
  for (std::size_t group = 0; group < std::size_t(groups.count); ++group)
    for (std::size_t sum = 0; sum < sums; ++sum)
      flips.data()[place_of_sum(group, sum)] = flipped.data()[group * sums + sum] ? -1 : 0;
}

}  // namespace mcc
