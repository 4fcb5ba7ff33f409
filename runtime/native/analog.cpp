// The analog product: the plan of a call, its tasks, and the borders to Python.
#include "analog.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "arrays.hpp"
#include "levels.hpp"
#include "packed_analog.hpp"
#include "threads.hpp"

namespace nb = nanobind;

namespace mcc {

AnalogKernel analog_kernel_of(Level level) {
  switch (level) {
#ifdef MCC_X86
    case Level::avx512:
      return avx512::analog_kernel();
    case Level::avx2:
      return avx2::analog_kernel();
#endif
    default:
      return portable::analog_kernel();
  }
}

namespace {

constexpr std::size_t fewest_inputs = 64;  // below, making the tables would show
constexpr std::size_t most_inputs = 128;
constexpr std::size_t drives_of_pairs = 32;  // inputs times phases
constexpr std::size_t products_worth_a_thread = 400'000;

struct Settings {
  int input_bits;
  bool sign_magnitude;
  int shift;
  int low;
  int high;
  double noise_variance;
};

// The phases of `mcc.ir.hardware.phases`.
void set_phases(AnalogPlan& plan, const Settings& settings, int dac_bits, bool is_signed) {
  const bool two = is_signed && !settings.sign_magnitude;
  const int plain = two ? settings.input_bits - 1 : settings.input_bits;
  plan.signed_drive = is_signed && settings.sign_magnitude;
  for (int low = 0; low < plain; low += dac_bits) {
    const int bits = std::min(dac_bits, plain - low);
    plan.phases[plan.phase_count++] = {low, (1 << bits) - 1, low + settings.shift, false};
  }
  if (two) plan.phases[plan.phase_count++] = {plain, 1, plain + settings.shift, true};
}

AnalogPlan plan_of(const PackedAnalog& packed, const Settings& settings, bool is_signed) {
  AnalogPlan plan{};
  plan.groups = packed.groups;
  plan.units = static_cast<int>(packed.units());
  for (int sum = 0; sum < unit_sums; ++sum)
    plan.lifts[sum] = sum % int(packed.slices) * packed.bits_per_cell;
  set_phases(plan, settings, packed.dac_bits, is_signed);
  plan.variances = packed.variance_scale > 0 ? packed.variances.data() : nullptr;
  plan.noisy = plan.variances || settings.noise_variance > 0;
  const double squared = std::ldexp(1 / read_variance(), -2 * settings.shift);
  plan.step = static_cast<float>(std::ldexp(1.0, -settings.shift - packed.fraction));
  plan.spread = plan.variances ? static_cast<float>(squared / packed.variance_scale) : 0.0f;
  plan.extra = static_cast<float>(squared * settings.noise_variance);
  plan.low = static_cast<float>(settings.low);
  plan.high = static_cast<float>(settings.high);
  plan.digit = (1 << packed.bits_per_cell) - 1;
  plan.weights = packed.weights.data();
  plan.starts = packed.starts.data();
  plan.flips = packed.flips.data();
  plan.staircases = packed.staircases();
  return plan;
}

// The memory of one thread.
class Worker {
 public:
  Worker(const PackedAnalog& packed, const AnalogPlan& plan, std::size_t inputs)
      : readings_(inputs),
        inputs_(inputs * plan.groups.count),
        totals_(inputs * unit_sums),
        codes_(2 * std::size_t(plan.groups.quads) * quad_rows + quad_slack) {
    const std::size_t quads = plan.groups.quads, drives = inputs * plan.phase_count;
    if (packed.by_quads()) {
      indices_ = Aligned<std::uint8_t>(plan.groups.count * drives * (plan.signed_drive ? 2 : 1) * quads +
                                       quad_slack);
      tables_ = Aligned<std::uint8_t>(quads * table_places * 2 * entry_bytes);
      return;
    }
    const std::size_t driven = plan.groups.count * drives * quads * quad_rows + quad_slack;
    drives_ = Aligned<std::int16_t>(driven);
    squares_ = Aligned<std::int16_t>(driven);
    sums_ = Aligned<std::int32_t>(drives * unit_sums);
    variances_ = Aligned<std::int32_t>(drives * unit_sums);
  }

  AnalogScratch scratch() const {
    return {readings_.data(), inputs_.data(), codes_.data(), indices_.data(), tables_.data(),
            drives_.data(),   squares_.data(), sums_.data(), variances_.data()};
  }
  Reading* readings() const { return readings_.data(); }
  std::int32_t* totals() const { return totals_.data(); }

