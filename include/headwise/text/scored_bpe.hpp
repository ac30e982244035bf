#pragma once
// Byte pair encoding by scores: SentencePiece's "bpe" models, and the vocabularies of GGUF files made from them.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/text/bpe.hpp"
#include "headwise/text/pair_filter.hpp"
#include "headwise/text/token_trie.hpp"

namespace hw::text {

/// What a token is for, as SentencePiece models and GGUF files number it.
enum class TokenType : std::uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

/// Merges the two neighbours that together are the token of the highest score, the leftmost first. Tokens of type unused are taken apart
/// again; what is left without a token becomes bytes (where there are byte tokens) or the unknown token.
/// Cost: O(n log n) for n characters.
class ScoredBpe {
 public:
  struct Options {
    std::int32_t unk = -1;
    bool fuse_unk = true;  // neighbouring unknown characters are one token
    bool byte_fallback = false;
  };
  /// `user_defined`: texts that stay whole from the start.
  ScoredBpe(const Vocabulary& vocabulary, std::vector<float> scores, std::vector<TokenType> types, TokenTrie user_defined, Options options,
            std::string_view where);

  /// Errors: a character without a token where there is no unknown token.
  void tokenize(std::string_view piece, const Vocabulary& vocabulary, std::vector<Token>& out) const;

 private:
  class Run;
  std::int32_t usable(std::string_view text, const Vocabulary& vocabulary) const;

  std::vector<float> scores_;
  std::vector<TokenType> types_;
  TokenTrie user_defined_;
  Options options_;
  std::string where_;
  std::array<std::int32_t, 256> bytes_{};
  PairFilter neighbours_;  // characters that are side by side in some token
  bool cut_ = true;        // whether a text can be cut between others
};

/// The tokens <0x00> to <0xFF>; -1 where one is missing.
std::array<std::int32_t, 256> find_byte_tokens(const Vocabulary& vocabulary);

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/scored_bpe.inl.hpp"
#endif
