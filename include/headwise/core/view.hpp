#pragma once
// Views of row-major matrices, and the owning Tensor.

#include <cassert>
#include <initializer_list>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "headwise/core/config.hpp"

namespace hw {

/// A row-major matrix that somebody else owns: element (i, j) is data[i * stride + j].
template <class T>
struct BasicView {
  T* data = nullptr;
  index_t rows = 0;
  index_t cols = 0;
  index_t stride = 0;

  BasicView() = default;
  BasicView(T* data, index_t rows, index_t cols) noexcept : BasicView(data, rows, cols, cols) {}
  BasicView(T* data, index_t rows, index_t cols, index_t stride) noexcept
      : data(data), rows(rows), cols(cols), stride(stride) {}

  T* row(index_t i) const noexcept { return data + i * stride; }
  T& operator()(index_t i, index_t j) const noexcept { return data[i * stride + j]; }
  std::span<T> operator[](index_t i) const noexcept { return {row(i), static_cast<std::size_t>(cols)}; }

  /// Rows [begin, end) and columns [begin, end) of the same storage.
  BasicView row_range(index_t begin, index_t end) const noexcept { return {row(begin), end - begin, cols, stride}; }
  BasicView col_range(index_t begin, index_t end) const noexcept { return {data + begin, rows, end - begin, stride}; }

  operator BasicView<const T>() const noexcept
    requires(!std::is_const_v<T>)
  {
    return {data, rows, cols, stride};
  }
};

using View = BasicView<float>;
using ConstView = BasicView<const float>;

/// Asks for storage that is not zeroed: the threads that fill it touch it first.
struct Unset {};

/// Storage for `count` objects, aligned to a cache line and zeroed.
template <class T>
class AlignedBuffer {
 public:
  static_assert(std::is_trivially_copyable_v<T>);
  AlignedBuffer() = default;
  explicit AlignedBuffer(index_t count) : AlignedBuffer(count, Unset{}) {
    for (index_t i = 0; i < count; ++i) data_.get()[i] = T{};
  }
  AlignedBuffer(index_t count, Unset)
      : size_(count), data_(count ? static_cast<T*>(::operator new(sizeof(T) * static_cast<std::size_t>(count), kAlign)) : nullptr) {}
  T* data() const noexcept { return data_.get(); }
  index_t size() const noexcept { return size_; }

 private:
  static constexpr std::align_val_t kAlign{64};
  struct Free {
    void operator()(T* p) const noexcept { ::operator delete(p, kAlign); }
  };
  index_t size_ = 0;
  std::unique_ptr<T, Free> data_;
};

/// An owned row-major array of any rank; move-only, aligned, zeroed when made.
template <class T>
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(std::vector<index_t> shape) : shape_(std::move(shape)), buffer_(count(shape_)) {}
  Tensor(std::initializer_list<index_t> shape) : Tensor(std::vector<index_t>(shape)) {}

  const std::vector<index_t>& shape() const noexcept { return shape_; }
  index_t dim(std::size_t i) const noexcept { return shape_[i]; }
  index_t size() const noexcept { return buffer_.size(); }
  bool empty() const noexcept { return size() == 0; }
  T* data() noexcept { return buffer_.data(); }
  const T* data() const noexcept { return buffer_.data(); }
  std::span<T> values() noexcept { return {data(), static_cast<std::size_t>(size())}; }
  std::span<const T> values() const noexcept { return {data(), static_cast<std::size_t>(size())}; }

  /// All leading dimensions as rows, the last one as columns.
  BasicView<T> view() noexcept { return {data(), rows(), cols()}; }
  BasicView<const T> view() const noexcept { return {data(), rows(), cols()}; }
  index_t cols() const noexcept { return shape_.empty() ? 1 : shape_.back(); }
  index_t rows() const noexcept { return cols() ? size() / cols() : 0; }

 private:
  static index_t count(const std::vector<index_t>& shape) {
    index_t n = shape.empty() ? 0 : 1;
    for (const index_t d : shape) n *= d;
    return n;
  }
  std::vector<index_t> shape_;
  AlignedBuffer<T> buffer_;
};

}  // namespace hw
