// The analog product: packing of a tile, choice of the level, threads, and the borders to Python.
#include "analog.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <vector>

#include "arrays.hpp"
#include "levels.hpp"
#include "threads.hpp"

namespace nb = nanobind;

namespace mcc {

namespace {

constexpr int block_inputs = 16;

struct PackedAnalog {
  int rows;
  int sums;
  int strips;
  int slices;
  int bits_per_cell;
  int group_rows;
  int groups;
  bool noisy;
  bool flipped;
  Aligned<float> weights;
  Aligned<float> variances;
  Aligned<std::int32_t> flips;

  std::size_t nbytes() const { return weights.nbytes() + variances.nbytes() + flips.nbytes(); }
};

using Matrix = nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Flags = nb::ndarray<const bool, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

Aligned<float> pack_matrix(const Matrix& matrix, int strips) {
  const int rows = static_cast<int>(matrix.shape(0)), sums = static_cast<int>(matrix.shape(1));
  Aligned<float> packed(std::size_t(strips) * rows * analog_lanes);
  for (int row = 0; row < rows; ++row)
    for (int sum = 0; sum < sums; ++sum)
      packed.data()[(std::size_t(sum / analog_lanes) * rows + row) * analog_lanes +
                    sum % analog_lanes] = matrix.data()[std::size_t(row) * sums + sum];
  return packed;
}

PackedAnalog pack(const Matrix& weights, const std::optional<Matrix>& variances, int slices,
                  int bits_per_cell, int active_rows, const std::optional<Flags>& flipped) {
  require(weights.shape(0) < 65536, "weights have too many rows");
  require(slices >= 1 && weights.shape(1) % slices == 0, "weights are not whole slices");
  require(bits_per_cell >= 1 && bits_per_cell <= 4, "bits_per_cell must be 1 to 4");
  require(active_rows >= 1, "active_rows must be at least 1");
  PackedAnalog packed{};
  packed.rows = static_cast<int>(weights.shape(0));
  packed.sums = static_cast<int>(weights.shape(1));
  packed.strips = (packed.sums + analog_lanes - 1) / analog_lanes;
  packed.slices = slices;
  packed.bits_per_cell = bits_per_cell;
  packed.group_rows = std::min(active_rows, std::max(1, packed.rows));
  packed.groups = (packed.rows + active_rows - 1) / active_rows;
  packed.weights = pack_matrix(weights, packed.strips);
  if (variances) {
    require(variances->shape(0) == weights.shape(0) && variances->shape(1) == weights.shape(1),
            "variances must have the shape of the weights");
    packed.noisy = true;
    packed.variances = pack_matrix(*variances, packed.strips);
  }
  if (flipped) {
    require(flipped->shape(0) == std::size_t(packed.groups) && flipped->shape(1) == weights.shape(1),
            "flipped must be (groups, columns)");
    packed.flipped = true;
    const std::size_t width = std::size_t(packed.strips) * analog_lanes;
    packed.flips = Aligned<std::int32_t>(packed.groups * width);
    for (int group = 0; group < packed.groups; ++group)
      for (int sum = 0; sum < packed.sums; ++sum)
        packed.flips.data()[group * width + sum] =
            flipped->data()[std::size_t(group) * packed.sums + sum] ? -1 : 0;
  }
  return packed;
}

// The phases of `mcc.ir.hardware.phases`.
void set_phases(AnalogPlan& plan, int input_bits, int dac_bits, bool is_signed,
                bool sign_magnitude, int shift) {
  const bool two = is_signed && !sign_magnitude;
  const int plain = two ? input_bits - 1 : input_bits;
  plan.signed_drive = is_signed && sign_magnitude;
  plan.squares = plan.signed_drive || dac_bits > 1;
  for (int low = 0; low < plain; low += dac_bits) {
    const int bits = std::min(dac_bits, plain - low);
    plan.phases[plan.phase_count++] = {low, (1 << bits) - 1, std::int32_t(1u << (low + shift))};
  }
  if (two) {
    const std::uint32_t worth = 1u << (plain + shift);
    plan.phases[plan.phase_count++] = {plain, 1, static_cast<std::int32_t>(0u - worth)};
  }
}

AnalogKernel kernel_of(Level level) {
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

class Worker {
 public:
  Worker(const AnalogPlan& plan, int inputs)
      : drives_(std::size_t(inputs) * plan.group_rows * analog_max_phases),
        driven_(std::size_t(inputs) * plan.group_rows),
        counts_(inputs),
        inputs_(inputs),
        totals_(std::size_t(inputs) * plan.strips * analog_lanes) {}

  AnalogScratch scratch() {
    return {drives_.data(), driven_.data(), counts_.data(), inputs_.data(), totals_.data()};
  }
  const std::vector<std::int32_t>& totals() const { return totals_; }
  void clear() { std::fill(totals_.begin(), totals_.end(), 0); }

 private:
  std::vector<float> drives_;
  std::vector<std::uint16_t> driven_;
  std::vector<int> counts_;
  std::vector<std::int32_t> inputs_;
  std::vector<std::int32_t> totals_;
};

// Puts the slices of a weight together.
void combine(const PackedAnalog& packed, const std::int32_t* totals, std::int32_t* sums) {
  for (int col = 0; col < packed.sums / packed.slices; ++col) {
    std::uint32_t sum = 0;
    for (int slice = 0; slice < packed.slices; ++slice)
      sum += static_cast<std::uint32_t>(totals[col * packed.slices + slice])
             << (packed.bits_per_cell * slice);
    sums[col] = static_cast<std::int32_t>(sum);
  }
}

AnalogPlan plan_of(const PackedAnalog& packed, int shift, int low, int high) {
  AnalogPlan plan{};
  plan.rows = packed.rows;
  plan.sums = packed.sums;
  plan.strips = packed.strips;
  plan.group_rows = packed.group_rows;
  plan.groups = packed.groups;
  plan.scale = 1.0f / static_cast<float>(1u << shift);
  plan.low = static_cast<float>(low);
  plan.high = static_cast<float>(high);
  plan.digit = (1 << packed.bits_per_cell) - 1;
  plan.weights = packed.weights.data();
  plan.variances = packed.noisy ? packed.variances.data() : nullptr;
  plan.flips = packed.flipped ? packed.flips.data() : nullptr;
  return plan;
}

struct Samples {
  std::uint32_t first;
  std::size_t positions;  // of each
};

void run(const PackedAnalog& packed, const AnalogPlan& plan, const Codes& codes,
         const Samples& samples, const AnalogKernel& kernel, std::size_t threads, Sums& sums) {
  const std::size_t tasks = (codes.batch + block_inputs - 1) / block_inputs;
  const std::size_t used = std::max<std::size_t>(1, std::min(threads, tasks));
  std::vector<Worker> workers(used, Worker(plan, block_inputs));
  run_tasks(tasks, used, [&](std::size_t task, std::size_t worker) {
    const std::size_t first = task * block_inputs;
    const int batch = static_cast<int>(std::min<std::size_t>(block_inputs, codes.batch - first));
    Worker& own = workers[worker];
    own.clear();
    kernel.add(plan,
               {codes.data + static_cast<std::int64_t>(first) * codes.batch_stride,
                codes.batch_stride, codes.row_stride, codes.is_signed, batch, first,
                samples.positions, samples.first},
               own.scratch());
    for (int input = 0; input < batch; ++input)
      combine(packed, own.totals().data() + std::size_t(input) * plan.strips * analog_lanes,
              sums.items.get() + (first + input) * sums.cols);
  });
}

nb::object product(const Array& array, const PackedAnalog& packed, int input_bits, int dac_bits,
                   bool sign_magnitude, int shift, int low, int high, std::uint64_t seed,
                   std::uint32_t place, std::uint32_t event, std::uint32_t sample,
                   std::size_t positions, int threads, const std::optional<std::string>& level) {
  const Codes codes = codes_of(array, packed.rows);
  require(input_bits >= 1 && input_bits <= 8, "input_bits must be 1 to 8");
  require(dac_bits >= 1 && dac_bits <= 8, "dac_bits must be 1 to 8");
  require(shift >= 0 && shift <= 22, "shift must be 0 to 22");
  require(low <= 0 && high >= 0 && high < (1 << 24) && low >= -(1 << 24), "no such converter");
  require(positions >= 1 && threads >= 1, "positions and threads must be at least 1");
  const double words = 2.0 * double(positions) * packed.groups * packed.sums;
  require(words < 4294967296.0, "a sample has too many positions to number its noise");
  AnalogPlan plan = plan_of(packed, shift, low, high);
  set_phases(plan, input_bits, dac_bits, codes.is_signed, sign_magnitude, shift);
  plan.noise = address_of(seed, place, event);
  const AnalogKernel kernel = kernel_of(choose_level(level));
  Sums sums(codes.batch, packed.sums / packed.slices);
  {
    nb::gil_scoped_release release;
    run(packed, plan, codes, {sample, positions}, kernel, static_cast<std::size_t>(threads), sums);
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
  const AnalogKernel kernel = kernel_of(choose_level(level));
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
  nb::class_<mcc::PackedAnalog>(module, "PackedAnalog")
      .def_ro("rows", &mcc::PackedAnalog::rows)
      .def_ro("groups", &mcc::PackedAnalog::groups)
      .def_prop_ro("cols", [](const mcc::PackedAnalog& p) { return p.sums / p.slices; })
      .def_prop_ro("nbytes", &mcc::PackedAnalog::nbytes);
  module.def("pack_analog", &mcc::pack, "weights"_a.noconvert(),
             "variances"_a.noconvert().none(), nb::kw_only(), "slices"_a, "bits_per_cell"_a,
             "active_rows"_a, "flipped"_a.noconvert() = nb::none());
  module.def("analog_product", &mcc::product, "codes"_a.noconvert(), "tile"_a, nb::kw_only(),
             "input_bits"_a, "dac_bits"_a, "sign_magnitude"_a, "shift"_a, "low"_a, "high"_a,
             "seed"_a = 0, "place"_a = 0, "event"_a = 0, "sample"_a = 0, "positions"_a = 1,
             "threads"_a = 1, "level"_a = nb::none());
  mcc::bind_draw<std::uint32_t, &mcc::AnalogKernel::words>(module, "random_words");
  mcc::bind_draw<float, &mcc::AnalogKernel::normals>(module, "random_normals");
}
