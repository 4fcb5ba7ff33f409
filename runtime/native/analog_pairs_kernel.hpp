// The analog product of drives of any size by products of pairs of rows, for one level.
#pragma once

#include "analog_convert_kernel.hpp"
#include "pairs_kernel.hpp"
#include "quads_kernel.hpp"

namespace mcc::MCC_LEVEL {

namespace {

constexpr int pair_rows = width == 64 ? 8 : 4;  // inputs and phases worked on together, of whole units
constexpr int square_start = 32768;

// [pair of rows][sum] times the drives of some inputs and phases, which lie `pitch` apart.
struct PairTask {
  const std::int16_t* drives;
  const std::int16_t* weights;
  int pairs;
  std::size_t pitch;
  const std::int32_t* starts;  // [sum], or null
};

template <int halves, int rows>
[[gnu::always_inline]] inline void pair_tile(const PairTask& task, int piece, std::int32_t* sums) {
  const int at = piece * lane_count;
  Halves<halves> found[rows];
  for (auto& row : found)
    row = task.starts ? load_halves<halves>(task.starts + at) : Halves<halves>{};
  const std::int16_t* weights = task.weights + 2 * at;
  for (int pair = 0; pair < task.pairs; ++pair, weights += 2 * unit_sums) {
    I16 weight[halves];
    for (int h = 0; h < halves; ++h) weight[h] = load<I16>(weights + h * unit_sums);
    for (int r = 0; r < rows; ++r) {
      std::uint32_t two;
      std::memcpy(&two, task.drives + r * task.pitch + 2 * pair, sizeof two);
      const I16 drive = reinterpret_cast<I16>(U32{} + two);
      for (int h = 0; h < halves; ++h)
        found[r].half[h] = add_pairs(found[r].half[h], drive, weight[h]);
    }
  }
  for (int r = 0; r < rows; ++r)
    for (int h = 0; h < halves; ++h)
      store(sums + r * unit_sums + at + h * half_sums, found[r].half[h]);
}

// Sums of `count` inputs and phases: [input and phase][sum].
template <int halves>
void multiply_pairs(PairTask task, int count, std::int32_t* sums) {
  constexpr int rows = pair_rows * 2 / halves;
  int row = 0;
  for (; row + rows <= count; row += rows) {
    for (int piece = 0; piece < analog_pieces; ++piece)
      pair_tile<halves, rows>(task, piece, sums + row * unit_sums);
    task.drives += rows * task.pitch;
  }
  for (; row < count; ++row, task.drives += task.pitch)
    for (int piece = 0; piece < analog_pieces; ++piece)
      pair_tile<halves, 1>(task, piece, sums + row * unit_sums);
}

template <bool noisy, int halves>
void convert_pairs(const AnalogPlan& plan, int unit, int batch, const AnalogScratch& scratch,
                   int group, std::int32_t* totals) {
  const Conversion conversion(plan);
  const std::size_t place = (std::size_t(unit) * plan.groups.count + group) * unit_sums;
  for (int piece = 0; piece < analog_pieces; ++piece) {
    const int at = piece * lane_count;
    Noise noise(plan, unit, piece);
    Accumulator<noisy, halves> accumulator(plan, conversion, unit, piece);
    std::size_t from = at;
    for (int input = 0; input < batch; ++input) {
      accumulator.clear();
      if constexpr (noisy) noise.start(scratch.readings[input], group);
      for (int phase = 0; phase < plan.phase_count; ++phase, from += unit_sums) {
        I16 normals{};
        if constexpr (noisy) normals = noise.next();
        accumulator.add(plan.phases[phase], load_halves<halves>(scratch.sums + from),
                        load_halves<halves>(scratch.variances + from), normals);
      }
      accumulator.store_to(totals + input * unit_sums + at,
                           plan.flips ? plan.flips + place + at : nullptr,
                           scratch.inputs[group * batch + input]);
    }
  }
}

template <int halves>
void add_halves_of_pairs(const AnalogPlan& plan, int unit, int batch, const AnalogScratch& scratch,
                       std::int32_t* totals) {
  const Groups& groups = plan.groups;
  const std::size_t pitch = std::size_t(groups.quads) * quad_rows;
  const int count = batch * plan.phase_count;
  for (int group = 0; group < groups.count; ++group) {
    const std::size_t place = std::size_t(unit) * groups.count + group;
    const std::size_t from = std::size_t(group) * count * pitch;
    PairTask task{scratch.drives + from, plan.weights + place * pitch * unit_sums,
                  quads_of(groups, group) * quad_rows / 2, pitch, nullptr};
    multiply_pairs<halves>(task, count, scratch.sums);
    if (plan.variances) {
      task.drives = scratch.squares + from;
      task.weights = plan.variances + place * pitch * unit_sums;
      task.starts = plan.starts + place * unit_sums;
      multiply_pairs<halves>(task, count, scratch.variances);
    }
    if (plan.noisy)
      convert_pairs<true, halves>(plan, unit, batch, scratch, group, totals);
    else
      convert_pairs<false, halves>(plan, unit, batch, scratch, group, totals);
  }
}

void add_pairs_of_unit(const AnalogPlan& plan, int unit, int sums, int batch,
                       const AnalogScratch& scratch, std::int32_t* totals) {
  (sums > half_sums ? add_halves_of_pairs<2> : add_halves_of_pairs<1>)(plan, unit, batch, scratch,
                                                                   totals);
}

[[gnu::always_inline]] inline U16 digits_of(const AnalogPhase& phase, const std::uint8_t* codes) {
  using Bytes = std::uint8_t __attribute__((vector_size(width / 2)));
  const U16 wide = __builtin_convertvector(load<Bytes>(codes), U16);
  return wide >> phase.low_bit & static_cast<std::uint16_t>(phase.mask);
}

// Writes whole vectors, which may end up to `quad_slack` bytes after the last row.
void prepare_pairs(const AnalogPlan& plan, const AnalogInputs& inputs,
                   const AnalogScratch& scratch) {
  const Groups& groups = plan.groups;
  const int padded = groups.quads * quad_rows;
  std::uint8_t* codes = scratch.codes;
  std::uint8_t* negative = codes + padded;
  std::int16_t* drives = scratch.drives;
  std::int16_t* squares = scratch.squares;
  std::int32_t* sum = scratch.inputs;
  for (int group = 0; group < groups.count; ++group) {
    const int rows = rows_of(groups, group);
    std::memset(codes, 0, 2 * std::size_t(padded));
    for (int input = 0; input < inputs.batch; ++input, ++sum) {
      const std::uint8_t* from = inputs.codes + input * inputs.batch_stride +
                                 std::int64_t(group) * groups.rows * inputs.row_stride;
      gather(plan.signed_drive, from, inputs.row_stride, rows, codes, negative);
      sum_codes(plan, inputs, from, rows, *sum);
      for (int p = 0; p < plan.phase_count; ++p, drives += padded, squares += padded) {
        const AnalogPhase& phase = plan.phases[p];
        for (int row = 0; row < padded; row += width / 2) {
          U16 drive = digits_of(phase, codes + row);
          if (plan.signed_drive) drive -= digits_of(phase, negative + row);
          store(drives + row, drive);
          store(squares + row, drive * drive - std::uint16_t(square_start));
        }
      }
    }
  }
}

}  // namespace

}  // namespace mcc::MCC_LEVEL
