#pragma once
#include "headwise/text/added_tokens.hpp"

namespace hw::text {

HEADWISE_INLINE AddedTokens::AddedTokens(std::vector<AddedToken> tokens, const Normalizer& normalizer, std::string_view where) {
  for (AddedToken& token : tokens) {
    if (token.content.empty()) continue;
    if (const AddedToken* other = find(token.content); other && other->id != token.id)
      fail(where, concat("the added token ", hw::quoted(token.content), " has the ids ", other->id, " and ", token.id));
    if (const AddedToken* other = find(token.id); other && other->content != token.content)
      fail(where,
           concat("the added tokens ", hw::quoted(other->content), " and ", hw::quoted(token.content), " have the same id ", token.id));
    if (!by_id_.emplace(token.id, tokens_.size()).second) continue;
    by_content_.emplace(token.content, tokens_.size());
    tokens_.push_back(std::move(token));
  }
  std::vector<std::pair<std::string_view, std::int32_t>> raw, normalized;
  std::vector<std::string> contents;  // of the normalised ones
  contents.reserve(tokens_.size());
  // Special tokens come first: of two that are equal after normalisation, the first counts.
  for (const bool special : {true, false})
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].special != special) continue;
      tokens_[i].decoded = tokens_[i].content;
      if (!tokens_[i].normalized) {
        raw.emplace_back(tokens_[i].content, static_cast<std::int32_t>(i));
        continue;
      }
      AlignedText text(tokens_[i].content, 0);
      normalizer(text);
      contents.emplace_back(text.view());
      tokens_[i].decoded = text.view();
      normalized.emplace_back(contents.back(), static_cast<std::int32_t>(i));
    }
  for (AddedToken& token : tokens_) {
    const AddedToken* same = find(token.decoded);
    token.decoded_special = same && same->special;
  }
  raw_ = TokenTrie(std::move(raw), where);
  normalized_ = TokenTrie(std::move(normalized), where);
}

HEADWISE_INLINE const AddedToken* AddedTokens::find(std::int32_t id) const noexcept {
  const auto i = by_id_.find(id);
  return i == by_id_.end() ? nullptr : &tokens_[i->second];
}

HEADWISE_INLINE const AddedToken* AddedTokens::find(std::string_view content) const noexcept {
  const auto i = by_content_.find(std::string(content));
  return i == by_content_.end() ? nullptr : &tokens_[i->second];
}

HEADWISE_INLINE void AddedTokens::divide(std::string_view text, const TokenTrie& trie, bool parse_special, std::vector<Piece>& out) const {
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size() && !trie.empty();) {
    const TokenTrie::Match match = trie.starts(text[at]) ? trie.longest(text.substr(at)) : TokenTrie::Match{};
    if (match.size == 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(match.value)];
    std::size_t begin = at, end = at + match.size;
    at = end;
    if (token.special && !parse_special) continue;
    if (token.single_word) {
      std::size_t before = begin, after = end;
      if (begin > 0 && is_word(previous_character(text, before))) continue;
      if (end < text.size() && is_word(next_character(text, after))) continue;
    }
    if (token.lstrip) {
      // What the last token took already stays with it.
      for (std::size_t space = begin; space > done && is_space(previous_character(text, space));) begin = space;
      if (begin < done) begin = done;
    }
    if (token.rstrip)
      for (std::size_t space = end; space < text.size() && is_space(next_character(text, space));) end = space;
    if (done < begin) out.push_back({done, begin});
    out.push_back({begin, end, token.id});
    done = end;
  }
  if (done < text.size()) out.push_back({done, text.size()});
}

}  // namespace hw::text
