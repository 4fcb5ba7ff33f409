// The product of a crossbar with real converters: the plan of a call, its tasks, and its binding.
#include "bit_planes.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>

#include "arrays.hpp"
#include "levels.hpp"
#include "packed_digits.hpp"
#include "threads.hpp"

namespace nb = nanobind;

namespace mcc {

namespace {

constexpr std::size_t fewest_inputs = 64;  // below, making the tables would show
constexpr std::size_t most_inputs = 256;
constexpr std::size_t digits_worth_a_thread = 400'000;  // digit products of one bit plane

struct Settings {
  int input_bits;
  int dac_bits;
  bool sign_magnitude;
  int shift;
  std::int64_t low;
  std::int64_t high;
};

void check(const Settings& settings, int threads) {
  constexpr std::int64_t reach = std::int64_t(1) << 30;
  require(settings.input_bits >= 1 && settings.input_bits <= 8, "input_bits must be 1 to 8");
  require(settings.dac_bits >= 1 && settings.dac_bits <= 8, "dac_bits must be 1 to 8");
  require(settings.shift >= 0 && settings.shift <= 30, "shift must be 0 to 30");
  require(settings.low <= settings.high, "low must not be above high");
  require(settings.low >= -reach && settings.high <= reach, "codes must be within 2**30");
  require(threads >= 1, "threads must be at least 1");
}

// Adds the bits that codes drive to `used`, and the bits above those of a code to `over`.
[[gnu::always_inline]] inline void collect(const std::uint8_t* from, std::int64_t stride,
                                           std::size_t rows, bool is_signed, bool magnitude,
                                           std::uint8_t& used, std::uint8_t& over) {
  std::uint8_t driven = 0, above = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::uint8_t code = from[std::int64_t(row) * stride];
    const std::uint8_t below = is_signed && code > 127 ? 0xff : 0;
    driven |= magnitude ? std::uint8_t((code ^ below) - below) : code;
    above |= code ^ below;
  }
  used |= driven;
  over |= above;
}

// The bits that any input drives. Refuses codes that do not fit in input_bits.
unsigned used_bits(const Codes& codes, const Settings& settings) {
  const unsigned mask = (1u << settings.input_bits) - 1;
  const unsigned above = ~(codes.is_signed ? mask >> 1 : mask);
  std::uint8_t used = 0, over = 0;
  for (std::size_t input = 0; input < codes.batch; ++input) {
    const std::uint8_t* from = codes.data + std::int64_t(input) * codes.batch_stride;
    const bool magnitude = codes.is_signed && settings.sign_magnitude;
    if (codes.row_stride == 1)
      collect(from, 1, codes.rows, codes.is_signed, magnitude, used, over);
    else
      collect(from, codes.row_stride, codes.rows, codes.is_signed, magnitude, used, over);
  }
  require((over & above) == 0, "a code does not fit in input_bits");
  return used & mask;
}

struct PlannedPhase {
  int low_bit;
  int bits;
  bool negative;
};

// The phases that drive anything, the highest first.
std::vector<PlannedPhase> driven_phases(const Settings& settings, bool twos_complement,
                                        unsigned used, bool zero_is_zero) {
  std::vector<PlannedPhase> found;
  const int plain = twos_complement ? settings.input_bits - 1 : settings.input_bits;
  for (int bit = 0; bit < plain; bit += settings.dac_bits)
    found.push_back({bit, std::min(settings.dac_bits, plain - bit), false});
  if (twos_complement) found.push_back({plain, 1, true});
  std::reverse(found.begin(), found.end());
  if (zero_is_zero)
    std::erase_if(found, [&](const PlannedPhase& phase) {
      return (used >> phase.low_bit & ((1u << phase.bits) - 1)) == 0;
    });
  return found;
}

// The lanes, and the range of codes that can occur in them.
std::int64_t plan_converter(BitPlanePlan& plan, const Settings& settings, std::int64_t largest) {
  const std::int64_t half = settings.shift ? std::int64_t(1) << (settings.shift - 1) : 0;
  const std::int64_t top = (largest + half) >> settings.shift;
  const std::int64_t low = std::clamp(-top, settings.low, settings.high);
  const std::int64_t high = std::clamp(top, settings.low, settings.high);
  const std::int64_t reach = std::max(std::abs(low), std::abs(high));
  plan.wide = largest + half > 32767 || reach > 32767 || settings.shift > 15;
  plan.converter = {settings.shift, int(half), int(4 * half - 1), int(low), int(high)};
  return reach;
}

// How accumulated codes move from phase to phase, and when they would no longer fit.
void plan_phases(BitPlanePlan& plan, const std::vector<PlannedPhase>& phases, std::int64_t reach) {
  const std::int64_t limit = plan.wide ? (std::int64_t(1) << 31) - 1 : 32767;
  std::int64_t total = 0;
  for (std::size_t i = 0; i < phases.size(); ++i) {
    const auto& phase = phases[i];
    int lift = i == 0 ? 0 : phases[i - 1].low_bit - phase.low_bit;
    if (i > 0 && (total << lift) + reach > limit) {
      plan.phases[i - 1].flush = true;
      total = lift = 0;
    }
    total = (total << lift) + reach;
    plan.phases[i] = {phase.bits, lift, phase.negative, i + 1 == phases.size(), phase.low_bit};
    for (int bit = phase.bits - 1; bit >= 0; --bit) {
      plan.slots[plan.slot_count++] = {phase.low_bit + bit, false};
      if (plan.signed_drive) plan.slots[plan.slot_count++] = {phase.low_bit + bit, true};
    }
  }
  plan.phase_count = int(phases.size());
}

// A size of chunks that the kernels have a build for, or else equal chunks.
int chunk_size(int quads, int most) {
  for (const int size : {16, 8, 4})
    if (size <= most && quads % size == 0) return size;
  const int chunks = (quads + most - 1) / most;
  return (quads + chunks - 1) / chunks;
}

BitPlanePlan plan_of(const Codes& codes, const PackedDigits& weights, const Settings& settings) {
  BitPlanePlan plan{};
  plan.groups = weights.groups;
  plan.signed_drive = codes.is_signed && settings.sign_magnitude;
  const bool zero_is_zero = settings.low <= 0 && settings.high >= 0;
  const auto phases = driven_phases(settings, codes.is_signed && !settings.sign_magnitude,
                                    used_bits(codes, settings), zero_is_zero);
  int planes = 1;
  for (const auto& phase : phases) planes = std::max(planes, phase.bits);
  const int digit = std::max({weights.highest, -weights.lowest, 1});
  const std::int64_t largest =
      std::int64_t(weights.active_rows) * digit * ((1 << planes) - 1);
  plan_phases(plan, phases, plan_converter(plan, settings, largest));
  plan.lowest_digit = weights.lowest;
  const int span = plan.signed_drive ? 2 * digit : std::max(weights.highest - weights.lowest, 1);
  plan.chunk_quads = chunk_size(weights.groups.quads, 255 / (quad_rows * span));
  plan.chunk_start = plan.signed_drive ? plan.chunk_quads * quad_rows * digit : 0;
  return plan;
}

BitPlaneKernel kernel_of(Level level) {
  switch (level) {
#ifdef MCC_X86
    case Level::avx512:
      return avx512::bit_plane_kernel();
    case Level::avx2:
      return avx2::bit_plane_kernel();
#endif
    default:
      return portable::bit_plane_kernel();
  }
}

// The memory of one thread.
struct Scratch {
  Scratch(const BitPlanePlan& plan, std::size_t inputs)
      : codes(2 * plan.groups.quads * quad_rows + quad_slack),
        indices(std::size_t(plan.groups.count) * inputs * plan.slot_count * plan.groups.quads +
                quad_slack),
        tables(std::size_t(plan.groups.quads) * table_bytes),
        sums(inputs * lanes) {}
  BitPlaneScratch view() const { return {codes.data(), indices.data(), tables.data()}; }
  Aligned<std::uint8_t> codes, indices, tables;
  Aligned<std::int32_t> sums;
};

// Adds what flipped columns lack: their largest digit for every unit of input.
void add_corrections(const PackedDigits& weights, const Codes& codes, std::size_t input,
                     std::size_t col, std::int32_t* sums) {
  const std::uint8_t* from = codes.data + std::int64_t(input) * codes.batch_stride;
  for (std::size_t group = 0; group < std::size_t(weights.groups.count); ++group) {
    const std::size_t first = group * weights.active_rows;
    const std::size_t last = std::min(first + weights.active_rows, weights.rows);
    std::int32_t total = 0;
    for (std::size_t row = first; row < last; ++row) {
      const std::uint8_t code = from[std::int64_t(row) * codes.row_stride];
      total += codes.is_signed ? static_cast<std::int8_t>(code) : code;
    }
    const std::int32_t* missing = weights.corrections() + group * weights.padded_cols() + col;
    for (int lane = 0; lane < lanes; ++lane) sums[lane] += total * missing[lane];
  }
}

void multiply(const Codes& codes, const PackedDigits& weights, const BitPlanePlan& plan,
              const BitPlaneKernel& kernel, std::size_t threads, std::int32_t* result) {
  const std::size_t share = (codes.batch + threads - 1) / threads;
  const std::size_t inputs = std::min(std::clamp(share, fewest_inputs, most_inputs), codes.batch);
  const std::size_t slabs = (codes.batch + inputs - 1) / inputs;
  const std::size_t parts = std::min(weights.column_blocks(), (threads + slabs - 1) / slabs);
  threads = std::min(threads, slabs * parts);
  std::vector<Scratch> scratches;
  for (std::size_t i = 0; i < threads; ++i) scratches.emplace_back(plan, inputs);
  std::vector<std::vector<LaneBlock>> blocks;
  for (std::size_t i = 0; i < weights.column_blocks(); ++i)
    blocks.push_back(weights.lane_blocks(i));
  run_tasks(slabs * parts, threads, [&](std::size_t task, std::size_t worker) {
    const Scratch& scratch = scratches[worker];
    const std::size_t first = task / parts * inputs, part = task % parts;
    const std::size_t count = std::min(inputs, codes.batch - first);
    kernel.prepare(plan,
                   {codes.data + std::int64_t(first) * codes.batch_stride, codes.batch_stride,
                    codes.row_stride, int(count)},
                   scratch.view());
    const std::size_t end = blocks.size() * (part + 1) / parts;
    for (std::size_t i = blocks.size() * part / parts; i < end; ++i) {
      std::int32_t* sums = scratch.sums.data();
      std::fill_n(sums, count * lanes, 0);
      for (const LaneBlock& block : blocks[i])
        kernel.add(plan, block, int(count), scratch.view(), sums, lanes);
      const std::size_t left = std::min<std::size_t>(weights.cols - i * lanes, lanes);
      for (std::size_t input = 0; input < count; ++input, sums += lanes) {
        if (weights.corrections()) add_corrections(weights, codes, first + input, i * lanes, sums);
        std::copy_n(sums, left, result + (first + input) * weights.cols + i * lanes);
      }
    }
  });
}

nb::object bit_plane_product(const Array& array, const PackedDigits& weights, int input_bits,
                             int dac_bits, bool sign_magnitude, int shift, std::int64_t low,
                             std::int64_t high, int threads,
                             const std::optional<std::string>& level) {
  const Codes codes = codes_of(array, weights.rows);
  const Settings settings{input_bits, dac_bits, sign_magnitude, shift, low, high};
  check(settings, threads);
  const BitPlaneKernel kernel = kernel_of(choose_level(level));
  Sums sums(codes.batch, weights.cols);
  if (codes.batch > 0) {
    nb::gil_scoped_release unlocked;
    const BitPlanePlan plan = plan_of(codes, weights, settings);
    const std::size_t products = codes.batch * weights.rows * weights.cols * weights.slices;
    const std::size_t worth = 1 + products * plan.slot_count / digits_worth_a_thread;
    multiply(codes, weights, plan, kernel, std::min<std::size_t>(threads, worth),
             sums.items.get());
  }
  return sums.release();
}

}  // namespace

}  // namespace mcc

