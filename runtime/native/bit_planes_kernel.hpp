// The bit-plane product for one level; see bit_planes.hpp for the method.
#pragma once

#include "bit_planes.hpp"
#include "quads_kernel.hpp"

namespace mcc::MCC_LEVEL {

namespace {

// Lanes of 16 bits hold the bytes of two columns, lanes of 32 bits those of four.
struct Narrow {
  using Unsigned = U16;
  using Signed = I16;
  static constexpr int parts = 2;
};

struct Broad {
  using Unsigned = U32;
  using Signed = I32;
  static constexpr int parts = 4;
};

// One number for each of 64 columns; part p holds byte p of every lane.
template <class Lane>
struct Wide {
  typename Lane::Unsigned part[Lane::parts][pieces];
};

struct Bytes {
  U8 piece[pieces];
};

// The quads of a row group, in chunks whose sums fit in bytes that start from `start`.
struct Chunks {
  int quads;
  int size;
  int start;
};

template <class Lane>
[[gnu::always_inline]] inline Wide<Lane> filled(int value) {
  Wide<Lane> result;
  for (auto& part : result.part)
    for (auto& piece : part) piece = typename Lane::Unsigned{} + static_cast<std::uint16_t>(value);
  return result;
}

template <>
[[gnu::always_inline]] inline Wide<Broad> filled<Broad>(int value) {
  Wide<Broad> result;
  for (auto& part : result.part)
    for (auto& piece : part) piece = U32{} + static_cast<std::uint32_t>(value);
  return result;
}

template <class Lane>
[[gnu::always_inline]] inline void add_wide(Wide<Lane>& sums, const Wide<Lane>& more) {
  for (int p = 0; p < Lane::parts; ++p)
    for (int i = 0; i < pieces; ++i) sums.part[p][i] += more.part[p][i];
}

template <class Lane>
[[gnu::always_inline]] inline void add_bytes(Wide<Lane>& sums, const Bytes& bytes) {
  constexpr int parts = Lane::parts;
  for (int i = 0; i < pieces; ++i) {
    const auto packed = reinterpret_cast<typename Lane::Unsigned>(bytes.piece[i]);
    for (int p = 0; p < parts; ++p) {
      const auto moved = p == 0 ? packed : packed >> (8 * p);
      sums.part[p][i] += p == parts - 1 ? moved : moved & 0xff;
    }
  }
}

// Adds the entries of `count` quads, or subtracts them.
template <int count, bool negative>
[[gnu::always_inline]] inline void look_up(const std::uint8_t* tables, const std::uint8_t* index,
                                           Bytes& bytes) {
#pragma GCC unroll 8
  for (int quad = 0; quad < count; ++quad) {
    const std::uint8_t* entry = tables + quad * table_bytes + std::size_t(4) * index[quad];
    for (int i = 0; i < pieces; ++i) {
      const U8 sums = load<U8>(entry + i * width);
      bytes.piece[i] = negative ? bytes.piece[i] - sums : bytes.piece[i] + sums;
    }
  }
}

// Adds the entries of the next quads for one bit plane (or a positive and a negative one).
template <int batch, bool signed_drive>
[[gnu::always_inline]] inline void add_quads(const std::uint8_t*& tables,
                                             const std::uint8_t*& index,
                                             const std::uint8_t*& negative, Bytes& bytes) {
  look_up<batch, false>(tables, index, bytes);
  if constexpr (signed_drive) look_up<batch, true>(tables, negative, bytes);
  tables += batch * table_bytes;
  index += batch;
  negative += batch;
}

// Adds the sums of all quads. With fixed_chunk, all chunks have that many quads.
template <class Lane, bool signed_drive, int fixed_chunk>
[[gnu::always_inline]] inline void add_plane(const Chunks& chunks, const std::uint8_t* tables,
                                             const std::uint8_t* index,
                                             const std::uint8_t* negative, Wide<Lane>& sums) {
  for (int left = chunks.quads; left > 0; left -= chunks.size) {
    Bytes bytes;
    for (auto& piece : bytes.piece) piece = U8{} + static_cast<std::uint8_t>(chunks.start);
    if constexpr (fixed_chunk > 0) {
      add_quads<fixed_chunk, signed_drive>(tables, index, negative, bytes);
    } else {
      int count = left < chunks.size ? left : chunks.size;
      for (; count >= 4; count -= 4) add_quads<4, signed_drive>(tables, index, negative, bytes);
      for (; count > 0; --count) add_quads<1, signed_drive>(tables, index, negative, bytes);
    }
    add_bytes<Lane>(sums, bytes);
  }
}

// The sums in steps of the converter, of two nearest ones the even one.
template <class Lane, bool rounds>
[[gnu::always_inline]] inline typename Lane::Signed steps_of(const Converter& converter,
                                                             typename Lane::Unsigned sums) {
  using Signed = typename Lane::Signed;
  using Unsigned = typename Lane::Unsigned;
  if constexpr (!rounds) return reinterpret_cast<Signed>(sums);
  const auto mask = filled<Lane>(converter.tie_mask).part[0][0];
  const auto step = filled<Lane>(2 * converter.half).part[0][0];
  const auto ties = reinterpret_cast<Unsigned>((sums & mask) == step);  // -1 or 0
  return reinterpret_cast<Signed>(sums + ties) >> converter.shift;
}

// acc = (acc << lift) + or - the codes of the sums.
template <class Lane, bool rounds>
[[gnu::always_inline]] inline void convert_sums(const Converter& converter, const Phase& phase,
                                                const Wide<Lane>& sums, Wide<Lane>& accumulated) {
  using Signed = typename Lane::Signed;
  using Unsigned = typename Lane::Unsigned;
  const auto low = reinterpret_cast<Signed>(filled<Lane>(converter.low).part[0][0]);
  const auto high = reinterpret_cast<Signed>(filled<Lane>(converter.high).part[0][0]);
  for (int p = 0; p < Lane::parts; ++p) {
    for (int i = 0; i < pieces; ++i) {
      const Signed steps = steps_of<Lane, rounds>(converter, sums.part[p][i]);
      const auto codes = reinterpret_cast<Unsigned>(smaller(larger(steps, low), high));
      Unsigned& total = accumulated.part[p][i];
      total = total << phase.lift;
      total = phase.negative ? total - codes : total + codes;
    }
  }
}

template <class Lane>
[[gnu::always_inline]] inline void convert(const Converter& converter, const Phase& phase,
                                           const Wide<Lane>& sums, Wide<Lane>& accumulated) {
  if (converter.shift)
    convert_sums<Lane, true>(converter, phase, sums, accumulated);
  else
    convert_sums<Lane, false>(converter, phase, sums, accumulated);
}

// The 32-bit numbers of one strip.
[[gnu::always_inline]] inline I32 strip_of(const Wide<Narrow>& wide, int strip, int piece) {
  const auto pairs = reinterpret_cast<I32>(wide.part[strip & 1][piece]);
  return strip & 2 ? pairs >> 16 : reinterpret_cast<I32>(reinterpret_cast<U32>(pairs) << 16) >> 16;
}

[[gnu::always_inline]] inline I32 strip_of(const Wide<Broad>& wide, int strip, int piece) {
  return reinterpret_cast<I32>(wide.part[strip][piece]);
}

// Adds what was accumulated, `worth` shifted, to the sums of one input.
template <class Lane>
[[gnu::always_inline]] inline void flush(const LaneBlock& block, const std::int32_t* signs,
                                         int worth, const Wide<Lane>& accumulated,
                                         std::int32_t* sums) {
  for (int s = 0; s < strips; ++s) {
    const Strip& strip = block.strip[s];
    const int shift = worth + strip.shift;
    if (strip.col == dead_strip || shift > 31) continue;
    for (int i = 0; i < pieces; ++i) {
      U32 value = reinterpret_cast<U32>(strip_of(accumulated, s, i));
      if (signs) {
        const U32 sign = load<U32>(signs + s * strip_cols + i * (width / 4));
        value = (value ^ sign) - sign;
      }
      std::int32_t* place = sums + strip.col + i * (width / 4);
      store(place, load<U32>(place) + (value << shift));
    }
  }
}

// The sums of the digits of every subset of the rows of each quad.
void make_tables(const BitPlanePlan& plan, const std::uint8_t* digits, int quads,
                 std::uint8_t* tables) {
  const int bias = plan.signed_drive ? 0 : -quad_rows * plan.lowest_digit;
  for (int quad = 0; quad < quads; ++quad) {
    for (int i = 0; i < pieces; ++i) {
      const std::uint8_t* rows = digits + quad * quad_rows * lanes + i * width;
      std::uint8_t* table = tables + quad * table_bytes + i * width;
      U8 entries[table_entries];
      entries[0] = U8{} + static_cast<std::uint8_t>(bias);
      for (int row = 0; row < quad_rows; ++row) {
        const U8 digit = load<U8>(rows + (quad_rows - 1 - row) * lanes);
        for (int e = 0; e < 1 << row; ++e) entries[(1 << row) + e] = entries[e] + digit;
      }
      for (int e = 0; e < table_entries; ++e) store(table + e * lanes, entries[e]);
    }
  }
}

template <class Lane, bool signed_drive, bool one_plane, int fixed_chunk>
void add_block(const BitPlanePlan& plan, const LaneBlock& block, int batch,
               const BitPlaneScratch& scratch, std::int32_t* sums, int row_sums) {
  const Groups groups = plan.groups;
  const Converter converter = plan.converter;
  const std::uint8_t* const tables = scratch.tables;
  const std::size_t group_bytes = std::size_t(groups.quads) * quad_rows * lanes;
  const std::size_t step = signed_drive ? 2 * groups.quads : groups.quads;
  const std::uint8_t* index = scratch.indices;
  for (int group = 0; group < groups.count; ++group) {
    const int quads = group + 1 < groups.count ? groups.quads : groups.last_quads;
    const Chunks chunks{quads, plan.chunk_quads, plan.chunk_start};
    make_tables(plan, block.digits + group * group_bytes, quads, scratch.tables);
    const std::int32_t* signs = block.signs ? block.signs + group * lanes : nullptr;
    const int bias = signed_drive ? (quads + chunks.size - 1) / chunks.size * chunks.start
                                  : -quads * quad_rows * plan.lowest_digit;
    const Wide<Lane> start = filled<Lane>(one_plane ? converter.half - bias : 0);
    for (int input = 0; input < batch; ++input) {
      Wide<Lane> accumulated = filled<Lane>(0);
      for (int p = 0; p < plan.phase_count; ++p) {
        const Phase& phase = plan.phases[p];
        Wide<Lane> drive = start;
        if constexpr (one_plane) {
          add_plane<Lane, signed_drive, fixed_chunk>(chunks, tables, index, index + groups.quads,
                                                     drive);
          index += step;
        } else {
          for (int plane = 0; plane < phase.planes; ++plane, index += step) {
            add_wide<Lane>(drive, drive);
            add_plane<Lane, signed_drive, fixed_chunk>(chunks, tables, index, index + groups.quads,
                                                       drive);
          }
          add_wide<Lane>(drive, filled<Lane>(converter.half - bias * ((1 << phase.planes) - 1)));
        }
        convert<Lane>(converter, phase, drive, accumulated);
        if (phase.flush) {
          flush<Lane>(block, signs, phase.worth + converter.shift, accumulated,
                      sums + std::size_t(input) * row_sums);
          accumulated = filled<Lane>(0);
        }
      }
    }
  }
}

// The build of add_block that fits a plan.
template <class Lane, bool signed_drive, bool one_plane>
AddLaneBlock choose_chunk(const BitPlanePlan& plan) {
  const int size = plan.chunk_quads;
  if (plan.groups.quads % size == 0 && plan.groups.last_quads % size == 0) {
    if (size == 16) return add_block<Lane, signed_drive, one_plane, 16>;
    if (size == 8) return add_block<Lane, signed_drive, one_plane, 8>;
    if (size == 4) return add_block<Lane, signed_drive, one_plane, 4>;
  }
  return add_block<Lane, signed_drive, one_plane, 0>;
}

template <class Lane, bool signed_drive>
AddLaneBlock choose(const BitPlanePlan& plan) {
  for (int p = 0; p < plan.phase_count; ++p)
    if (plan.phases[p].planes > 1) return choose_chunk<Lane, signed_drive, false>(plan);
  return choose_chunk<Lane, signed_drive, true>(plan);
}

void add(const BitPlanePlan& plan, const LaneBlock& block, int batch,
         const BitPlaneScratch& scratch, std::int32_t* sums, int row_sums) {
  const AddLaneBlock chosen =
      plan.wide ? (plan.signed_drive ? choose<Broad, true>(plan) : choose<Broad, false>(plan))
                : (plan.signed_drive ? choose<Narrow, true>(plan) : choose<Narrow, false>(plan));
  chosen(plan, block, batch, scratch, sums, row_sums);
}

void prepare(const BitPlanePlan& plan, const BitPlaneInputs& inputs,
             const BitPlaneScratch& scratch) {
  const Groups& groups = plan.groups;
  std::uint8_t* codes = scratch.codes;
  std::uint8_t* negative = codes + groups.quads * quad_rows;
  std::uint8_t* index = scratch.indices;
  for (int group = 0; group < groups.count; ++group) {
    const int rows = group + 1 < groups.count ? groups.rows : groups.last_rows;
    std::memset(codes, 0, 2 * groups.quads * quad_rows);
    for (int input = 0; input < inputs.batch; ++input) {
      const std::uint8_t* from = inputs.codes + input * inputs.batch_stride +
                                 std::int64_t(group) * groups.rows * inputs.row_stride;
      gather(plan.signed_drive, from, inputs.row_stride, rows, codes, negative);
      for (int s = 0; s < plan.slot_count; ++s, index += groups.quads) {
        const std::uint8_t* source = plan.slots[s].of_negative ? negative : codes;
        index_quads(source, groups.quads, plan.slots[s].bit, index);
      }
    }
  }
}

}  // namespace

BitPlaneKernel bit_plane_kernel() { return {prepare, add}; }

}  // namespace mcc::MCC_LEVEL
