#pragma once
#include <algorithm>
#include <bit>
#include <queue>

#include "headwise/text/bpe.hpp"
#include "headwise/text/byte_alphabet.hpp"

namespace hw::text {

HEADWISE_INLINE int byte_of_token(std::string_view token) noexcept {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

HEADWISE_INLINE std::string byte_token(unsigned char byte) {
  constexpr char kHex[] = "0123456789ABCDEF";
  return {'<', '0', 'x', kHex[byte >> 4], kHex[byte & 15], '>'};
}

HEADWISE_INLINE void MergeTable::reserve(std::size_t merges) { slots_.assign(std::bit_ceil(merges * 2 + 2), Slot{~std::uint64_t{0}, {}}); }

HEADWISE_INLINE std::size_t MergeTable::slot_of(std::uint64_t pair) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::uint64_t hash = pair * 0x9E3779B97F4A7C15u;
  hash ^= hash >> 29;
  std::size_t slot = (hash * 0xBF58476D1CE4E5B9u >> 24) & mask;
  while (slots_[slot].merge.rank != kNone && slots_[slot].pair != pair) slot = (slot + 1) & mask;
  return slot;
}

HEADWISE_INLINE void MergeTable::add(std::int32_t left, std::int32_t right, Merge merge) {
  const std::uint64_t pair = std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
  Slot& slot = slots_[slot_of(pair)];
  count_ += slot.merge.rank == kNone;
  slot = {pair, merge};
}

HEADWISE_INLINE MergeTable::Merge MergeTable::find(std::int32_t left, std::int32_t right) const noexcept {
  const std::uint64_t pair = std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
  return slots_[slot_of(pair)].merge;
}

HEADWISE_INLINE Bpe::Bpe(const Vocabulary& vocabulary, const std::vector<std::pair<std::string_view, std::string_view>>& merges,
                         Options options, std::string_view where)
    : options_(std::move(options)), where_(where) {
  merges_.reserve(merges.size());
  const auto token = [&](std::string_view text, const auto& merge) {
    const std::int32_t id = vocabulary.find(text);
    if (id < 0)
      fail(where_, concat("the merge of ", hw::quoted(merge.first), " and ", hw::quoted(merge.second), " needs the token ",
                          hw::quoted(text), ", which is not in the vocabulary"));
    return id;
  };
  const std::size_t prefix = options_.continuing_subword_prefix.size();
  std::string merged;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const auto& [left, right] = merges[i];
    if (right.size() < prefix)
      fail(where_, concat("the right side of the merge ", hw::quoted(left), " ", hw::quoted(right), " lacks the prefix"));
    merged.assign(left).append(right.substr(prefix));
    merges_.add(token(left, merges[i]), token(right, merges[i]), {static_cast<std::uint32_t>(i), token(merged, merges[i])});
    add_neighbours(vocabulary, left, right);
  }
  unk_ = options_.unk_token.empty() ? -1 : vocabulary.find(options_.unk_token);
  for (unsigned b = 0; b < 256; ++b) {
    std::string text;
    append_character(text, options_.bytes ? kByteAlphabet[b] : static_cast<char32_t>(b));
    characters_[b] = vocabulary.find(text);
    bytes_[b] = options_.byte_fallback ? vocabulary.find(byte_token(static_cast<unsigned char>(b))) : -1;
  }
  if (options_.bytes && options_.ignore_merges) {
    words_.reserve(vocabulary.size(), 0);
    std::string bytes;
    for (std::size_t id = 0; id < vocabulary.id_limit(); ++id) {
      bytes.clear();
      const auto i = static_cast<std::int64_t>(id);
      if (vocabulary.contains(i) && append_alphabet_bytes(bytes, vocabulary.text(i))) words_.add(bytes, i, where_);
    }
  }
}

