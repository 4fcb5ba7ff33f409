// The analog product for one level; see analog.hpp for the method.
#pragma once

#include "analog.hpp"
#include "normals_kernel.hpp"

namespace mcc::MCC_LEVEL {

namespace {

constexpr int analog_pieces = analog_lanes / lane_count;

// a * b + c; a * b is exact here, so that it does not matter whether it is rounded.
[[gnu::always_inline]] inline F32 multiply_add(F32 a, F32 b, F32 c) {
#if MCC_WIDTH == 64
  return reinterpret_cast<F32>(_mm512_fmadd_ps(reinterpret_cast<__m512>(a),
                                               reinterpret_cast<__m512>(b),
                                               reinterpret_cast<__m512>(c)));
#else
  return a * b + c;
#endif
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

[[gnu::always_inline]] inline int code_at(const AnalogInputs& inputs, int input, int row) {
  const std::uint8_t code =
      inputs.codes[input * inputs.batch_stride + std::int64_t(row) * inputs.row_stride];
  return inputs.is_signed ? static_cast<std::int8_t>(code) : code;
}

[[gnu::always_inline]] inline int drive_of(const AnalogPlan& plan, const AnalogPhase& phase,
                                           int code) {
  if (!plan.signed_drive) return (code >> phase.low_bit) & phase.mask;
  const int magnitude = ((code < 0 ? -code : code) >> phase.low_bit) & phase.mask;
  return code < 0 ? -magnitude : magnitude;
}

// Lists the driven rows of a group, and what drives them in each phase.
void gather(const AnalogPlan& plan, const AnalogInputs& inputs, int first, int last,
            const AnalogScratch& scratch) {
  for (int input = 0; input < inputs.batch; ++input) {
    float* drives = scratch.drives + std::size_t(input) * plan.group_rows * analog_max_phases;
    std::uint16_t* driven = scratch.driven + std::size_t(input) * plan.group_rows;
    int count = 0;
    std::int32_t sum = 0;
    for (int row = first; row < last; ++row) {
      const int code = code_at(inputs, input, row);
      if (code == 0) continue;
      sum += code;
      for (int p = 0; p < analog_max_phases; ++p)
        drives[count * analog_max_phases + p] =
            p < plan.phase_count ? static_cast<float>(drive_of(plan, plan.phases[p], code)) : 0.0f;
      driven[count++] = static_cast<std::uint16_t>(row - first);
    }
    scratch.counts[input] = count;
    scratch.inputs[input] = sum;
  }
}

struct Place {
  int group;
  int strip;
  int piece;
  int input;
};

// Analog sums, and their variances, of four phases from `phase` on.
template <bool noisy, bool squares>
[[gnu::always_inline]] inline void read(const AnalogPlan& plan, const AnalogScratch& scratch,
                                        const Place& place, int phase, F32 (&sums)[4],
                                        F32 (&variances)[4]) {
  const std::size_t start =
      (std::size_t(place.strip) * plan.rows + std::size_t(place.group) * plan.group_rows) *
          analog_lanes +
      place.piece * lane_count;
  const float* weights = plan.weights + start;
  const float* spreads = noisy ? plan.variances + start : nullptr;
  const std::size_t offset = std::size_t(place.input) * plan.group_rows;
  const float* drives = scratch.drives + offset * analog_max_phases + phase;
  const std::uint16_t* driven = scratch.driven + offset;
  const int count = scratch.counts[place.input];
  for (int p = 0; p < 4; ++p) sums[p] = variances[p] = F32{};
  for (int i = 0; i < count; ++i, drives += analog_max_phases) {
    const F32 weight = load<F32>(weights + driven[i] * analog_lanes);
    F32 drive[4];
    for (int p = 0; p < 4; ++p) drive[p] = spread(drives[p]);
    for (int p = 0; p < 4; ++p) sums[p] = multiply_add(drive[p], weight, sums[p]);
    if constexpr (noisy) {
      const F32 variance = load<F32>(spreads + driven[i] * analog_lanes);
      for (int p = 0; p < 4; ++p) {
        if constexpr (squares) drive[p] *= drive[p];
        variances[p] = multiply_add(drive[p], variance, variances[p]);
      }
    }
  }
}

template <bool noisy, bool squares>
void add_piece(const AnalogPlan& plan, const AnalogInputs& inputs, const AnalogScratch& scratch,
               const Place& place) {
  const std::size_t strip_at = std::size_t(place.strip) * analog_lanes + place.piece * lane_count;
  const std::size_t width = std::size_t(plan.strips) * analog_lanes;
  std::int32_t* totals = scratch.totals + place.input * width + strip_at;
  I32 total = load<I32>(totals);
  I32 flips{};
  if (plan.flips) flips = load<I32>(plan.flips + place.group * width + strip_at);
  total += flips & (I32{} + plan.digit * scratch.inputs[place.input]);
  const std::size_t number = inputs.first + place.input;
  const std::uint32_t sample = inputs.sample + static_cast<std::uint32_t>(number / inputs.positions);
  const std::size_t reading = (number % inputs.positions) * plan.groups + place.group;
  for (int phase = 0; phase < plan.phase_count; phase += analog_phases) {
    F32 sums[4], variances[4], normals[4];
    read<noisy, squares>(plan, scratch, place, phase, sums, variances);
    if constexpr (noisy) {
      const std::size_t word = (reading * 2 + phase / analog_phases) * plan.sums + strip_at;
      four_normals(draw(plan.noise, sample, static_cast<std::uint32_t>(word)), normals);
      for (int p = 0; p < 4; ++p) sums[p] += square_root(variances[p]) * normals[p];
    }
    for (int p = 0; p < 4 && phase + p < plan.phase_count; ++p) {
      const F32 level = smaller(sums[p] * plan.scale, spread(plan.high));
      const I32 code = round_half_even(larger(level, spread(plan.low)));
      const I32 turned = (code ^ flips) - flips;
      total += turned * plan.phases[phase + p].worth;
    }
  }
  store(totals, total);
}

template <bool noisy, bool squares>
void add(const AnalogPlan& plan, const AnalogInputs& inputs, const AnalogScratch& scratch) {
  for (int group = 0; group < plan.groups; ++group) {
    const int first = group * plan.group_rows;
    const int last = first + plan.group_rows < plan.rows ? first + plan.group_rows : plan.rows;
    gather(plan, inputs, first, last, scratch);
    for (int strip = 0; strip < plan.strips; ++strip)
      for (int piece = 0; piece < analog_pieces; ++piece)
        for (int input = 0; input < inputs.batch; ++input)
          add_piece<noisy, squares>(plan, inputs, scratch, {group, strip, piece, input});
  }
}

void add_chosen(const AnalogPlan& plan, const AnalogInputs& inputs, const AnalogScratch& scratch) {
  if (!plan.variances) return add<false, false>(plan, inputs, scratch);
  if (plan.squares) return add<true, true>(plan, inputs, scratch);
  add<true, false>(plan, inputs, scratch);
}

template <class Item, class Vector, class Make>
[[gnu::always_inline]] inline void fill(const Address& address, std::uint32_t sample,
                                        std::uint32_t first, std::size_t count, Item* items,
                                        const Make& make) {
  for (std::size_t start = 0; start < count; start += lane_count) {
    Vector four[4];
    make(draw(address, sample, first + static_cast<std::uint32_t>(start)), four);
    for (int i = 0; i < lane_count && start + i < count; ++i)
      for (int p = 0; p < 4; ++p) items[(start + i) * 4 + p] = four[p][i];
  }
}

void fill_words(const Address& address, std::uint32_t sample, std::uint32_t first,
                std::size_t count, std::uint32_t* items) {
  fill<std::uint32_t, U32>(address, sample, first, count, items,
                           [](const Words& drawn, U32(&four)[4]) {
                             for (int p = 0; p < 4; ++p) four[p] = drawn.word[p];
                           });
}

void fill_normals(const Address& address, std::uint32_t sample, std::uint32_t first,
                  std::size_t count, float* items) {
  fill<float, F32>(address, sample, first, count, items,
                   [](const Words& drawn, F32(&four)[4]) { four_normals(drawn, four); });
}

}  // namespace

AnalogKernel analog_kernel() { return {add_chosen, fill_words, fill_normals}; }

}  // namespace mcc::MCC_LEVEL
