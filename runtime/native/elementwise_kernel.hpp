// Rows of the vector unit, for one level: plain loops that the compiler makes vectors of.
#pragma once

#include "elementwise.hpp"

namespace mcc::MCC_LEVEL {

namespace {

// Memory of one operand, at any byte; a fixed step lets the compiler know what lies side by side.
template <class Item, std::int64_t fixed>
struct Line {
  using Anywhere [[gnu::aligned(1), gnu::may_alias]] = Item;
  char* data;
  std::int64_t step;
  [[gnu::always_inline]] Anywhere& operator[](std::size_t i) const {
    return *reinterpret_cast<Anywhere*>(data + std::int64_t(i) * (fixed < 0 ? step : fixed));
  }
};

template <class Item, std::int64_t fixed>
Line<Item, fixed> line(const Rows& rows, int operand) {
  return {rows.at[operand], rows.steps[operand]};
}

// Whether source and result lie side by side, and what is between them stays the same.
[[gnu::always_inline]] inline bool plain(const Rows& rows, int result, std::size_t from,
                                         std::size_t to) {
  bool stays = rows.steps[0] == std::int64_t(from) && rows.steps[result] == std::int64_t(to);
  for (int operand = 1; operand < result; ++operand) stays &= rows.steps[operand] == 0;
  return stays;
}

template <class Source, class Result, class Make>
[[gnu::always_inline]] inline void fill(const Source& source, const Result& result,
                                        std::size_t count, const Make& make) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < count; ++i) result[i] = make(source[i], i);
}

// Neither comparison is true of a NaN, which stays.
[[gnu::always_inline]] inline float within(const Range& range, float value) {
  const float raised = value < range.low ? range.low : value;
  return raised > range.high ? range.high : raised;
}

template <class Code>
void quantize(const Range& range, const Rows& rows) {
  const auto code = [&](float value, float scale) {
    const float found = within(range, __builtin_rintf(value / scale) + range.zero);
    return static_cast<Code>(static_cast<std::int32_t>(found == found ? found : 0.0f));
  };
  if (plain(rows, 2, sizeof(float), sizeof(Code))) {
    const float scale = line<float, 0>(rows, 1)[0];
    fill(line<float, sizeof(float)>(rows, 0), line<Code, sizeof(Code)>(rows, 2), rows.count,
         [&](float value, std::size_t) { return code(value, scale); });
    return;
  }
  const auto scales = line<float, -1>(rows, 1);
  fill(line<float, -1>(rows, 0), line<Code, -1>(rows, 2), rows.count,
       [&](float value, std::size_t i) { return code(value, scales[i]); });
}

template <bool biased>
void dequantize(const Range&, const Rows& rows) {
  constexpr int result = biased ? 3 : 2;
  const auto real = [](std::int32_t sum, float scale, float bias) {
    const float product = static_cast<float>(sum) * scale;
    return biased ? product + bias : product;
  };
  if (plain(rows, result, sizeof(std::int32_t), sizeof(float))) {
    const float scale = line<float, 0>(rows, 1)[0];
    const float bias = biased ? line<float, 0>(rows, 2)[0] : 0.0f;
    fill(line<std::int32_t, sizeof(std::int32_t)>(rows, 0),
         line<float, sizeof(float)>(rows, result), rows.count,
         [&](std::int32_t sum, std::size_t) { return real(sum, scale, bias); });
    return;
  }
  const auto scales = line<float, -1>(rows, 1), biases = line<float, -1>(rows, biased ? 2 : 1);
  fill(line<std::int32_t, -1>(rows, 0), line<float, -1>(rows, result), rows.count,
       [&](std::int32_t sum, std::size_t i) { return real(sum, scales[i], biases[i]); });
}

void clip(const Range& range, const Rows& rows) {
  const auto make = [&](float value, std::size_t) { return within(range, value); };
  if (plain(rows, 1, sizeof(float), sizeof(float)))
    fill(line<float, sizeof(float)>(rows, 0), line<float, sizeof(float)>(rows, 1), rows.count, make);
  else
    fill(line<float, -1>(rows, 0), line<float, -1>(rows, 1), rows.count, make);
}

}  // namespace

ElementwiseKernel elementwise_kernel() {
  return {quantize<std::uint8_t>, quantize<std::int8_t>, dequantize<false>, dequantize<true>, clip};
}

}  // namespace mcc::MCC_LEVEL