// A merge of `left` and `right` makes neighbours of the last character of the one and the first of the other. Where a piece does not begin
// as the tokens of its characters (prefixes, suffixes, byte tokens that merge), it is not cut.
HEADWISE_INLINE void Bpe::add_neighbours(const Vocabulary& vocabulary, std::string_view left, std::string_view right) {
  const auto has_byte_token = [](std::string_view s) {
    for (std::size_t at = s.find("<0x"); at != std::string_view::npos; at = s.find("<0x", at + 1))
      if (byte_of_token(s.substr(at, 6)) >= 0) return true;
    return false;
  };
  cut_ = cut_ && options_.continuing_subword_prefix.empty() && options_.end_of_word_suffix.empty() && !left.empty() && !right.empty() &&
         !(options_.byte_fallback && (has_byte_token(left) || has_byte_token(right)));
  if (!cut_) return;
  std::size_t last = left.size() - 1;
  while (last > 0 && is_continuation(left[last])) --last;
  const std::int32_t a = vocabulary.find(left.substr(last)), b = vocabulary.find(right.substr(0, utf8_size(right[0])));
  if (a >= 0 && b >= 0) neighbours_.add(static_cast<std::uint32_t>(a), static_cast<std::uint32_t>(b));
}

// The token of one character (or byte) at its place in the piece; -1: none.
HEADWISE_INLINE std::int32_t Bpe::symbol(std::string_view character, bool first, bool last, const Vocabulary& vocabulary) const {
  const bool prefix = !first && !options_.continuing_subword_prefix.empty(), suffix = last && !options_.end_of_word_suffix.empty();
  if (!prefix && !suffix && character.size() == 1) return characters_[static_cast<unsigned char>(character[0])];
  if (!prefix && !suffix) return vocabulary.find(character);
  std::string text = prefix ? options_.continuing_subword_prefix : std::string();
  if (options_.bytes)
    append_character(text, kByteAlphabet[static_cast<unsigned char>(character[0])]);
  else
    text += character;
  if (suffix) text += options_.end_of_word_suffix;
  return vocabulary.find(text);
}

HEADWISE_INLINE void Bpe::start(std::string_view piece, const Vocabulary& vocabulary, std::vector<Token>& out) const {
  std::uint32_t end = 0;      // of the tokens so far: a character without any token takes no place
  std::uint32_t unknown = 0;  // bytes of an unknown token that is not out yet
  const auto put = [&](std::int32_t id, std::uint32_t size) {
    out.push_back({id, end, end + size});
    end += size;
  };
  const auto flush = [&] {
    if (unknown > 0) put(unk_, unknown);
    unknown = 0;
  };
  for (std::size_t at = 0; at < piece.size();) {
    const std::size_t size = options_.bytes ? 1 : utf8_size(piece[at]);
    const std::string_view character = piece.substr(at, size);
    const std::int32_t id = symbol(character, at == 0, at + size == piece.size(), vocabulary);
    at += size;
    if (id >= 0) {
      flush();
      put(id, static_cast<std::uint32_t>(size));
      continue;
    }
    if (options_.byte_fallback &&
        std::all_of(character.begin(), character.end(), [&](char b) { return bytes_[static_cast<unsigned char>(b)] >= 0; })) {
      for (const char b : character) put(bytes_[static_cast<unsigned char>(b)], 1);
      continue;
    }
    if (options_.unk_token.empty()) continue;
    if (unk_ < 0)
      fail(where_, concat("the unk_token ", hw::quoted(options_.unk_token), " is not in the vocabulary, and the text needs it"));
    if (!options_.fuse_unk) flush();
    unknown += static_cast<std::uint32_t>(size);
  }
  flush();
}