 private:
  Aligned<Reading> readings_;
  Aligned<std::int32_t> inputs_, totals_;
  Aligned<std::uint8_t> codes_, indices_, tables_;
  Aligned<std::int16_t> drives_, squares_;
  Aligned<std::int32_t> sums_, variances_;
};

void add_slices(const std::int32_t* totals, std::size_t cols, std::size_t slices,
                std::int32_t* sums) {
  if (slices == 1) std::copy_n(totals, cols, sums);
  for (std::size_t col = 0; slices > 1 && col < cols; ++col) {
    std::int32_t sum = 0;
    for (std::size_t slice = 0; slice < slices; ++slice) sum += *totals++;
    sums[col] = sum;
  }
}

// A call: its tasks are some inputs times some units.
class Product {
 public:
  Product(const PackedAnalog& packed, const AnalogPlan& plan, const Codes& codes,
          std::uint32_t sample, const AnalogKernel& kernel)
      : packed_(packed), plan_(plan), codes_(codes), sample_(sample), kernel_(kernel) {}

  void run(std::size_t threads, std::int32_t* result) const {
    if (codes_.batch == 0) return;
    const std::size_t share = (codes_.batch + threads - 1) / threads;
    const std::size_t most = packed_.by_quads()
                                 ? std::clamp(share, fewest_inputs, most_inputs)
                                 : std::max<std::size_t>(1, drives_of_pairs / plan_.phase_count);
    const std::size_t inputs = std::min(most, codes_.batch);
    const std::size_t slabs = (codes_.batch + inputs - 1) / inputs;
    const std::size_t parts = std::min(packed_.units(), (threads + slabs - 1) / slabs);
    threads = std::min(threads, slabs * parts);
    std::vector<Worker> workers;
    for (std::size_t i = 0; i < threads; ++i) workers.emplace_back(packed_, plan_, inputs);
    run_tasks(slabs * parts, threads, [&](std::size_t task, std::size_t worker) {
      const std::size_t first = task / parts * inputs, part = task % parts;
      const std::size_t count = std::min(inputs, codes_.batch - first);
      prepare(first, count, workers[worker]);
      const std::size_t end = packed_.units() * (part + 1) / parts;
      for (std::size_t unit = packed_.units() * part / parts; unit < end; ++unit)
        add_unit(unit, first, count, workers[worker], result);
    });
  }

 private:
  void prepare(std::size_t first, std::size_t count, const Worker& worker) const {
    for (std::size_t i = 0; i < count; ++i)
      worker.readings()[i] = {
          sample_ + static_cast<std::uint32_t>((first + i) / plan_.positions),
          static_cast<std::uint32_t>((first + i) % plan_.positions)};
    const AnalogInputs inputs{codes_.data + std::int64_t(first) * codes_.batch_stride,
                              codes_.batch_stride, codes_.row_stride, codes_.is_signed, int(count)};
    (packed_.by_quads() ? kernel_.prepare_quads : kernel_.prepare_pairs)(plan_, inputs,
                                                                         worker.scratch());
  }

  void add_unit(std::size_t unit, std::size_t first, std::size_t count, const Worker& worker,
                std::int32_t* result) const {
    std::int32_t* totals = worker.totals();
    std::fill_n(totals, count * unit_sums, 0);
    const std::size_t start = unit * packed_.sums_of_unit(), slices = packed_.slices;
    const std::size_t sums = std::min(packed_.sums - start, packed_.sums_of_unit());
    const AddUnit add = packed_.by_quads() ? kernel_.add_quads : kernel_.add_pairs;
    add(plan_, int(unit), int(sums), int(count), worker.scratch(), totals);
    for (std::size_t input = 0; input < count; ++input, totals += unit_sums)
      add_slices(totals, sums / slices, slices,
                 result + (first + input) * packed_.cols() + start / slices);
  }

