#pragma once
// Little-endian numbers from the front of a file's bytes.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "headwise/core/error.hpp"

namespace hw::detail {

/// Takes numbers and bytes from the front of what is left, never more than there is. Error: the file ends before.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string where) : left_(bytes), where_(std::move(where)) {}

  std::span<const std::byte> take(std::uint64_t n, std::string_view what) {
    if (n > left_.size()) fail(where_, concat(n, " bytes of ", what), concat(left_.size(), " until the end of the file"));
    const auto out = left_.first(static_cast<std::size_t>(n));
    left_ = left_.subspan(out.size());
    return out;
  }
  std::uint64_t number(std::size_t size, std::string_view what) {
    std::uint64_t value = 0;
    const auto bytes = take(size, what);
    for (std::size_t i = 0; i < size; ++i) value |= static_cast<std::uint64_t>(bytes[i]) << 8 * i;
    return value;
  }
  std::size_t left() const noexcept { return left_.size(); }
  const std::string& where() const noexcept { return where_; }

 private:
  std::span<const std::byte> left_;
  std::string where_;
};

}  // namespace hw::detail
