#pragma once
#include <algorithm>
#include <queue>
#include <unordered_map>

#include "headwise/text/scored_bpe.hpp"
#include "headwise/text/unicode.hpp"

namespace hw::text {

HEADWISE_INLINE std::array<std::int32_t, 256> find_byte_tokens(const Vocabulary& vocabulary) {
  std::array<std::int32_t, 256> bytes{};
  for (unsigned b = 0; b < 256; ++b) bytes[b] = vocabulary.find(byte_token(static_cast<unsigned char>(b)));
  return bytes;
}

HEADWISE_INLINE ScoredBpe::ScoredBpe(const Vocabulary& vocabulary, std::vector<float> scores, std::vector<TokenType> types, TokenTrie user_defined,
                                     Options options, std::string_view where)
    : scores_(std::move(scores)), types_(std::move(types)), user_defined_(std::move(user_defined)), options_(options), where_(where) {
  bytes_ = find_byte_tokens(vocabulary);
}

// The token that `text` may be: control, unknown and byte tokens do not come from text.
HEADWISE_INLINE std::int32_t ScoredBpe::usable(std::string_view text, const Vocabulary& vocabulary) const {
  const std::int32_t id = vocabulary.find(text);
  if (id < 0) return -1;
  const TokenType type = types_[static_cast<std::size_t>(id)];
  return type == TokenType::unknown || type == TokenType::control || type == TokenType::byte ? -1 : id;
}

HEADWISE_INLINE void ScoredBpe::tokenize(std::string_view piece, const Vocabulary& vocabulary, std::vector<Token>& out) const {
  struct Symbol {
    std::uint32_t begin, size, previous, next;
    bool frozen;
  };
  struct Entry {
    float score;
    std::uint32_t left, size;
    bool operator<(const Entry& other) const { return score != other.score ? score < other.score : left > other.left; }
  };
  std::vector<Symbol> symbols;
  symbols.reserve(piece.size());
  for (std::size_t at = 0; at < piece.size();) {
    const std::size_t defined = user_defined_.longest(piece.substr(at)).size, size = defined ? defined : utf8_size(piece[at]);
    const auto i = static_cast<std::uint32_t>(symbols.size());
    symbols.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(size), i - 1, i + 1, defined > 0});
    at += size;
  }
  const auto n = static_cast<std::uint32_t>(symbols.size());
  const auto text = [&](std::uint32_t begin, std::uint32_t size) { return piece.substr(begin, size); };

  std::unordered_map<std::string_view, std::uint32_t> parts;  // unused tokens: where they were put together
  std::vector<Entry> entries;
  const auto consider = [&](std::uint32_t left, auto push) {
    const Symbol &a = symbols[left], &b = symbols[a.next];
    if (a.frozen || b.frozen) return;
    const std::uint32_t size = a.size + b.size;
    const std::int32_t id = usable(text(a.begin, size), vocabulary);
    if (id < 0) return;
    push(Entry{scores_[static_cast<std::size_t>(id)], left, size});
    if (types_[static_cast<std::size_t>(id)] == TokenType::unused) parts[text(a.begin, size)] = a.size;
  };
  for (std::uint32_t i = 0; i + 1 < n; ++i) consider(i, [&](Entry entry) { entries.push_back(entry); });
  std::priority_queue<Entry> queue({}, std::move(entries));
  const auto push = [&](Entry entry) { queue.push(entry); };
  while (!queue.empty()) {
    const Entry top = queue.top();
    queue.pop();
    Symbol& left = symbols[top.left];
    if (left.size == 0 || left.next >= n || left.size + symbols[left.next].size != top.size) continue;  // merged meanwhile
    Symbol& right = symbols[left.next];
    left.size = top.size;
    right.size = 0;
    left.next = right.next;
    if (left.next < n) symbols[left.next].previous = top.left;
    if (left.previous < n) consider(left.previous, push);
    if (left.next < n) consider(top.left, push);
  }

  bool after_unknown = false;
  const auto put = [&](std::string_view part, std::uint32_t begin) {
    const auto end = static_cast<std::uint32_t>(begin + part.size());
    const std::int32_t id = usable(part, vocabulary);
    if (id >= 0) {
      out.push_back({id, begin, end});
    } else if (options_.byte_fallback &&
               std::all_of(part.begin(), part.end(), [&](char b) { return bytes_[static_cast<unsigned char>(b)] >= 0; })) {
      for (std::uint32_t i = 0; i < part.size(); ++i) out.push_back({bytes_[static_cast<unsigned char>(part[i])], begin + i, begin + i + 1});
    } else if (options_.unk < 0) {
      fail(where_, "the text has a character without a token, and there is no unknown token");
    } else if (after_unknown && options_.fuse_unk) {
      out.back().end = end;
      return;
    } else {
      out.push_back({options_.unk, begin, end});
      after_unknown = true;
      return;
    }
    after_unknown = false;
  };
  std::vector<std::pair<std::uint32_t, std::uint32_t>> stack;  // (begin, size): unused tokens are taken apart again
  for (std::uint32_t i = 0; i < n; i = symbols[i].next) {
    stack.assign(1, {symbols[i].begin, symbols[i].size});
    while (!stack.empty()) {
      const auto [begin, size] = stack.back();
      stack.pop_back();
      const std::string_view part = text(begin, size);
      const std::int32_t id = usable(part, vocabulary);
      const auto split = id >= 0 && types_[static_cast<std::size_t>(id)] == TokenType::unused ? parts.find(part) : parts.end();
      if (split == parts.end()) {
        put(part, begin);
      } else {
        stack.push_back({begin + split->second, size - split->second});
        stack.push_back({begin, split->second});
      }
    }
  }
}

}  // namespace hw::text
