#pragma once
#include "headwise/text/charsmap.hpp"
#include "headwise/text/unicode.hpp"

namespace hw::text {

HEADWISE_INLINE Charsmap::Charsmap(std::string_view blob, std::string_view where) : where_(where) {
  if (blob.empty()) return;
  const auto u32 = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i)
      value |= static_cast<std::uint32_t>(static_cast<unsigned char>(blob[at + static_cast<std::size_t>(i)])) << 8 * i;
    return value;
  };
  if (blob.size() < 4) fail(where, concat("a precompiled_charsmap of ", blob.size(), " bytes has no size"));
  const std::size_t bytes = u32(0);
  if (bytes > blob.size() - 4 || bytes % 4 != 0 || bytes == 0)
    fail(where, concat("the trie of the precompiled_charsmap should have ", bytes, " of ", blob.size() - 4, " bytes"));
  for (std::size_t at = 4; at < 4 + bytes; at += 4) units_.push_back(u32(at));
  replacements_ = blob.substr(4 + bytes);
  if (valid_prefix(replacements_) != replacements_.size()) fail(where, "the replacements of the precompiled_charsmap are not UTF-8");
}

// A unit: bit 8 has a leaf; bits 10 and up (shifted by 8 where bit 9 is set) the offset of its children; the low byte the label, with bit
// 31 clear. A leaf is its value with bit 31 set.
template <class Accept>
void Charsmap::walk(std::string_view text, Accept accept) const {
  if (units_.empty()) return;
  const auto offset = [](std::uint32_t unit) { return std::size_t{unit >> 10} << ((unit & (1u << 9)) >> 6); };
  std::size_t node = offset(units_[0]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == 0) return;
    node ^= byte;
    if (node >= units_.size()) broken();
    const std::uint32_t unit = units_[node];
    if ((unit & (1u << 31 | 0xFF)) != byte) return;
    node ^= offset(unit);
    if ((unit >> 8 & 1) != 0) {
      if (node >= units_.size()) broken();
      if (!accept(i + 1, units_[node] & ~(1u << 31))) return;
    }
  }
}

HEADWISE_INLINE Charsmap::Match Charsmap::match(std::size_t size, std::uint32_t offset) const {
  if (size == 0) return {};
  if (offset >= replacements_.size()) broken();
  const std::string_view rest = std::string_view(replacements_).substr(offset);
  if (is_continuation(rest[0])) broken();
  return {size, rest.substr(0, rest.find('\0'))};
}

HEADWISE_INLINE Charsmap::Match Charsmap::longest(std::string_view text) const {
  std::size_t size = 0;
  std::uint32_t offset = 0;
  walk(text, [&](std::size_t n, std::uint32_t value) { return size = n, offset = value, true; });
  return match(size, offset);
}

HEADWISE_INLINE Charsmap::Match Charsmap::shortest(std::string_view text) const {
  std::size_t size = 0;
  std::uint32_t offset = 0;
  walk(text, [&](std::size_t n, std::uint32_t value) { return size = n, offset = value, false; });
  return match(size, offset);
}

}  // namespace hw::text
