#pragma once
// Tokens by id and ids by token.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/core/error.hpp"

namespace hw::text {

/// 64 bits that depend on every byte of `s`.
std::uint64_t hash_of(std::string_view s) noexcept;

/// A table of byte strings with ids. Ids may have holes, but not be as large as `kMaxId`.
class Vocabulary {
 public:
  static constexpr std::int64_t kMaxId = std::int64_t{1} << 24;

  void reserve(std::size_t tokens, std::size_t bytes);

  /// Adds a token. Errors: an id out of range or that another token has; more than 4 GiB of tokens. A token that is there already keeps
  /// both ids: `find` gives the later one.
  void add(std::string_view token, std::int64_t id, std::string_view where);

  /// -1 when there is no such token.
  std::int32_t find(std::string_view token) const noexcept;

  /// Whether `id` has a token, and its text ("" where it has none).
  bool contains(std::int64_t id) const noexcept {
    return id >= 0 && static_cast<std::size_t>(id) < tokens_.size() && tokens_[static_cast<std::size_t>(id)].size != kHole;
  }
  std::string_view text(std::int64_t id) const noexcept;

  /// The largest id + 1, and the number of tokens.
  std::size_t id_limit() const noexcept { return tokens_.size(); }
  std::size_t size() const noexcept { return count_; }
  std::size_t longest() const noexcept { return longest_; }

 private:
  static constexpr std::uint32_t kHole = 0xFFFFFFFF;
  struct Token {
    std::uint32_t begin = 0, size = kHole;
  };
  struct Slot {
    std::uint32_t tag = 0;  // of the token's hash: most searches for what is not there end without a look at any token
    std::int32_t id = -1;   // -1: free
  };
  std::size_t slot_of(std::string_view token, std::uint64_t hash) const noexcept;
  void grow(std::size_t slots);

  std::string characters_;
  std::vector<Token> tokens_;
  std::vector<Slot> slots_;  // open addressing
  std::size_t count_ = 0, longest_ = 0;
};

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/vocabulary.inl.hpp"
#endif
