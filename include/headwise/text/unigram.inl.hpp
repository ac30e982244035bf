#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "headwise/text/scored_bpe.hpp"
#include "headwise/text/unicode.hpp"
#include "headwise/text/unigram.hpp"

namespace hw::text {

namespace detail {
template <class Score>
struct BestPath {
  Score score;
  std::uint32_t begin;  // of its last token
  std::int32_t id;
};
}  // namespace detail

HEADWISE_INLINE Unigram::Unigram(const Vocabulary& vocabulary, std::vector<double> scores, const std::vector<bool>& usable, Options options,
                                 std::string_view where)
    : scores_(std::move(scores)), options_(options), where_(where) {
  std::vector<std::pair<std::string_view, std::int32_t>> entries;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t id = 0; id < scores_.size(); ++id) {
    if (!vocabulary.contains(static_cast<std::int64_t>(id))) continue;
    if (!std::isfinite(scores_[id]))
      fail(where, concat("the score of ", hw::quoted(vocabulary.text(static_cast<std::int64_t>(id))), " is not finite"));
    if (!usable[id] || vocabulary.find(vocabulary.text(static_cast<std::int64_t>(id))) != static_cast<std::int32_t>(id)) continue;
    least = std::min(least, scores_[id]);
    entries.push_back({vocabulary.text(static_cast<std::int64_t>(id)), static_cast<std::int32_t>(id)});
  }
  if (entries.empty()) fail(where, "the unigram vocabulary is empty");
  trie_ = TokenTrie(std::move(entries), where);
  constexpr double kUnknownPenalty = 10;
  unknown_score_ = options_.least_score.value_or(least) - kUnknownPenalty;
  bytes_ = find_byte_tokens(vocabulary);
}

HEADWISE_INLINE void Unigram::tokenize(std::string_view piece, const Vocabulary& vocabulary, std::vector<Token>& out) const {
  const std::size_t begin = out.size();
  options_.single_precision ? search<float>(piece, out) : search<double>(piece, out);

  // The path came out from its end. Unknown characters are still one token each, without an id.
  std::reverse(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end());
  std::vector<Token> path(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end());
  out.resize(begin);
  for (std::size_t i = 0; i < path.size();) {
    Token token = path[i++];
    if (token.id >= 0) {
      out.push_back(token);
      continue;
    }
    const bool fused = options_.fuse_unk || options_.byte_fallback;
    while (fused && i < path.size() && path[i].id < 0) token.end = path[i++].end;
    const std::string_view text = piece.substr(token.begin, token.end - token.begin);
    if (const std::int32_t id = vocabulary.find(text); id >= 0 && options_.fuse_unk && !options_.single_precision) {
      out.push_back({id, token.begin, token.end});  // the tokenizers library looks fused characters up
    } else if (options_.byte_fallback &&
               std::all_of(text.begin(), text.end(), [&](char b) { return bytes_[static_cast<unsigned char>(b)] >= 0; })) {
      for (std::uint32_t k = token.begin; k < token.end; ++k) {
        const bool own = options_.single_precision;  // sentencepiece gives each byte its own place
        out.push_back({bytes_[static_cast<unsigned char>(piece[k])], own ? k : token.begin, own ? k + 1 : token.end});
      }
    } else if (options_.unk < 0) {
      fail(where_, "the text has a character without a token, and there is no unknown token (unk_id)");
    } else {
      out.push_back({options_.unk, token.begin, token.end});
    }
  }
}

// Appends the best path's tokens, the last one first.
template <class Score>
void Unigram::search(std::string_view piece, std::vector<Token>& out) const {
  constexpr std::uint32_t kNowhere = 0xFFFFFFFF;
  using Best = detail::BestPath<Score>;
  std::vector<Best> best(piece.size() + 1, Best{0, kNowhere, -1});  // of the divisions that end at each byte
  const auto reach = [&](std::size_t begin, std::size_t end, double sum, std::int32_t id) {
    Best& there = best[end];
    if (there.begin == kNowhere || sum > there.score) there = {static_cast<Score>(sum), static_cast<std::uint32_t>(begin), id};
  };
  for (std::size_t at = 0; at < piece.size();) {
    const std::size_t size = utf8_size(piece[at]);
    bool single = false;
    trie_.prefixes(piece.substr(at), [&](std::size_t n, std::int32_t id) {
      reach(at, at + n, best[at].score + scores_[static_cast<std::size_t>(id)], id);
      single = single || n == size;
    });
    if (!single) reach(at, at + size, static_cast<Score>(best[at].score + static_cast<Score>(unknown_score_)), -1);
    at += size;
  }
  for (std::size_t end = piece.size(); end > 0;) {
    const Best& step = best[end];
    out.push_back({step.id, step.begin, static_cast<std::uint32_t>(end)});
    end = step.begin;
  }
}

}  // namespace hw::text
