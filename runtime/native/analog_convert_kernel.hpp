// From analog sums and their variances to codes, for one level.
#pragma once

#include "analog.hpp"
#include "read_normals_kernel.hpp"

namespace mcc::MCC_LEVEL {

namespace {

constexpr int analog_pieces = unit_pairs / lane_count;

// Numbers of the even and of the odd columns of pairs.
struct Both {
  I32 even;
  I32 odd;
};

// The nearest whole number, of two the even one; the value is within the range of int32.
[[gnu::always_inline]] inline I32 round_half_even(F32 value) {
#if MCC_WIDTH == 64
  return reinterpret_cast<I32>(
      _mm512_maskz_cvtps_epi32(0xffff, reinterpret_cast<__m512>(value)));
#elif MCC_WIDTH == 32
  return reinterpret_cast<I32>(_mm256_cvtps_epi32(reinterpret_cast<__m256>(value)));
#elif defined(__SSE2__)
  return reinterpret_cast<I32>(_mm_cvtps_epi32(reinterpret_cast<__m128>(value)));
#else
  I32 whole;
  for (int i = 0; i < lane_count; ++i) whole[i] = static_cast<int>(__builtin_rintf(value[i]));
  return whole;
#endif
}

[[gnu::noinline]] I32 climb(const Staircases& stairs, const std::int32_t* converters, F32 level) {
  I32 codes;
  for (int i = 0; i < lane_count; ++i) {
    const float* first = stairs.breakpoints + std::size_t(converters[i]) * stairs.count;
    int below = 0;
    for (int left = stairs.count; left > 0;) {
      const int half = (left + 1) / 2;
      below += first[below + half - 1] <= level[i] ? half : 0;
      left -= half;
    }
    codes[i] = stairs.codes[std::size_t(converters[i]) * (stairs.count + 1) + below];
  }
  return codes;
}

// The part of a plan that every conversion needs, in registers.
struct Conversion {
  F32 step, spread, extra, low, high;
  explicit Conversion(const AnalogPlan& plan)
      : step(filled_with(plan.step)),
        spread(filled_with(plan.spread)),
        extra(filled_with(plan.extra)),
        low(filled_with(plan.low)),
        high(filled_with(plan.high)) {}

  // The levels of sums, in steps of the converter.
  template <bool noisy>
  [[gnu::always_inline]] F32 level(I32 sums, I32 variances, I32 normals) const {
    F32 levels = __builtin_convertvector(sums, F32) * step;
    if constexpr (noisy) {
      const F32 variance = __builtin_convertvector(variances, F32) * spread + extra;
      levels += square_root(variance) * __builtin_convertvector(normals, F32);
    }
    return levels;
  }

  [[gnu::always_inline]] I32 clip(F32 levels) const {
    return round_half_even(larger(smaller(levels, high), low));
  }
};

// One unit and group of an input: what its phases add up to.
template <bool noisy>
class Accumulator {
 public:
  Accumulator(const AnalogPlan& plan, const Conversion& conversion, int unit, int piece)
      : plan_(plan), conversion_(conversion), at_(unit * unit_cols + piece * lane_count) {}

  [[gnu::always_inline]] void clear() { total_ = Both{}; }

  [[gnu::always_inline]] void add(const AnalogPhase& phase, const Both& sums,
                                  const Both& variances, I16 normals) {
    const I32 pairs = reinterpret_cast<I32>(normals);
    const F32 even =
        conversion_.template level<noisy>(sums.even, variances.even, pairs << 16 >> 16);
    const F32 odd = conversion_.template level<noisy>(sums.odd, variances.odd, pairs >> 16);
    Both codes;
    if (plan_.staircases.count) {
      const std::int32_t* converters = plan_.staircases.converters + at_;
      codes = Both{climb(plan_.staircases, converters, even),
               climb(plan_.staircases, converters + unit_pairs, odd)};
    } else {
      codes = Both{conversion_.clip(even), conversion_.clip(odd)};
    }
    if (phase.negative) codes = Both{-codes.even, -codes.odd};
    total_.even += codes.even << phase.shift;
    total_.odd += codes.odd << phase.shift;
  }

  // Adds what was accumulated to [even, odd]; `inputs` is the sum of the codes of the group.
  [[gnu::always_inline]] void store_to(std::int32_t* totals, int lift, const std::int32_t* flips,
                                       std::int32_t inputs) const {
    Both total = total_;
    if (flips) {
      const I32 full = I32{} + plan_.digit * inputs;
      const I32 even = load<I32>(flips), odd = load<I32>(flips + unit_pairs);
      total.even = ((total.even ^ even) - even) + (even & full);
      total.odd = ((total.odd ^ odd) - odd) + (odd & full);
    }
    store(totals, load<I32>(totals) + (total.even << lift));
    store(totals + unit_pairs, load<I32>(totals + unit_pairs) + (total.odd << lift));
  }

 private:
  const AnalogPlan& plan_;
  const Conversion& conversion_;
  std::size_t at_;
  Both total_{};
};

// Noise of the pairs of a unit, four phases at a time.
class Noise {
 public:
  Noise(const AnalogPlan& plan, int unit, int piece)
      : address_(plan.noise),
        pairs_(std::uint32_t(plan.units) * unit_pairs),
        first_(std::uint32_t(unit) * unit_pairs + std::uint32_t(piece) * lane_count) {}

  [[gnu::always_inline]] void draw(const Reading& reading, int group, int phase,
                                   I16 (&normals)[phases_of_draw]) const {
    const std::uint32_t number =
        (reading.first + std::uint32_t(group)) * 2 + std::uint32_t(phase) / phases_of_draw;
    read_normals(choice_, address_, reading.sample, number * pairs_ + first_, normals);
  }

 private:
  Choice choice_;
  Address address_;
  std::uint32_t pairs_;
  std::uint32_t first_;
};

// Sums of the codes of each group and input.
void sum_codes(const AnalogPlan& plan, const AnalogInputs& inputs, const std::uint8_t* from,
               int rows, std::int32_t& sum) {
  sum = 0;
  if (!plan.flips) return;
  for (int row = 0; row < rows; ++row) {
    const std::uint8_t code = from[row * inputs.row_stride];
    sum += inputs.is_signed ? static_cast<std::int8_t>(code) : code;
  }
}

[[gnu::always_inline]] inline int rows_of(const Groups& groups, int group) {
  return group + 1 < groups.count ? groups.rows : groups.last_rows;
}

[[gnu::always_inline]] inline int quads_of(const Groups& groups, int group) {
  return group + 1 < groups.count ? groups.quads : groups.last_quads;
}

}  // namespace

}  // namespace mcc::MCC_LEVEL
