// Arrays that cross the border to Python, and memory that vectors can be loaded from.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace mcc {

// Asks for large pages, without which new memory costs more than what is written into it.
inline void ask_for_large_pages([[maybe_unused]] void* items, [[maybe_unused]] std::size_t bytes) {
#ifdef __linux__
  constexpr std::size_t page = 4096, worth = std::size_t(1) << 22;
  const std::size_t start = (reinterpret_cast<std::size_t>(items) + page - 1) / page * page;
  const std::size_t end = (reinterpret_cast<std::size_t>(items) + bytes) / page * page;
  if (bytes >= worth) madvise(reinterpret_cast<void*>(start), end - start, MADV_HUGEPAGE);
#endif
}

// A new matrix that NumPy owns once it is returned.
template <class Item>
struct Owned {
  Owned(std::size_t rows_, std::size_t cols_)
      : rows(rows_), cols(cols_), items(new Item[rows * cols + 1]) {
    ask_for_large_pages(items.get(), rows * cols * sizeof(Item));
  }

  nanobind::object release() {
    Item* data = items.get();
    nanobind::capsule owner(data, [](void* p) noexcept { delete[] static_cast<Item*>(p); });
    items.release();
    const std::size_t shape[2] = {rows, cols};
    using Result = nanobind::ndarray<nanobind::numpy, Item, nanobind::ndim<2>>;
    return nanobind::cast(Result(data, 2, shape, owner));
  }

  std::size_t rows;
  std::size_t cols;
  std::unique_ptr<Item[]> items;
};

// Zeroed memory on a cache line.
template <class Item>
class Aligned {
 public:
  Aligned() = default;
  explicit Aligned(std::size_t count) : count_(count) {
    const std::size_t bytes = count * sizeof(Item) + line;
    items_.reset(static_cast<Item*>(::operator new(bytes, std::align_val_t(line))));
    std::memset(static_cast<void*>(items_.get()), 0, bytes);
  }
  Item* data() const { return items_.get(); }
  std::size_t nbytes() const { return count_ * sizeof(Item); }

 private:
  static constexpr std::size_t line = 64;
  struct Free {
    void operator()(Item* items) const { ::operator delete(items, std::align_val_t(line)); }
  };
  std::unique_ptr<Item, Free> items_;
  std::size_t count_ = 0;
};

// Any array on the host; the functions below look at its type and shape.
using Array = nanobind::ndarray<nanobind::ro, nanobind::device::cpu>;

template <class Item>
bool holds(const Array& array) {
  return array.dtype() == nanobind::dtype<Item>();
}

inline void require_type(bool good, const char* message) {
  if (!good) throw nanobind::type_error(message);
}

inline void require(bool good, const char* message) {
  if (!good) throw nanobind::value_error(message);
}

// Codes (batch, rows), uint8 or int8, with any strides.
struct Codes {
  const std::uint8_t* data;
  std::size_t batch;
  std::size_t rows;
  std::int64_t batch_stride;
  std::int64_t row_stride;
  bool is_signed;
};

inline Codes codes_of(const Array& array, std::size_t rows) {
  const bool is_signed = holds<std::int8_t>(array);
  require_type(is_signed || holds<std::uint8_t>(array), "codes must be uint8 or int8");
  require(array.ndim() == 2, "codes must have two axes (batch, rows)");
  require(array.shape(1) == rows, "codes must have as many columns as the weights have rows");
  return {static_cast<const std::uint8_t*>(array.data()), array.shape(0), rows, array.stride(0),
          array.stride(1), is_signed};
}

using Sums = Owned<std::int32_t>;

}  // namespace mcc
