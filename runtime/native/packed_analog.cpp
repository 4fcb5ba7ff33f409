#include "packed_analog.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <vector>

#include "levels.hpp"
#include "threads.hpp"

namespace mcc {

namespace {

constexpr int most_fraction = 14;
constexpr double least_variance = 0x1p-40;  // of a group, in squared digits: below, there is none
constexpr std::size_t cells_worth_a_thread = 50'000;
constexpr std::size_t units_of_block = 4;
constexpr std::size_t chunk_rows = analog_chunk_quads * quad_rows;

// The nearest whole number, of two the even one, below 2**31: the lowest bits of a sum in which a
// unit is the last place. Vectors have it everywhere.
[[gnu::always_inline]] inline std::int32_t rounded(double number) {
  return static_cast<std::int32_t>(std::bit_cast<std::int64_t>(number + 0x1.8p52));
}

MCC_BEST_BUILD void add_sizes(const float* from, std::size_t count, double* __restrict weight,
               double* __restrict chunk, double* __restrict group) {
  for (std::size_t sum = 0; sum < count; ++sum) {
    const double size = std::abs(double(from[sum]));
    weight[sum] = weight[sum] > size ? weight[sum] : size;
    chunk[sum] += size;
    group[sum] += size;
  }
}

// Returns how many are negative.
MCC_BEST_BUILD std::size_t add_variances(const float* from, std::size_t count, double* __restrict variance) {
  std::int32_t negative = 0;
  for (std::size_t sum = 0; sum < count; ++sum) {
    variance[sum] += from[sum];
    negative += !(from[sum] >= 0);
  }
  return std::size_t(negative);
}

MCC_BEST_BUILD void scale_row(const float* from, std::size_t count, double scale,
                              std::int32_t* __restrict numbers) {
  for (std::size_t sum = 0; sum < count; ++sum) numbers[sum] = rounded(from[sum] * scale);
}

// Of the rounded sums up to a row, the part of this row.
MCC_BEST_BUILD void scale_sums(const float* from, std::size_t count, double scale,
                               double* __restrict totals, std::int32_t* __restrict before,
                               std::int32_t* __restrict numbers) {
  for (std::size_t sum = 0; sum < count; ++sum) {
    totals[sum] += from[sum];
    const std::int32_t next = rounded(totals[sum] * scale);
    numbers[sum] = next - before[sum];
    before[sum] = next;
  }
}

double largest(const std::vector<double>& numbers) {
  return *std::max_element(numbers.begin(), numbers.end());
}

}  // namespace

template <class Run>
void PackedAnalog::each_block(std::size_t threads, const Run& run) const {
  const std::size_t worth = 1 + rows * sums / cells_worth_a_thread;
  run_tasks(blocks(), std::min({threads, worth, blocks()}),
            [&](std::size_t block, std::size_t) { run(block); });
}

PackedAnalog::PackedAnalog(const Matrix& matrix, const std::optional<Matrix>& spreads,
                           int slice_count, int bits, int active_rows, int dac,
                           const std::optional<Flags>& flipped, std::size_t threads)
    : rows(matrix.shape(0)), sums(matrix.shape(1)), bits_per_cell(bits), dac_bits(dac) {
  require(rows >= 1 && rows < 65536 && sums >= 1, "weights have no rows or too many, or no columns");
  require(slice_count >= 1 && sums % slice_count == 0, "weights are not whole slices");
  require(bits >= 1 && bits <= 8, "bits_per_cell must be 1 to 8");
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
  const Matrix* variances_of = spreads ? &*spreads : nullptr;
  std::vector<Bounds> found(blocks());
  each_block(threads, [&](std::size_t number) {
    found[number] = bounds(matrix, variances_of, block_of(number));
  });
  choose_scales(std::accumulate(found.begin(), found.end(), Bounds{}, wider));
  const std::size_t cells = units() * groups.count * groups.quads * quad_rows * unit_sums;
  weights = Aligned<std::int16_t>(cells);
  if (spreads) {
    variances = Aligned<std::int16_t>(cells);
    starts = Aligned<std::int32_t>(units() * groups.count * unit_sums);
  }
  each_block(threads, [&](std::size_t number) {
    pack_weights(matrix, block_of(number));
    if (spreads) pack_variances(*spreads, block_of(number));
  });
  if (flipped) pack_flips(*flipped);
}

std::size_t PackedAnalog::blocks() const {
  return (units() + units_of_block - 1) / units_of_block;
}

PackedAnalog::Block PackedAnalog::block_of(std::size_t number) const {
  const std::size_t unit = number * units_of_block, first = unit * sums_of_unit();
  return {unit, first, std::min(sums - first, units_of_block * sums_of_unit())};
}

std::size_t PackedAnalog::place_of_row(std::size_t row) const {
  const std::size_t group = row / groups.rows, within = row % groups.rows;
  const std::size_t start = group * groups.quads * quad_rows;
  if (by_quads()) return (start + within) * unit_sums;
  return (start + within / 2 * 2) * unit_sums + within % 2;
}

std::size_t PackedAnalog::place_of_sum(std::size_t group, std::size_t sum) const {
  const std::size_t unit = sum / sums_of_unit();
  return (unit * groups.count + group) * unit_sums + sum % sums_of_unit();
}

PackedAnalog::Bounds PackedAnalog::wider(const Bounds& a, const Bounds& b) {
  return {std::max(a.weight, b.weight), std::max(a.chunk, b.chunk), std::max(a.group, b.group),
          std::max(a.variance, b.variance), a.good && b.good};
}

PackedAnalog::Bounds PackedAnalog::bounds(const Matrix& matrix, const Matrix* spreads,
                                          const Block& block) const {
  Bounds found;
  const std::size_t count = block.count;
  std::vector<double> weight(count), chunk(count), group(count), variance(count);
  std::size_t negative = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t within = row % groups.rows;
    if (within % chunk_rows == 0) std::fill(chunk.begin(), chunk.end(), 0.0);
    if (within == 0) {
      std::fill(group.begin(), group.end(), 0.0);
      std::fill(variance.begin(), variance.end(), 0.0);
    }
    const float* from = matrix.data() + row * sums + block.first;
    add_sizes(from, count, weight.data(), chunk.data(), group.data());
    if (spreads)
      negative += add_variances(spreads->data() + row * sums + block.first, count, variance.data());
    const bool last = within + 1 == std::size_t(groups.rows) || row + 1 == rows;
    if (last || (within + 1) % chunk_rows == 0) found.chunk = std::max(found.chunk, largest(chunk));
    if (!last) continue;
    found.group = std::max(found.group, largest(group));
    found.variance = std::max(found.variance, largest(variance));
    for (const double total : group) found.good &= std::isfinite(total);
    for (const double total : variance) found.good &= std::isfinite(total);
  }
  found.weight = largest(weight);
  found.good &= negative == 0;
  return found;
}

