// The vector unit's work on every element, in one pass over operands with any strides.
#include "elementwise.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <vector>

#include "arrays.hpp"
#include "levels.hpp"

namespace nb = nanobind;

namespace mcc {

namespace {

ElementwiseKernel elementwise_kernel_of(Level level) {
  switch (level) {
#ifdef MCC_X86
    case Level::avx512:
      return avx512::elementwise_kernel();
    case Level::avx2:
      return avx2::elementwise_kernel();
#endif
    default:
      return portable::elementwise_kernel();
  }
}

using Result = nb::ndarray<nb::device::cpu>;

// Operands of one shape, of which neighbouring axes that are steps of one length are one axis.
class Operands {
 public:
  explicit Operands(const Result& result) {
    for (std::size_t axis = 0; axis < result.ndim(); ++axis) shape_.push_back(result.shape(axis));
  }

  template <class Any>
  void add(const Any& array) {
    std::vector<std::int64_t> steps;
    for (std::size_t axis = 0; axis < array.ndim(); ++axis) {
      require(axis < shape_.size() && array.shape(axis) == shape_[axis],
              "operands must have the shape of the result");
      steps.push_back(array.stride(axis) * std::int64_t(array.itemsize()));
    }
    require(steps.size() == shape_.size(), "operands must have the shape of the result");
    at_.push_back(static_cast<char*>(const_cast<void*>(static_cast<const void*>(array.data()))));
    steps_.push_back(std::move(steps));
  }

  void run(DoRow row, const Range& range) {
    for (const std::size_t extent : shape_)
      if (extent == 0) return;
    join();
    Rows rows{};
    rows.count = shape_.empty() ? 1 : shape_.back();
    for (std::size_t i = 0; i < at_.size(); ++i) rows.steps[i] = shape_.empty() ? 0 : steps_[i].back();
    const std::size_t outer = shape_.empty() ? 0 : shape_.size() - 1;
    std::vector<std::size_t> index(outer, 0);
    for (bool more = true; more;) {
      std::copy(at_.begin(), at_.end(), rows.at);
      row(range, rows);
      more = false;
      for (std::size_t axis = outer; axis-- > 0 && !more;) {
        more = ++index[axis] < shape_[axis];
        for (std::size_t i = 0; i < at_.size(); ++i)
          at_[i] += steps_[i][axis] * (more ? 1 : 1 - std::int64_t(shape_[axis]));
        if (!more) index[axis] = 0;
      }
    }
  }

 private:
  void join() {
    for (std::size_t axis = shape_.size(); axis-- > 1;) {
      bool joins = true;
      for (const auto& steps : steps_)
        joins &= steps[axis - 1] == steps[axis] * std::int64_t(shape_[axis]);
      if (!joins) continue;
      shape_[axis - 1] *= shape_[axis];
      shape_.erase(shape_.begin() + std::ptrdiff_t(axis));
      for (auto& steps : steps_) steps.erase(steps.begin() + std::ptrdiff_t(axis) - 1);
    }
  }

  std::vector<std::size_t> shape_;
  std::vector<char*> at_;
  std::vector<std::vector<std::int64_t>> steps_;  // bytes
};

void quantize(const Array& source, const Array& scale, float zero, float low, float high,
              const Result& result, const std::optional<std::string>& level) {
  const bool is_signed = result.dtype() == nb::dtype<std::int8_t>();
  require_type(holds<float>(source) && holds<float>(scale), "source and scale must be float32");
  require_type(is_signed || result.dtype() == nb::dtype<std::uint8_t>(),
               "codes must be uint8 or int8");
  const ElementwiseKernel kernel = elementwise_kernel_of(choose_level(level));
  Operands operands(result);
  operands.add(source);
  operands.add(scale);
  operands.add(result);
  nb::gil_scoped_release unlocked;
  operands.run(is_signed ? kernel.quantize_signed : kernel.quantize_unsigned, {zero, low, high});
}

void dequantize(const Array& sums, const Array& scale, const std::optional<Array>& bias,
                const Result& result, const std::optional<std::string>& level) {
  require_type(holds<std::int32_t>(sums), "sums must be int32");
  require_type(holds<float>(scale) && (!bias || holds<float>(*bias)) &&
                   result.dtype() == nb::dtype<float>(),
               "scale, bias and result must be float32");
  const ElementwiseKernel kernel = elementwise_kernel_of(choose_level(level));
  Operands operands(result);
  operands.add(sums);
  operands.add(scale);
  if (bias) operands.add(*bias);
  operands.add(result);
  nb::gil_scoped_release unlocked;
  operands.run(bias ? kernel.dequantize_biased : kernel.dequantize, {});
}

void clip(const Array& source, float low, float high, const Result& result,
          const std::optional<std::string>& level) {
  require_type(holds<float>(source) && result.dtype() == nb::dtype<float>(),
               "source and result must be float32");
  const ElementwiseKernel kernel = elementwise_kernel_of(choose_level(level));
  Operands operands(result);
  operands.add(source);
  operands.add(result);
  nb::gil_scoped_release unlocked;
  operands.run(kernel.clip, {0, low, high});
}

}  // namespace

}  // namespace mcc

void bind_elementwise(nb::module_& module) {
  using namespace nb::literals;
  module.def("quantize", &mcc::quantize, "source"_a.noconvert(), "scale"_a.noconvert(), nb::kw_only(),
             "zero"_a, "low"_a, "high"_a, "result"_a.noconvert(), "level"_a = nb::none(),
             "Write `clip(round_half_even(source / scale) + zero, low, high)`; 0 for a NaN.");
  module.def("dequantize", &mcc::dequantize, "sums"_a.noconvert(), "scale"_a.noconvert(),
             "bias"_a.noconvert().none(), nb::kw_only(), "result"_a.noconvert(),
             "level"_a = nb::none(), "Write `float32(sums) * scale`, rounded, `+ bias`.");
  module.def("clip", &mcc::clip, "source"_a.noconvert(), nb::kw_only(), "low"_a, "high"_a,
             "result"_a.noconvert(), "level"_a = nb::none(),
             "Write what is below `low` as `low`, what is above `high` as `high`, else itself.");
}
