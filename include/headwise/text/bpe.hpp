#pragma once
// Byte pair encoding (Sennrich et al., arXiv:1508.07909) by a list of merges.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "headwise/text/pair_filter.hpp"
#include "headwise/text/vocabulary.hpp"

namespace hw::text {

/// A token and the bytes of the piece that it stands for.
struct Token {
  std::int32_t id;
  std::uint32_t begin, end;
};

/// What two neighbouring tokens become, and how early. A flat hash table: (left, right) -> (rank, merged).
class MergeTable {
 public:
  struct Merge {
    std::uint32_t rank = kNone;
    std::int32_t merged = -1;
  };
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;

  void reserve(std::size_t merges);
  /// A pair that is added twice has its last rank.
  void add(std::int32_t left, std::int32_t right, Merge merge);
  /// rank kNone: the two do not merge.
  Merge find(std::int32_t left, std::int32_t right) const noexcept;
  std::size_t size() const noexcept { return count_; }

 private:
  struct Slot {
    std::uint64_t pair;
    Merge merge;
  };
  std::size_t slot_of(std::uint64_t pair) const noexcept;

  std::vector<Slot> slots_;
  std::size_t count_ = 0;
};

/// Starts from the characters of a piece and merges the pair of lowest rank, the leftmost first, until none is left.
/// Cost: O(n log n) for a piece of n characters.
class Bpe {
 public:
  struct Options {
    std::string unk_token;  // "": characters without a token vanish
    std::string continuing_subword_prefix, end_of_word_suffix;
    bool fuse_unk = false;       // neighbouring unknown characters are one token
    bool byte_fallback = false;  // an unknown character becomes tokens <0x00> to <0xFF>
    bool ignore_merges = false;  // a piece that is a token is that token
    bool bytes = false;          // pieces are bytes, not yet characters of the byte alphabet
  };

  /// `merges`: pairs of tokens, first to last. Errors: a pair, or what it makes, that is not in the vocabulary.
  Bpe(const Vocabulary& vocabulary, const std::vector<std::pair<std::string_view, std::string_view>>& merges, Options options,
      std::string_view where);

  /// Errors: a character without a token where unk_token is not in the vocabulary.
  void tokenize(std::string_view piece, const Vocabulary& vocabulary, std::vector<Token>& out) const;

 private:
  void start(std::string_view piece, const Vocabulary& vocabulary, std::vector<Token>& out) const;
  std::int32_t symbol(std::string_view character, bool first, bool last, const Vocabulary& vocabulary) const;
  // Merge n tokens in place; return how many are left.
  std::size_t merge_short(Token* tokens, std::size_t n) const;
  std::size_t merge_long(Token* tokens, std::size_t count) const;
  void add_neighbours(const Vocabulary& vocabulary, std::string_view left, std::string_view right);

  Options options_;
  std::string where_;
  MergeTable merges_;
  PairFilter neighbours_;  // characters' tokens that some merge brings together: between others a piece can be cut
  bool cut_ = true;
  std::int32_t unk_ = -1;
  std::array<std::int32_t, 256> characters_{};  // ASCII characters, or bytes, without prefix and suffix
  std::array<std::int32_t, 256> bytes_{};       // <0x00> to <0xFF>
  Vocabulary words_;                            // with `bytes` and `ignore_merges`: tokens as bytes
};

/// "<0x41>" -> 65; -1 for any other text.
int byte_of_token(std::string_view token) noexcept;
/// 65 -> "<0x41>"
std::string byte_token(unsigned char byte);

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/bpe.inl.hpp"
#endif
