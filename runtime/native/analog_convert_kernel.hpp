// From analog sums and their variances to codes, for one level.
#pragma once

#include "analog.hpp"
#include "read_normals_kernel.hpp"

namespace mcc::MCC_LEVEL {

namespace {

constexpr int analog_pieces = half_sums / lane_count;

// Numbers of some sums of the first half of a unit, and of those that stand there in the second.
template <int halves>
struct Halves {
  I32 half[halves];
};

template <int halves>
[[gnu::always_inline]] inline Halves<halves> load_halves(const std::int32_t* from) {
  Halves<halves> found;
  for (int h = 0; h < halves; ++h) found.half[h] = load<I32>(from + h * half_sums);
  return found;
}

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

template <class Item, class Vector>
[[gnu::always_inline]] inline Vector gathered(const Item* from, I32 places) {
#if MCC_WIDTH == 64
  return reinterpret_cast<Vector>(_mm512_mask_i32gather_epi32(
      _mm512_setzero_si512(), 0xffff, reinterpret_cast<__m512i>(places), from, 4));
#elif MCC_WIDTH == 32
  return reinterpret_cast<Vector>(_mm256_i32gather_epi32(
      reinterpret_cast<const int*>(from), reinterpret_cast<__m256i>(places), 4));
#else
  Vector found;
  for (int i = 0; i < lane_count; ++i) found[i] = from[places[i]];
  return found;
#endif
}

// The codes of levels by bisection of the breakpoints, all lanes in step.
[[gnu::noinline]] I32 climb(const Staircases& stairs, const std::int32_t* converters, F32 level) {
  const I32 converter = load<I32>(converters), first = converter * stairs.count;
  I32 below{};
  for (int left = stairs.count; left > 0;) {
    const int half = (left + 1) / 2;
    const F32 breakpoint = gathered<float, F32>(stairs.breakpoints, first + below + (half - 1));
    below += (breakpoint <= level) & half;
    left -= half;
  }
  return gathered<std::int32_t, I32>(stairs.codes, first + converter + below);
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
template <bool noisy, int halves>
class Accumulator {
 public:
  Accumulator(const AnalogPlan& plan, const Conversion& conversion, int unit, int piece)
      : plan_(plan),
        conversion_(conversion),
        lifts_(load_halves<halves>(plan.lifts + piece * lane_count)),
        converters_(plan.staircases.converters + unit * unit_sums + piece * lane_count) {}

  [[gnu::always_inline]] void clear() { total_ = Halves<halves>{}; }

  [[gnu::always_inline]] void add(const AnalogPhase& phase, const Halves<halves>& sums,
                                  const Halves<halves>& variances, I16 normals) {
    for (int h = 0; h < halves; ++h) {
      const I32 both = reinterpret_cast<I32>(normals);
      const F32 level = conversion_.template level<noisy>(sums.half[h], variances.half[h],
                                                          h == 0 ? both << 16 >> 16 : both >> 16);
      I32 codes = plan_.staircases.count
                      ? climb(plan_.staircases, converters_ + h * half_sums, level)
                      : conversion_.clip(level);
      if (phase.negative) codes = -codes;
      total_.half[h] += codes << phase.shift;
    }
  }

  // Adds what was accumulated to totals; `inputs` is the sum of the codes of the group.
  [[gnu::always_inline]] void store_to(std::int32_t* totals, const std::int32_t* flips,
                                       std::int32_t inputs) const {
    for (int h = 0; h < halves; ++h, totals += half_sums) {
      I32 total = total_.half[h];
      if (flips) {
        const I32 flip = load<I32>(flips + h * half_sums);
        total = ((total ^ flip) - flip) + (flip & (I32{} + plan_.digit * inputs));
      }
      store(totals, load<I32>(totals) + (total << lifts_.half[h]));
    }
  }

 private:
  const AnalogPlan& plan_;
  const Conversion& conversion_;
  Halves<halves> lifts_;
  const std::int32_t* converters_;
  Halves<halves> total_{};
};

// Noise of the reads of a unit. The reads of a sample are numbered group by group, in each the
// phases of one position after another.
class Noise {
 public:
  Noise(const AnalogPlan& plan, int unit, int piece)
      : plan_(plan),
        counters_(std::uint32_t(plan.units) * half_sums),
        first_(std::uint32_t(unit) * half_sums + std::uint32_t(piece) * lane_count) {}

  [[gnu::always_inline]] void start(const Reading& reading, int group) {
    drawn_ = drawn_ && reading.sample == sample_;
    sample_ = reading.sample;
    read_ = (std::uint32_t(group) * plan_.positions + reading.position) *
            std::uint32_t(plan_.phase_count);
  }

  // The numbers of the next phase.
  [[gnu::always_inline]] I16 next() {
    const std::uint32_t draw = read_ / reads_of_draw, place = read_ % reads_of_draw;
    if (!drawn_ || draw != draw_) {
      read_normals(choice_, plan_.noise, sample_, draw * counters_ + first_, normals_);
      draw_ = draw;
      drawn_ = true;
    }
    ++read_;
    return normals_[place];
  }

 private:
  const AnalogPlan& plan_;
  Choice choice_;
  std::uint32_t counters_, first_;
  std::uint32_t sample_ = 0, read_ = 0, draw_ = 0;
  bool drawn_ = false;
  I16 normals_[reads_of_draw]{};
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