// Weights, and by quads sums of 16 of them, must fit in 16 bits, sums of a group times drives in 32; so must
// sums of variances times squared drives.
void PackedAnalog::choose_scales(const Bounds& found) {
  require(found.good, "weights and variances must be finite, and variances not negative");
  const double drive = (1 << dac_bits) - 1;
  const double reach = 0x7fffffff / drive - groups.rows / 2.0;
  const double chunk = by_quads() ? (32767 - chunk_rows / 2.0) / found.chunk : 32766 / found.weight;
  const double limit = std::min(chunk, reach / found.group);
  fraction = std::isfinite(limit) ? std::min(std::ilogb(limit), most_fraction) : most_fraction;
  const double most = by_quads() ? 65535 : std::min(32767.0, std::floor(0x7fffffff / (drive * drive)));
  variance_scale = found.variance < least_variance ? 0 : most / found.variance;
}

void PackedAnalog::pack_weights(const Matrix& matrix, const Block& block) {
  const double scale = std::ldexp(1.0, fraction);
  std::vector<std::int32_t> numbers(block.count);
  for (std::size_t row = 0; row < rows; ++row) {
    const float* from = matrix.data() + row * sums + block.first;
    scale_row(from, block.count, scale, numbers.data());
    pack_row(numbers.data(), block, weights.data() + place_of_row(row));
  }
}

