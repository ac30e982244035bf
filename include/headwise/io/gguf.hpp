#pragma once
// The GGUF format, versions 2 and 3: typed metadata and tensors.
// Specification: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

#include <concepts>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/io/weight_source.hpp"

namespace hw {

enum class GgufType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

namespace detail {

// A little-endian number at any address.
template <class T>
T read_little_endian(const std::byte* p) noexcept {
  static_assert(std::endian::native == std::endian::little, "headwise reads files on little-endian machines only");
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

}  // namespace detail

/// One metadata value: a view into the file, valid while the Gguf or a copy of it lives. Access is checked; errors name file and key:
/// `model.gguf: llama.block_count: expected an integer, found the string '2'`.
class GgufValue {
 public:
  class Strings;

  bool is_array() const noexcept { return array_; }
  /// Of the value, or of an array's elements.
  GgufType type() const noexcept { return type_; }
  /// Elements of an array; 1 otherwise.
  std::size_t size() const noexcept { return count_; }

  /// bool, an integer type (from any integer type of the file, range-checked), float or double (from any number), std::string,
  /// std::string_view, or std::vector of these from an array.
  template <class T>
  T as() const;

  /// The strings of an array, without copying: `for (std::string_view token : value.strings())`.
  Strings strings() const;

  /// "model.gguf: llama.block_count"
  std::string where() const;
  [[noreturn]] void fail(std::string_view message) const { hw::fail(where(), message); }
  [[noreturn]] void fail_expected(std::string_view expected) const;
  /// The value in words, for messages.
  std::string describe() const;

 private:
  friend class Gguf;
  friend class GgufReader;
  template <class T>
  T element(std::size_t i) const;
  std::int64_t integer(std::size_t i) const;
  double real(std::size_t i) const;

  std::string_view file_, key_;
  GgufType type_ = GgufType::u8;
  bool array_ = false;
  std::size_t count_ = 1;
  const std::byte* data_ = nullptr;
};

/// A GGUF file. Copies share it. Opening reads and checks everything but the tensors' values; strings and arrays stay in the file.
///
/// Tensor types: F64 F32 F16 BF16 I64 I32 I16 I8 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K MXFP4. Shapes are reported
/// row-major, (out, in) for a linear layer: the reverse of the file's order. Errors: anything that the specification forbids, a key or
/// tensor twice, arrays of arrays, tensors that overlap or leave the file, other tensor types, files that are a part of a split model.
class Gguf {
 public:
  struct Entry {
    std::string_view key;
    GgufValue value;
  };

  static Gguf open(const std::string& path, MappedFile::Access access = MappedFile::Access::map);

  const std::string& path() const noexcept;
  /// Name of the file without its folder, as messages call it.
  const std::string& name() const noexcept;
  int version() const noexcept;

  /// In file order.
  std::span<const Entry> metadata() const noexcept;
  std::optional<GgufValue> find(std::string_view key) const noexcept;
  bool contains(std::string_view key) const noexcept { return find(key).has_value(); }
  /// Error when the key is missing.
  GgufValue at(std::string_view key) const;
  template <class T>
  T get(std::string_view key) const {
    return at(key).as<T>();
  }
  template <class T>
  T get_or(std::string_view key, T fallback) const {
    const std::optional<GgufValue> value = find(key);
    return value ? value->as<T>() : fallback;
  }

  std::span<const RawTensor> tensors() const noexcept;
  WeightSource weights() const;

 private:
  friend class GgufReader;
  struct Content;
  explicit Gguf(std::shared_ptr<const Content> content) : content_(std::move(content)) {}
  std::shared_ptr<const Content> content_;
};

class GgufValue::Strings {
 public:
  struct Iterator {
    const std::byte* at;
    std::size_t i;
    std::string_view operator*() const { return {reinterpret_cast<const char*>(at + 8), detail::read_little_endian<std::uint64_t>(at)}; }
    Iterator& operator++() {
      at += 8 + detail::read_little_endian<std::uint64_t>(at);
      return ++i, *this;
    }
    bool operator==(const Iterator& other) const { return i == other.i; }
  };
  Iterator begin() const { return {data_, 0}; }
  Iterator end() const { return {nullptr, count_}; }
  std::size_t size() const noexcept { return count_; }

 private:
  friend class GgufValue;
  Strings(const std::byte* data, std::size_t count) : data_(data), count_(count) {}
  const std::byte* data_;
  std::size_t count_;
};

namespace detail {
template <class T>
struct GgufVector : std::false_type {};
template <class T>
struct GgufVector<std::vector<T>> : std::true_type {};
}  // namespace detail

template <class T>
T GgufValue::as() const {
  if constexpr (detail::GgufVector<T>::value) {
    using Element = typename T::value_type;
    if (!array_) fail_expected("an array");
    T out;
    if constexpr (std::is_constructible_v<Element, std::string_view>) {
      out.reserve(count_);
      for (const std::string_view s : strings()) out.emplace_back(s);
    } else {
      out.reserve(count_);
      for (std::size_t i = 0; i < count_; ++i) out.push_back(element<Element>(i));
    }
    return out;
  } else if constexpr (std::is_constructible_v<T, std::string_view>) {
    if (array_ || type_ != GgufType::string) fail_expected("a string");
    return T(*Strings(data_, 1).begin());
  } else {
    if (array_) fail_expected("one value");
    return element<T>(0);
  }
}

template <class T>
T GgufValue::element(std::size_t i) const {
  if constexpr (std::is_same_v<T, bool>) {
    if (type_ != GgufType::boolean || static_cast<unsigned>(data_[i]) > 1) fail_expected("true or false");
    return data_[i] != std::byte{0};
  } else if constexpr (std::is_integral_v<T>) {
    if (type_ == GgufType::u64) {
      const auto value = detail::read_little_endian<std::uint64_t>(data_ + 8 * i);
      if (!std::in_range<T>(value)) fail(concat("the number ", value, " is out of range"));
      return static_cast<T>(value);
    }
    const std::int64_t value = integer(i);
    if (!std::in_range<T>(value)) fail(concat("the number ", value, " is out of range"));
    return static_cast<T>(value);
  } else {
    static_assert(std::is_floating_point_v<T>, "GgufValue::as: no such type");
    return static_cast<T>(real(i));
  }
}

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/gguf.inl.hpp"
#endif
