#pragma once
// The unigram language model (Kudo, arXiv:1804.10959): the division of a piece whose tokens have the highest sum of log probabilities.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/text/bpe.hpp"
#include "headwise/text/token_trie.hpp"

namespace hw::text {

/// Viterbi search. A character that no token begins with costs 10 more than the least likely token. Cost: O(n x longest token).
class Unigram {
 public:
  struct Options {
    std::int32_t unk = -1;
    bool byte_fallback = false;
    bool fuse_unk = true;               // neighbouring unknown characters are one token
    bool single_precision = false;      // sums are kept in float, as sentencepiece does, not in double
    std::optional<double> least_score;  // that of the least likely token
  };
  /// `scores` by id; `usable` says which tokens text may become. Errors: no token; a score that is not finite.
  Unigram(const Vocabulary& vocabulary, std::vector<double> scores, const std::vector<bool>& usable, Options options,
          std::string_view where);

  /// Errors: an unknown character where there is no unknown token.
  void tokenize(std::string_view piece, const Vocabulary& vocabulary, std::vector<Token>& out) const;

 private:
  template <class Score>
  void search(std::string_view piece, std::vector<Token>& out) const;

  TokenTrie trie_;
  std::vector<double> scores_;
  double unknown_score_ = 0;
  Options options_;
  std::string where_;
  std::array<std::int32_t, 256> bytes_{};
};

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/unigram.inl.hpp"
#endif
