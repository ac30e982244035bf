#pragma once
// WordPiece (BERT): the longest token first, from left to right; and WordLevel, where a piece is a token.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/text/bpe.hpp"

namespace hw::text {

class WordPiece {
 public:
  struct Options {
    std::string unk_token = "[UNK]";
    std::string continuing_subword_prefix = "##";
    std::uint64_t max_input_chars_per_word = 100;  // a longer piece is unknown
  };
  WordPiece(Options options, std::string_view where) : options_(std::move(options)), where_(where) {}

  /// One unknown token when any part of the piece has no token. Errors: unk_token is not in the vocabulary and the text needs it.
  /// Cost: O(n x longest token).
  void tokenize(std::string_view piece, const Vocabulary& vocabulary, std::vector<Token>& out) const;

 private:
  Options options_;
  std::string where_;
};

class WordLevel {
 public:
  WordLevel(std::string unk_token, std::string_view where) : unk_token_(std::move(unk_token)), where_(where) {}
  void tokenize(std::string_view piece, const Vocabulary& vocabulary, std::vector<Token>& out) const;

 private:
  std::string unk_token_;
  std::string where_;
};

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/wordpiece.inl.hpp"
#endif
