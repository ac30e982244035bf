#pragma once
// The byte stream of saved states: little-endian, bounded on reading, closed by a checksum.

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "headwise/core/error.hpp"

namespace hw {

/// FNV-1a, 64 bits: finds damage, not malice.
inline std::uint64_t checksum(std::span<const std::byte> bytes) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const std::byte b : bytes) hash = (hash ^ static_cast<std::uint64_t>(b)) * 0x100000001b3u;
  return hash;
}

/// Collects the bytes of a saved state.
class Writer {
 public:
  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>);
    put_bytes(std::as_bytes(std::span(&value, 1)));
  }
  /// The values without their count.
  template <class T>
  void put_span(std::span<const T> values) {
    put_bytes(std::as_bytes(values));
  }
  void put_bytes(std::span<const std::byte> bytes) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + bytes.size());
    if (!bytes.empty()) std::memcpy(bytes_.data() + at, bytes.data(), bytes.size());
  }
  std::vector<std::byte>& bytes() noexcept { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

/// Reads them back. Every read is checked against the bytes left; throws hw::Error.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) noexcept : left_(bytes) {}

  template <class T>
  T get(std::string_view what) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }
  template <class T>
  void get_span(std::span<T> out, std::string_view what) {
    const auto bytes = take(out.size_bytes(), what);
    if (!bytes.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  }
  /// A count of things of which each takes at least `bytes_each` of what is left.
  index_t get_count(std::size_t bytes_each, std::string_view what) {
    const auto n = get<std::int64_t>(what);
    if (n < 0 || static_cast<std::uint64_t>(n) > left_.size() / std::max<std::size_t>(bytes_each, 1))
      fail("saved state", concat("at most ", left_.size() / std::max<std::size_t>(bytes_each, 1), " for ", what), std::to_string(n));
    return n;
  }
  /// Reads a value that must equal `expected`.
  void expect(std::int64_t expected, std::string_view what) {
    const auto found = get<std::int64_t>(what);
    if (found != expected) fail("saved state", concat(what, " ", expected), std::to_string(found));
  }
  std::span<const std::byte> take(std::size_t n, std::string_view what) {
    if (n > left_.size()) fail("saved state", concat(n, " bytes for ", what), concat(left_.size(), " bytes before its end"));
    const auto out = left_.first(n);
    left_ = left_.subspan(n);
    return out;
  }
  std::size_t left() const noexcept { return left_.size(); }

 private:
  std::span<const std::byte> left_;
};

}  // namespace hw