// Sums from the first row of a group on are rounded, not the variances alone, so that small ones
// do not vanish.
void PackedAnalog::pack_variances(const Matrix& matrix, const Block& block) {
  std::vector<double> totals(block.count);
  std::vector<std::int32_t> before(block.count), numbers(block.count);
  for (std::size_t row = 0; row < rows; ++row) {
    const float* from = matrix.data() + row * sums + block.first;
    scale_sums(from, block.count, variance_scale, totals.data(), before.data(), numbers.data());
    pack_row(numbers.data(), block, variances.data() + place_of_row(row));
    if ((row + 1) % groups.rows != 0 && row + 1 != rows) continue;
    for (std::size_t sum = 0; sum < block.count; ++sum)
      starts.data()[place_of_sum(row / groups.rows, block.first + sum)] = before[sum] << 15;
    std::fill(totals.begin(), totals.end(), 0.0);
    std::fill(before.begin(), before.end(), 0);
  }
}

// Spreads the numbers of a row over the units of a block. Cells are, by quads, [unit][group][row]
// [place in both halves, half]; by pairs, [unit][group][pair of rows][sum][row of pair].
void PackedAnalog::pack_row(const std::int32_t* numbers, const Block& block,
                            std::int16_t* to) const {
  const std::size_t unit_cells = groups.count * groups.quads * quad_rows * unit_sums;
  const std::size_t half_step = by_quads() ? 1 : unit_sums;
  std::int16_t* cells = to + block.unit * unit_cells;
  for (std::size_t first = 0; first < block.count; first += sums_of_unit(), cells += unit_cells) {
    const std::size_t left = std::min(block.count - first, sums_of_unit());
    for (std::size_t half = 0; half * half_sums < left; ++half) {
      const std::size_t start = half * half_sums, end = std::min<std::size_t>(left, start + half_sums);
      for (std::size_t sum = start; sum < end; ++sum)
        cells[(sum - start) * 2 + half * half_step] =
            static_cast<std::int16_t>(numbers[first + sum]);
    }
  }
}

void PackedAnalog::pack_flips(const Flags& flipped) {
  flips = Aligned<std::int32_t>(units() * groups.count * unit_sums);
  for (std::size_t group = 0; group < std::size_t(groups.count); ++group)
    for (std::size_t sum = 0; sum < sums; ++sum)
      flips.data()[place_of_sum(group, sum)] = flipped.data()[group * sums + sum] ? -1 : 0;
}

void PackedAnalog::set_staircases(const Converters& converter_of, const Matrix& breakpoints,
                                  const Codes& codes) {
  const std::size_t count = breakpoints.shape(0), steps = breakpoints.shape(1);
  require(converter_of.shape(0) == sums, "converter_of must have a converter for each column");
  require(steps >= 1 && steps < (1u << 24), "a converter needs breakpoints, less than 2**24");
  require(codes.shape(0) == count && codes.shape(1) == steps + 1,
          "codes must be one more than the breakpoints of each converter");
  converters_ = Aligned<std::int32_t>(units() * unit_sums);
  for (std::size_t sum = 0; sum < sums; ++sum) {
    const std::int32_t converter = converter_of.data()[sum];
    require(converter >= 0 && std::size_t(converter) < count, "there is no such converter");
    converters_.data()[sum / sums_of_unit() * unit_sums + sum % sums_of_unit()] = converter;
  }
  breakpoints_ = Aligned<float>(count * steps);
  codes_ = Aligned<std::int32_t>(count * (steps + 1));
  std::copy_n(breakpoints.data(), count * steps, breakpoints_.data());
  std::copy_n(codes.data(), count * (steps + 1), codes_.data());
  for (std::size_t converter = 0; converter < count; ++converter)
    require(std::is_sorted(breakpoints_.data() + converter * steps,
                           breakpoints_.data() + (converter + 1) * steps),
            "breakpoints must ascend");
  steps_ = static_cast<int>(steps);
}

}  // namespace mcc