  const PackedAnalog& packed_;
  const AnalogPlan& plan_;
  const Codes& codes_;
  std::uint32_t sample_;  // the first
  const AnalogKernel& kernel_;
};

nb::object product(const Array& array, const PackedAnalog& packed, int input_bits,
                   bool sign_magnitude, int shift, int low, int high, double noise_variance,
                   std::uint64_t seed, std::uint32_t place, std::uint32_t event,
                   std::uint32_t sample, std::size_t positions, int threads,
                   const std::optional<std::string>& level) {
  const Codes codes = codes_of(array, packed.rows);
  require(input_bits >= 1 && input_bits <= 8, "input_bits must be 1 to 8");
  require(shift >= 0 && shift <= 24, "shift must be 0 to 24");
  require(low <= 0 && high >= 0 && high < (1 << 24) && low >= -(1 << 24), "no such converter");
  require(noise_variance >= 0 && std::isfinite(noise_variance),
          "noise_variance must be finite and not negative");
  require(positions >= 1 && threads >= 1, "positions and threads must be at least 1");
  const double reads = double(positions) * packed.groups.count * input_bits;
  require(reads / reads_of_draw * packed.units() * half_sums < 4294967296.0 && reads < 4294967296.0,
          "a sample has too many positions to number its noise");
  AnalogPlan plan =
      plan_of(packed, {input_bits, sign_magnitude, shift, low, high, noise_variance},
              codes.is_signed);
  plan.noise = address_of(seed, place, event);
  plan.positions = static_cast<std::uint32_t>(positions);
  const AnalogKernel kernel = analog_kernel_of(choose_level(level));
  Sums sums(codes.batch, packed.cols());
  {
    nb::gil_scoped_release release;
    const std::size_t worth =
        1 + codes.batch * packed.rows * packed.sums * plan.phase_count / products_worth_a_thread;
    Product(packed, plan, codes, sample, kernel)
        .run(std::min<std::size_t>(threads, worth), sums.items.get());
  }
  return sums.release();
}

template <class Item>
nb::object drawn(Draw<Item> AnalogKernel::*draw, std::uint64_t seed, std::uint32_t place,
                 std::uint32_t event, std::uint32_t sample, std::uint32_t first, std::size_t count,
                 const std::optional<std::string>& level) {
  require(count < (std::size_t(1) << 32), "there are only 2**32 counters");
  const std::size_t shape[2] = {count, 4};
  auto items = std::make_unique<Item[]>(4 * count + 1);
  const AnalogKernel kernel = analog_kernel_of(choose_level(level));
  (kernel.*draw)(address_of(seed, place, event), sample, first, count, items.get());
  Item* data = items.get();
  nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<Item*>(p); });
  items.release();
  return nb::cast(nb::ndarray<nb::numpy, Item, nb::ndim<2>>(data, 2, shape, owner));
}

template <class Item, Draw<Item> AnalogKernel::*draw>
void bind_draw(nb::module_& module, const char* name) {
  using namespace nb::literals;
  module.def(
      name,
      [](std::uint64_t seed, std::uint32_t place, std::uint32_t event, std::uint32_t sample,
         std::uint32_t first, std::size_t count, const std::optional<std::string>& level) {
        return drawn<Item>(draw, seed, place, event, sample, first, count, level);
      },
      nb::kw_only(), "seed"_a, "place"_a, "event"_a, "sample"_a, "first"_a, "count"_a,
      "level"_a = nb::none());
}

}  // namespace

}  // namespace mcc

void bind_analog(nb::module_& module) {
  using namespace nb::literals;
  using mcc::PackedAnalog;
  nb::class_<PackedAnalog>(module, "PackedAnalog")
      .def_ro("rows", &PackedAnalog::rows)
      .def_prop_ro("cols", &PackedAnalog::cols)
      .def_prop_ro("groups", [](const PackedAnalog& packed) { return packed.groups.count; })
      .def_ro("fraction", &PackedAnalog::fraction)
      .def_ro("variance_scale", &PackedAnalog::variance_scale)
      .def_prop_ro("nbytes", &PackedAnalog::nbytes);
  module.def(
      "pack_analog",
      [](const PackedAnalog::Matrix& weights, const std::optional<PackedAnalog::Matrix>& variances,
         int slices, int bits_per_cell, int active_rows, int dac_bits,
         const std::optional<PackedAnalog::Flags>& flipped,
         const std::optional<PackedAnalog::Converters>& converter_of,
         const std::optional<PackedAnalog::Matrix>& breakpoints,
         const std::optional<PackedAnalog::Codes>& codes, int threads) {
        mcc::require(threads >= 1, "threads must be at least 1");
        PackedAnalog packed(weights, variances, slices, bits_per_cell, active_rows, dac_bits,
                            flipped, threads);
        const bool all = converter_of && breakpoints && codes;
        mcc::require(all || !(converter_of || breakpoints || codes),
                     "converter_of, breakpoints and codes come together");
        if (all) packed.set_staircases(*converter_of, *breakpoints, *codes);
        return packed;
      },
      "weights"_a.noconvert(), "variances"_a.noconvert().none(), nb::kw_only(), "slices"_a,
      "bits_per_cell"_a, "active_rows"_a, "dac_bits"_a, "flipped"_a.noconvert() = nb::none(),
      "converter_of"_a.noconvert() = nb::none(), "breakpoints"_a.noconvert() = nb::none(),
      "codes"_a.noconvert() = nb::none(), "threads"_a = 1);
  module.def("analog_product", &mcc::product, "codes"_a.noconvert(), "tile"_a, nb::kw_only(),
             "input_bits"_a, "sign_magnitude"_a, "shift"_a, "low"_a, "high"_a,
             "noise_variance"_a = 0.0, "seed"_a = 0, "place"_a = 0, "event"_a = 0, "sample"_a = 0,
             "positions"_a = 1, "threads"_a = 1, "level"_a = nb::none());
  mcc::bind_draw<std::uint32_t, &mcc::AnalogKernel::words>(module, "random_words");
  mcc::bind_draw<float, &mcc::AnalogKernel::normals>(module, "random_normals");
  mcc::bind_draw<std::int32_t, &mcc::AnalogKernel::read_normals>(module, "read_normals");
}