HEADWISE_INLINE void Bpe::tokenize(std::string_view piece, const Vocabulary& vocabulary, std::vector<Token>& out) const {
  if (options_.ignore_merges) {
    const std::int32_t id = options_.bytes ? words_.find(piece) : vocabulary.find(piece);
    if (id >= 0) return out.push_back({id, 0, static_cast<std::uint32_t>(piece.size())});
  }
  const std::size_t begin = out.size();
  start(piece, vocabulary, out);
  constexpr std::size_t kShort = 48;
  const bool whole = !cut_ || out.size() - begin <= 16;
  std::size_t kept = begin;
  for (std::size_t i = begin; i < out.size();) {
    std::size_t end = whole ? out.size() : i + 1;  // of a run that merges may reach through
    while (end < out.size() &&
           neighbours_.may_contain(static_cast<std::uint32_t>(out[end - 1].id), static_cast<std::uint32_t>(out[end].id)))
      ++end;
    const std::size_t n = end - i <= kShort ? merge_short(&out[i], end - i) : merge_long(&out[i], end - i);
    std::copy_n(out.begin() + static_cast<std::ptrdiff_t>(i), n, out.begin() + static_cast<std::ptrdiff_t>(kept));
    kept += n;
    i = end;
  }
  out.resize(kept);
}

// Looks through all pairs for the lowest rank: the quickest for words.
HEADWISE_INLINE std::size_t Bpe::merge_short(Token* tokens, std::size_t n) const {
  std::array<MergeTable::Merge, 48> pairs;
  for (std::size_t i = 0; i + 1 < n; ++i) pairs[i] = merges_.find(tokens[i].id, tokens[i + 1].id);
  while (n > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < n; ++i)
      if (pairs[i].rank < pairs[best].rank) best = i;
    if (pairs[best].rank == MergeTable::kNone) break;
    tokens[best] = {pairs[best].merged, tokens[best].begin, tokens[best + 1].end};
    std::copy(tokens + best + 2, tokens + n, tokens + best + 1);
    std::copy(pairs.begin() + static_cast<std::ptrdiff_t>(best) + 1, pairs.begin() + static_cast<std::ptrdiff_t>(n) - 1,
              pairs.begin() + static_cast<std::ptrdiff_t>(best));
    --n;
    if (best > 0) pairs[best - 1] = merges_.find(tokens[best - 1].id, tokens[best].id);
    if (best + 1 < n) pairs[best] = merges_.find(tokens[best].id, tokens[best + 1].id);
  }
  return n;
}

// A queue of possible merges over a linked list. An entry is out of date when its pair no longer makes the same token.
HEADWISE_INLINE std::size_t Bpe::merge_long(Token* tokens, std::size_t count) const {
  struct Entry {
    std::uint32_t rank, left;
    std::int32_t merged;
    bool operator<(const Entry& other) const { return rank != other.rank ? rank > other.rank : left > other.left; }
  };
  const auto n = static_cast<std::uint32_t>(count);
  std::vector<std::uint32_t> next(n), previous(n);  // n: none
  std::vector<Entry> entries;
  const auto consider = [&](std::uint32_t left, auto push) {
    const MergeTable::Merge merge = merges_.find(tokens[left].id, tokens[next[left]].id);
    if (merge.rank != MergeTable::kNone) push(Entry{merge.rank, left, merge.merged});
  };
  for (std::uint32_t i = 0; i < n; ++i) {
    next[i] = i + 1;
    previous[i] = i > 0 ? i - 1 : n;
  }
  for (std::uint32_t i = 0; i + 1 < n; ++i) consider(i, [&](Entry entry) { entries.push_back(entry); });
  std::priority_queue<Entry> queue({}, std::move(entries));
  const auto push = [&](Entry entry) { queue.push(entry); };
  while (!queue.empty()) {
    const Entry top = queue.top();
    queue.pop();
    Token& left = tokens[top.left];
    const std::uint32_t right = next[top.left];
    if (left.id < 0 || right == n || merges_.find(left.id, tokens[right].id).merged != top.merged) continue;
    left = {top.merged, left.begin, tokens[right].end};
    tokens[right].id = -1;
    next[top.left] = next[right];
    if (next[right] < n) previous[next[right]] = top.left;
    if (previous[top.left] < n) consider(previous[top.left], push);
    if (next[top.left] < n) consider(top.left, push);
  }
  return static_cast<std::size_t>(std::remove_if(tokens, tokens + n, [](const Token& t) { return t.id < 0; }) - tokens);
}

}  // namespace hw::text
