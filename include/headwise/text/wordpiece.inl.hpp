#pragma once
#include <algorithm>

#include "headwise/text/unicode.hpp"
#include "headwise/text/wordpiece.hpp"

namespace hw::text {

namespace detail {
inline std::int32_t unknown_token(std::string_view token, const Vocabulary& vocabulary, std::string_view where) {
  const std::int32_t id = vocabulary.find(token);
  if (id < 0) fail(where, concat("the unk_token ", hw::quoted(token), " is not in the vocabulary, and the text needs it"));
  return id;
}
}  // namespace detail

HEADWISE_INLINE void WordPiece::tokenize(std::string_view piece, const Vocabulary& vocabulary, std::vector<Token>& out) const {
  const std::size_t before = out.size();
  const auto size = static_cast<std::uint32_t>(piece.size());
  const auto unknown = [&] {
    out.resize(before);
    out.push_back({detail::unknown_token(options_.unk_token, vocabulary, where_), 0, size});
  };
  const auto characters = static_cast<std::uint64_t>(std::count_if(piece.begin(), piece.end(), [](char b) { return !is_continuation(b); }));
  if (characters > options_.max_input_chars_per_word) return unknown();
  std::string text;
  for (std::size_t begin = 0; begin < piece.size();) {
    const std::string_view prefix = begin > 0 ? std::string_view(options_.continuing_subword_prefix) : std::string_view();
    std::size_t end = std::min(piece.size(), begin + vocabulary.longest());
    while (end < piece.size() && is_continuation(piece[end])) --end;
    std::int32_t id = -1;
    text.assign(prefix).append(piece, begin, end - begin);
    while (end > begin) {
      id = vocabulary.find(text);
      if (id >= 0) break;
      do {
        --end;
        text.pop_back();
      } while (is_continuation(piece[end]));
    }
    if (id < 0) return unknown();
    out.push_back({id, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
    begin = end;
  }
}

HEADWISE_INLINE void WordLevel::tokenize(std::string_view piece, const Vocabulary& vocabulary, std::vector<Token>& out) const {
  const std::int32_t id = vocabulary.find(piece);
  out.push_back({id >= 0 ? id : detail::unknown_token(unk_token_, vocabulary, where_), 0, static_cast<std::uint32_t>(piece.size())});
}

}  // namespace hw::text
