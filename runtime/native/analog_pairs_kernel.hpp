// The analog product of drives of any size by products of pairs of rows, for one level.
#pragma once

#include "analog_convert_kernel.hpp"
#include "pairs_kernel.hpp"
#include "quads_kernel.hpp"

namespace mcc::MCC_LEVEL {

namespace {

constexpr int pair_rows = width == 64 ? 8 : 4;  // inputs and phases worked on together
constexpr int square_start = 32768;

// [pair of rows][even, odd] times the drives of some inputs and phases, which lie `pitch` apart.
struct PairTask {
  const std::int16_t* drives;
  const std::int16_t* weights;
  int pairs;
  std::size_t pitch;
  const std::int32_t* starts;  // [even, odd], or null
};

template <int rows>
[[gnu::always_inline]] inline void pair_tile(const PairTask& task, int piece, std::int32_t* sums) {
  const int at = piece * lane_count;
  Both found[rows];
  for (Both& both : found) {
    both = Both{};
    if (task.starts)
      both = Both{load<I32>(task.starts + at), load<I32>(task.starts + at + unit_pairs)};
  }
  const std::int16_t* weights = task.weights + 2 * at;
  for (int pair = 0; pair < task.pairs; ++pair, weights += 2 * unit_cols) {
    const I16 even = load<I16>(weights), odd = load<I16>(weights + unit_cols);
    for (int r = 0; r < rows; ++r) {
      std::uint32_t two;
      std::memcpy(&two, task.drives + r * task.pitch + 2 * pair, sizeof two);
      const I16 drive = reinterpret_cast<I16>(U32{} + two);
      found[r].even = add_pairs(found[r].even, drive, even);
      found[r].odd = add_pairs(found[r].odd, drive, odd);
    }
  }
  for (int r = 0; r < rows; ++r) {
    store(sums + r * unit_cols + at, found[r].even);
    store(sums + r * unit_cols + at + unit_pairs, found[r].odd);
  }
}

// Sums of `count` inputs and phases: [input and phase][even, odd].
void multiply_pairs(PairTask task, int count, std::int32_t* sums) {
  int row = 0;
  for (; row + pair_rows <= count; row += pair_rows) {
    for (int piece = 0; piece < analog_pieces; ++piece)
      pair_tile<pair_rows>(task, piece, sums + row * unit_cols);
    task.drives += pair_rows * task.pitch;
  }
  for (; row < count; ++row, task.drives += task.pitch)
    for (int piece = 0; piece < analog_pieces; ++piece)
      pair_tile<1>(task, piece, sums + row * unit_cols);
}

template <bool noisy>
void convert_pairs(const AnalogPlan& plan, int unit, int lift, int batch,
                   const AnalogScratch& scratch, int group, std::int32_t* totals) {
  const Conversion conversion(plan);
  const std::size_t place = (std::size_t(unit) * plan.groups.count + group) * unit_cols;
  for (int piece = 0; piece < analog_pieces; ++piece) {
    const int at = piece * lane_count;
    const Noise noise(plan, unit, piece);
    Accumulator<noisy> accumulator(plan, conversion, unit, piece);
    for (int input = 0; input < batch; ++input) {
      accumulator.clear();
      I16 normals[phases_of_draw]{};
      for (int phase = 0; phase < plan.phase_count; ++phase) {
        const int p = phase % phases_of_draw;
        if constexpr (noisy)
          if (p == 0) noise.draw(scratch.readings[input], group, phase, normals);
        const std::size_t from = (std::size_t(input) * plan.phase_count + phase) * unit_cols + at;
        const auto both = [&](const std::int32_t* numbers) {
          return Both{load<I32>(numbers + from), load<I32>(numbers + from + unit_pairs)};
        };
        accumulator.add(plan.phases[phase], both(scratch.sums), both(scratch.variances),
                        normals[p]);
      }
      accumulator.store_to(totals + input * unit_cols + at, lift,
                           plan.flips ? plan.flips + place + at : nullptr,
                           scratch.inputs[group * batch + input]);
    }
  }
}

void add_pairs_of_unit(const AnalogPlan& plan, int unit, int lift, int batch,
                       const AnalogScratch& scratch, std::int32_t* totals) {
  const Groups& groups = plan.groups;
  const std::size_t pitch = std::size_t(groups.quads) * quad_rows;
  const int count = batch * plan.phase_count;
  for (int group = 0; group < groups.count; ++group) {
    const std::size_t place = std::size_t(unit) * groups.count + group;
    const std::size_t from = std::size_t(group) * count * pitch;
    PairTask task{scratch.drives + from, plan.weights + place * pitch * unit_cols,
                  quads_of(groups, group) * quad_rows / 2, pitch, nullptr};
    multiply_pairs(task, count, scratch.sums);
    if (plan.variances) {
      task.drives = scratch.squares + from;
      task.weights = plan.variances + place * pitch * unit_cols;
      task.starts = plan.starts + place * unit_cols;
      multiply_pairs(task, count, scratch.variances);
    }
    if (plan.noisy)
      convert_pairs<true>(plan, unit, lift, batch, scratch, group, totals);
    else
      convert_pairs<false>(plan, unit, lift, batch, scratch, group, totals);
  }
}

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
        const int low = plan.phases[p].low_bit, mask = plan.phases[p].mask;
        for (int row = 0; row < padded; ++row) {
          const int drive = ((codes[row] >> low) & mask) - ((negative[row] >> low) & mask);
          drives[row] = static_cast<std::int16_t>(drive);
          squares[row] = static_cast<std::int16_t>(drive * drive - square_start);
        }
      }
    }
  }
}

}  // namespace

}  // namespace mcc::MCC_LEVEL