void bind_bit_planes(nb::module_& module) {
  using mcc::PackedDigits;
  nb::class_<PackedDigits>(module, "PackedDigits",
                           "Digits of a tile, made ready for `bit_plane_product`.")
      .def_ro("rows", &PackedDigits::rows, "Rows of the tile.")
      .def_ro("cols", &PackedDigits::cols, "Columns of weights.")
      .def_ro("slices", &PackedDigits::slices, "Digits of a weight.")
      .def_ro("active_rows", &PackedDigits::active_rows, "Rows of one analog sum.")
      .def_prop_ro("nbytes", &PackedDigits::nbytes, "Bytes that the packed digits take.");
  module.def(
      "pack_digits",
      [](const mcc::Array& digits, int bits_per_cell, std::int64_t active_rows,
         const std::optional<mcc::Array>& flipped) {
        return PackedDigits(digits, bits_per_cell, active_rows, flipped);
      },
      nb::arg("digits").noconvert(), nb::kw_only(), nb::arg("bits_per_cell"),
      nb::arg("active_rows"), nb::arg("flipped").noconvert() = nb::none(),
      "Make the digits of a tile ready for `bit_plane_product`.");
  module.def("bit_plane_product", &mcc::bit_plane_product, nb::arg("codes").noconvert(),
             nb::arg("weights"), nb::kw_only(), nb::arg("input_bits"), nb::arg("dac_bits"),
             nb::arg("sign_magnitude"), nb::arg("shift"), nb::arg("low"), nb::arg("high"),
             nb::arg("threads") = 1, nb::arg("level") = nb::none(),
             "Multiply as a crossbar does, with one conversion per row group, slice, phase and "
             "column.");
}
