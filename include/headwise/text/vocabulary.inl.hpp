#pragma once
#include <algorithm>
#include <bit>
#include <cstring>

#include "headwise/text/vocabulary.hpp"

namespace hw::text {

HEADWISE_INLINE std::uint64_t hash_of(std::string_view s) noexcept {
  std::uint64_t h = 0x9E3779B97F4A7C15u + s.size();
  const auto mix = [&](std::uint64_t bits) {
    h = (h ^ bits) * 0xD6E8FEB86659FD93u;
    h ^= h >> 32;
  };
  std::size_t i = 0;
  for (; i + 8 <= s.size(); i += 8) {
    std::uint64_t bits;
    std::memcpy(&bits, s.data() + i, 8);
    mix(bits);
  }
  std::uint64_t rest = 0;
  for (std::size_t k = 0; i + k < s.size(); ++k) rest |= std::uint64_t{static_cast<unsigned char>(s[i + k])} << 8 * k;
  mix(rest);
  h *= 0xD6E8FEB86659FD93u;
  return h ^ h >> 32;
}

HEADWISE_INLINE void Vocabulary::reserve(std::size_t tokens, std::size_t bytes) {
  characters_.reserve(bytes);
  tokens_.reserve(tokens);
  grow(std::bit_ceil(tokens * 2 + 16));
}

HEADWISE_INLINE void Vocabulary::add(std::string_view token, std::int64_t id, std::string_view where) {
  if (id < 0 || id >= kMaxId) fail(where, concat("the id ", id, " of the token ", hw::quoted(token), " is out of range"));
  if (token.size() >= kHole || characters_.size() > kHole - token.size()) fail(where, "the vocabulary has more than 4 GiB of text");
  const auto at = static_cast<std::size_t>(id);
  if (contains(id)) {
    if (text(id) == token) return;
    fail(where, concat("the tokens ", hw::quoted(text(id)), " and ", hw::quoted(token), " have the same id ", id));
  }
  if (slots_.size() < (count_ + 1) * 2) grow(std::bit_ceil((count_ + 1) * 4));
  if (tokens_.size() <= at) tokens_.resize(at + 1);
  tokens_[at] = {static_cast<std::uint32_t>(characters_.size()), static_cast<std::uint32_t>(token.size())};
  characters_.append(token);
  const std::uint64_t hash = hash_of(token);
  slots_[slot_of(token, hash)] = {static_cast<std::uint32_t>(hash), static_cast<std::int32_t>(id)};
  longest_ = std::max(longest_, token.size());
  ++count_;
}

HEADWISE_INLINE std::int32_t Vocabulary::find(std::string_view token) const noexcept {
  return slots_.empty() || token.size() > longest_ ? -1 : slots_[slot_of(token, hash_of(token))].id;
}

HEADWISE_INLINE std::string_view Vocabulary::text(std::int64_t id) const noexcept {
  if (!contains(id)) return {};
  const Token& token = tokens_[static_cast<std::size_t>(id)];
  return {characters_.data() + token.begin, token.size};
}

// The slot that holds `token`, or the free one where it belongs.
HEADWISE_INLINE std::size_t Vocabulary::slot_of(std::string_view token, std::uint64_t hash) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  const auto tag = static_cast<std::uint32_t>(hash);
  std::size_t slot = hash >> 32 & mask;
  while (slots_[slot].id >= 0 && (slots_[slot].tag != tag || text(slots_[slot].id) != token)) slot = (slot + 1) & mask;
  return slot;
}

HEADWISE_INLINE void Vocabulary::grow(std::size_t slots) {
  if (slots <= slots_.size()) return;
  slots_.assign(slots, Slot{});
  for (std::size_t id = 0; id < tokens_.size(); ++id) {
    if (tokens_[id].size == kHole) continue;
    const std::uint64_t hash = hash_of(text(static_cast<std::int64_t>(id)));
    slots_[slot_of(text(static_cast<std::int64_t>(id)), hash)] = {static_cast<std::uint32_t>(hash), static_cast<std::int32_t>(id)};
  }
}

}  // namespace hw::text
