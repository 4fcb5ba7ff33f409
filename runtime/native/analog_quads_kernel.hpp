// The analog product of drives of 0 and 1 by tables of four rows, for one level.
//
// Sums of the conductances, and of the variances, of every subset of four rows are made once for a
// unit and row group; every input and phase looks them up.
#pragma once

#include "analog_convert_kernel.hpp"
#include "quads_kernel.hpp"

namespace mcc::MCC_LEVEL {

namespace {

constexpr std::uint16_t chunk_start = 0x8000;  // makes sums of a chunk unsigned

// Sums of the rows of each quad, at every `stride` bytes.
void make_sums(const std::int16_t* rows, int quads, std::size_t stride, std::uint16_t start,
               std::uint8_t* tables) {
  for (int quad = 0; quad < quads; ++quad, tables += table_places * stride) {
    const std::int16_t* from = rows + quad * quad_rows * unit_sums;
    for (int i = 0; i < pieces; ++i) {
      U16 entries[table_entries];
      const std::uint16_t first = quad % analog_chunk_quads ? 0 : start;
      entries[0] = U16{} + first;
      for (int row = 0; row < quad_rows; ++row) {
        const U16 more = load<U16>(from + (quad_rows - 1 - row) * unit_sums + i * (width / 2));
        for (int e = 0; e < 1 << row; ++e) entries[(1 << row) + e] = entries[e] + more;
      }
      for (int e = 0; e < table_entries; ++e) store(tables + e * stride + i * width, entries[e]);
    }
  }
}

struct Looked {
  I32 whole;   // sums of both halves, as one number
  I32 second;  // sums of the second half
  U16 variances;
};

template <bool signed_drive, bool cells, int count>
[[gnu::always_inline]] inline void add_chunk(const std::uint8_t* tables, const std::uint8_t* index,
                                             const std::uint8_t* negative, int some,
                                             Looked& looked) {
  constexpr std::size_t times = cells ? 8 : 4;
  constexpr std::size_t quad_bytes = times * 16 * table_places;
  U16 sums{};
#pragma GCC unroll 4
  for (int quad = 0; quad < (count ? count : some); ++quad, tables += quad_bytes) {
    const std::uint8_t* entry = tables + times * index[quad];
    sums += load<U16>(entry);
    if constexpr (signed_drive) {
      sums -= load<U16>(tables + times * negative[quad]);
      if (quad == 0) sums += chunk_start;
      if constexpr (cells) entry = tables + times * (index[quad] | negative[quad]);
    }
    if constexpr (cells) looked.variances += load<U16>(entry + entry_bytes);
  }
  looked.whole += reinterpret_cast<I32>(sums);
  looked.second += reinterpret_cast<I32>(reinterpret_cast<U32>(sums) >> 16);
}

template <bool signed_drive, bool cells>
[[gnu::always_inline]] inline void look_up(const std::uint8_t* tables, const std::uint8_t* index,
                                           int quads, int step, Halves<2>& sums,
                                           Halves<2>& variances) {
  constexpr std::size_t quad_bytes = (cells ? 128 : 64) * table_places;
  const std::uint32_t start =
      std::uint32_t(quads + analog_chunk_quads - 1) / analog_chunk_quads * chunk_start;
  const std::uint8_t* negative = index + step;
  Looked looked{I32{} + std::int32_t(0u - start - (start << 16)), I32{} - std::int32_t(start), {}};
  for (; quads >= analog_chunk_quads; quads -= analog_chunk_quads) {
    add_chunk<signed_drive, cells, analog_chunk_quads>(tables, index, negative, 0, looked);
    tables += analog_chunk_quads * quad_bytes;
    index += analog_chunk_quads;
    negative += analog_chunk_quads;
  }
  if (quads) add_chunk<signed_drive, cells, 0>(tables, index, negative, quads, looked);
  sums = {looked.whole - (looked.second << 16), looked.second};
  const U32 both = reinterpret_cast<U32>(looked.variances);
  variances = {reinterpret_cast<I32>(both & 0xffffu), reinterpret_cast<I32>(both >> 16)};
}

struct Group {
  int number;
  int quads;
  const std::uint8_t* index;
};

template <bool signed_drive, bool cells, bool noisy>
void add_group(const AnalogPlan& plan, int unit, int batch, const AnalogScratch& scratch,
               const Group& group, std::int32_t* totals) {
  const Conversion conversion(plan);
  const int step = plan.groups.quads, steps = signed_drive ? 2 * step : step;
  const std::size_t place = (std::size_t(unit) * plan.groups.count + group.number) * unit_sums;
  for (int piece = 0; piece < analog_pieces; ++piece) {
    Noise noise(plan, unit, piece);
    const std::uint8_t* index = group.index;
    const std::uint8_t* tables = scratch.tables + piece * width;
    Accumulator<noisy, 2> accumulator(plan, conversion, unit, piece);
    for (int input = 0; input < batch; ++input) {
      accumulator.clear();
      if constexpr (noisy) noise.start(scratch.readings[input], group.number);
      for (int phase = 0; phase < plan.phase_count; ++phase, index += steps) {
        I16 normals{};
        if constexpr (noisy) normals = noise.next();
        Halves<2> sums, variances;
        look_up<signed_drive, cells>(tables, index, group.quads, step, sums, variances);
        accumulator.add(plan.phases[phase], sums, variances, normals);
      }
      accumulator.store_to(totals + input * unit_sums + piece * lane_count,
                           plan.flips ? plan.flips + place + piece * lane_count : nullptr,
                           scratch.inputs[group.number * batch + input]);
    }
  }
}

template <bool signed_drive, bool cells, bool noisy>
void add_quads(const AnalogPlan& plan, int unit, int, int batch, const AnalogScratch& scratch,
               std::int32_t* totals) {
  const Groups& groups = plan.groups;
  constexpr std::size_t stride = cells ? 2 * entry_bytes : entry_bytes;
  const std::size_t group_items = std::size_t(groups.quads) * quad_rows * unit_sums;
  const std::size_t group_indices =
      std::size_t(batch) * plan.phase_count * (signed_drive ? 2 : 1) * groups.quads;
  for (int number = 0; number < groups.count; ++number) {
    const int quads = quads_of(groups, number);
    const std::size_t at = (std::size_t(unit) * groups.count + number) * group_items;
    make_sums(plan.weights + at, quads, stride, signed_drive ? 0 : chunk_start, scratch.tables);
    if constexpr (cells)
      make_sums(plan.variances + at, quads, stride, 0, scratch.tables + entry_bytes);
    add_group<signed_drive, cells, noisy>(
        plan, unit, batch, scratch, {number, quads, scratch.indices + number * group_indices},
        totals);
  }
}

template <bool signed_drive>
AddUnit choose_quads(const AnalogPlan& plan) {
  if (plan.variances) return add_quads<signed_drive, true, true>;
  return plan.noisy ? add_quads<signed_drive, false, true> : add_quads<signed_drive, false, false>;
}

void add_chosen_quads(const AnalogPlan& plan, int unit, int sums, int batch,
                      const AnalogScratch& scratch, std::int32_t* totals) {
  const AddUnit chosen = plan.signed_drive ? choose_quads<true>(plan) : choose_quads<false>(plan);
  chosen(plan, unit, sums, batch, scratch, totals);
}

void prepare_quads(const AnalogPlan& plan, const AnalogInputs& inputs,
                   const AnalogScratch& scratch) {
  const Groups& groups = plan.groups;
  std::uint8_t* codes = scratch.codes;
  std::uint8_t* negative = codes + groups.quads * quad_rows;
  std::uint8_t* index = scratch.indices;
  std::int32_t* sum = scratch.inputs;
  for (int group = 0; group < groups.count; ++group) {
    const int rows = rows_of(groups, group);
    std::memset(codes, 0, 2 * std::size_t(groups.quads) * quad_rows);
    for (int input = 0; input < inputs.batch; ++input, ++sum) {
      const std::uint8_t* from = inputs.codes + input * inputs.batch_stride +
                                 std::int64_t(group) * groups.rows * inputs.row_stride;
      gather(plan.signed_drive, from, inputs.row_stride, rows, codes, negative);
      sum_codes(plan, inputs, from, rows, *sum);
      for (int p = 0; p < plan.phase_count; ++p) {
        index_quads(codes, groups.quads, plan.phases[p].low_bit, index);
        index += groups.quads;
        if (!plan.signed_drive) continue;
        index_quads(negative, groups.quads, plan.phases[p].low_bit, index);
        index += groups.quads;
      }
    }
  }
}

}  // namespace

}  // namespace mcc::MCC_LEVEL
