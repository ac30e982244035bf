#pragma once
#include <algorithm>
#include <unordered_map>

#include "headwise/text/scored_bpe.hpp"
#include "headwise/text/unicode.hpp"

namespace hw::text {

HEADWISE_INLINE std::array<std::int32_t, 256> find_byte_tokens(const Vocabulary& vocabulary) {
  std::array<std::int32_t, 256> bytes{};
  for (unsigned b = 0; b < 256; ++b) bytes[b] = vocabulary.find(byte_token(static_cast<unsigned char>(b)));
  return bytes;
}

HEADWISE_INLINE ScoredBpe::ScoredBpe(const Vocabulary& vocabulary, std::vector<float> scores, std::vector<TokenType> types,
                                     TokenTrie user_defined, Options options, std::string_view where)
    : scores_(std::move(scores)), types_(std::move(types)), user_defined_(std::move(user_defined)), options_(options), where_(where) {
  bytes_ = find_byte_tokens(vocabulary);
  for (std::size_t id = 0; id < types_.size(); ++id) {
    const std::string_view token = vocabulary.text(static_cast<std::int64_t>(id));
    cut_ = cut_ && types_[id] != TokenType::unused;  // how one is taken apart depends on the whole text
    for (std::size_t at = 0, next = token.empty() ? 0 : utf8_size(token[0]); next < token.size();) {
      const char32_t left = next_character(token, at);
      neighbours_.add(left, next_character(token, next));
    }
  }
}

// The token that `text` may be: control, unknown and byte tokens do not come from text.
HEADWISE_INLINE std::int32_t ScoredBpe::usable(std::string_view text, const Vocabulary& vocabulary) const {
  const std::int32_t id = vocabulary.find(text);
  if (id < 0) return -1;
  const TokenType type = types_[static_cast<std::size_t>(id)];
  return type == TokenType::unknown || type == TokenType::control || type == TokenType::byte ? -1 : id;
}

// A piece at work, part by part: what merges in one part has nothing to do with the others.
class ScoredBpe::Run {
 public:
  Run(const ScoredBpe& model, std::string_view piece, const Vocabulary& vocabulary, std::vector<Token>& out)
      : model_(model), piece_(piece), vocabulary_(vocabulary), out_(out) {}

  void part(std::size_t begin, std::size_t end) {
    symbols_.clear();
    for (std::size_t at = begin; at < end;) {
      const std::size_t defined = model_.user_defined_.longest(piece_.substr(at)).size, size = defined ? defined : utf8_size(piece_[at]);
      const auto i = static_cast<std::uint32_t>(symbols_.size());
      symbols_.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(size), i - 1, i + 1, defined > 0});
      at += size;
    }
    merge();
    for (std::uint32_t i = 0; i < symbols_.size(); i = symbols_[i].next) put(symbols_[i].begin, symbols_[i].size);
  }

 private:
  struct Symbol {
    std::uint32_t begin, size, previous, next;
    bool frozen;
  };
  struct Entry {
    float score;
    std::uint32_t left, size;
    bool operator<(const Entry& other) const { return score != other.score ? score < other.score : left > other.left; }
  };

  std::string_view text(std::uint32_t begin, std::uint32_t size) const { return piece_.substr(begin, size); }

  void consider(std::uint32_t left) {
    const Symbol &a = symbols_[left], &b = symbols_[a.next];
    if (a.frozen || b.frozen) return;
    const std::uint32_t size = a.size + b.size;
    const std::int32_t id = model_.usable(text(a.begin, size), vocabulary_);
    if (id < 0) return;
    queue_.push_back({model_.scores_[static_cast<std::size_t>(id)], left, size});
    std::push_heap(queue_.begin(), queue_.end());
    if (model_.types_[static_cast<std::size_t>(id)] == TokenType::unused) halves_[text(a.begin, size)] = a.size;
  }

  void merge() {
    const auto n = static_cast<std::uint32_t>(symbols_.size());
    queue_.clear();
    for (std::uint32_t i = 0; i + 1 < n; ++i) consider(i);
    while (!queue_.empty()) {
      std::pop_heap(queue_.begin(), queue_.end());
      const Entry top = queue_.back();
      queue_.pop_back();
      Symbol& left = symbols_[top.left];
      if (left.size == 0 || left.next >= n || left.size + symbols_[left.next].size != top.size) continue;  // merged meanwhile
      Symbol& right = symbols_[left.next];
      left.size = top.size;
      right.size = 0;
      left.next = right.next;
      if (left.next < n) symbols_[left.next].previous = top.left;
      if (left.previous < n) consider(left.previous);
      if (left.next < n) consider(top.left);
    }
  }

  // Takes unused tokens apart again.
  void put(std::uint32_t begin, std::uint32_t size) {
    stack_.assign(1, {begin, size});
    while (!stack_.empty()) {
      const auto [at, length] = stack_.back();
      stack_.pop_back();
      const std::int32_t id = model_.usable(text(at, length), vocabulary_);
      const bool unused = id >= 0 && model_.types_[static_cast<std::size_t>(id)] == TokenType::unused;
      const auto half = unused ? halves_.find(text(at, length)) : halves_.end();
      if (half == halves_.end()) {
        put_token(id, at, length);
      } else {
        stack_.push_back({at + half->second, length - half->second});
        stack_.push_back({at, half->second});
      }
    }
  }

  void put_token(std::int32_t id, std::uint32_t begin, std::uint32_t size) {
    const auto byte = [&](char b) { return model_.bytes_[static_cast<unsigned char>(b)]; };
    const std::string_view part = text(begin, size);
    const bool unknown =
        id < 0 && !(model_.options_.byte_fallback && std::all_of(part.begin(), part.end(), [&](char b) { return byte(b) >= 0; }));
    if (id >= 0) {
      out_.push_back({id, begin, begin + size});
    } else if (!unknown) {
      for (std::uint32_t i = 0; i < size; ++i) out_.push_back({byte(part[i]), begin + i, begin + i + 1});
    } else if (model_.options_.unk < 0) {
      fail(model_.where_, "the text has a character without a token, and there is no unknown token");
    } else if (after_unknown_ && model_.options_.fuse_unk) {
      out_.back().end = begin + size;
    } else {
      out_.push_back({model_.options_.unk, begin, begin + size});
    }
    after_unknown_ = unknown;
  }

  const ScoredBpe& model_;
  std::string_view piece_;
  const Vocabulary& vocabulary_;
  std::vector<Token>& out_;
  std::vector<Symbol> symbols_;
  std::vector<Entry> queue_;  // a heap
  std::vector<std::pair<std::uint32_t, std::uint32_t>> stack_;
  std::unordered_map<std::string_view, std::uint32_t> halves_;  // of unused tokens: the size of the left one that it was made from
  bool after_unknown_ = false;
};

HEADWISE_INLINE void ScoredBpe::tokenize(std::string_view piece, const Vocabulary& vocabulary, std::vector<Token>& out) const {
  Run run(*this, piece, vocabulary, out);
  std::size_t begin = 0;
  char32_t before = 0;
  for (std::size_t at = 0; at < piece.size();) {
    const std::size_t here = at;
    const char32_t c = next_character(piece, at);
    if (cut_ && here > begin && !neighbours_.may_contain(before, c)) {
      run.part(begin, here);
      begin = here;
    }
    before = c;
  }
  run.part(begin, piece.size());
}

}  // namespace hw::text
