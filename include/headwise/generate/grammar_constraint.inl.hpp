#pragma once
#include <algorithm>
#include <cstring>
#include <numeric>

#include "headwise/generate/grammar_constraint.hpp"
#include "headwise/text/byte_alphabet.hpp"

namespace hw {

// A token that is part of a character decodes to U+FFFD alone: then it is spelled in the byte alphabet, or <0xE2>.
HEADWISE_LOAD_TIME TokenTexts::TokenTexts(const Tokenizer& tokenizer) {
  const auto count = static_cast<std::int32_t>(tokenizer.vocab_size());
  texts_.resize(static_cast<std::size_t>(count));
  // What a token adds behind another one: at the beginning of a text a space of it may be dropped.
  std::int32_t before = 0;
  std::string head;
  for (; before < count; ++before)
    if (tokenizer.has_token(before) && !tokenizer.is_special(before))
      if (head = tokenizer.decode({{before}}); head.size() == 1 && head[0] > ' ') break;
  for (std::int32_t id = 0; id < count; ++id) {
    if (!tokenizer.has_token(id) || tokenizer.is_special(id)) continue;
    std::string& text = texts_[static_cast<std::size_t>(id)];
    text = before < count ? tokenizer.decode({{before, id}}).substr(head.size()) : tokenizer.decode({{id}});
    if (text.find("\xEF\xBF\xBD") == std::string::npos) continue;
    const std::string_view token = tokenizer.token_of(id);
    text.clear();
    if (token.size() == 6 && token.starts_with("<0x") && token[5] == '>') {
      text = static_cast<char>(std::stoi(std::string(token.substr(3, 2)), nullptr, 16));
    } else {
      text::append_alphabet_bytes(text, token);
    }
  }
  sort();
}

HEADWISE_LOAD_TIME TokenTexts::TokenTexts(std::vector<std::string> texts) : texts_(std::move(texts)) { sort(); }

HEADWISE_LOAD_TIME void TokenTexts::sort() {
  for (std::size_t id = 0; id < texts_.size(); ++id)
    if (!texts_[id].empty()) order_.push_back(static_cast<std::int32_t>(id));
  std::sort(order_.begin(), order_.end(), [&](std::int32_t a, std::int32_t b) { return (*this)[a] < (*this)[b]; });
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const std::string_view text = (*this)[order_[i]], last = i > 0 ? (*this)[order_[i - 1]] : "";
    shared_.push_back(static_cast<std::uint32_t>(
        std::mismatch(text.begin(), text.begin() + std::min(text.size(), last.size()), last.begin()).first - text.begin()));
  }
}

HEADWISE_LOAD_TIME FollowGrammar::FollowGrammar(Grammar grammar, std::shared_ptr<const TokenTexts> texts, std::vector<std::int32_t> end_ids)
    : grammar_(std::move(grammar)), texts_(std::move(texts)), end_ids_(std::move(end_ids)), matcher_(grammar_) {
  std::erase(end_ids_, -1);
}

HEADWISE_INLINE void FollowGrammar::follow(std::span<const std::int32_t> ids) {
  if (!started_) begin_ = ids.size();
  const bool goes_on = started_ && ids.size() >= read_.size() && std::equal(read_.begin(), read_.end(), ids.begin());
  if (!goes_on) {  // a new text, or one that was cut back
    if (ids.size() < begin_) begin_ = ids.size();
    started_ = true;
    ended_ = false;
    matcher_ = GrammarMatcher(grammar_);
    kept_.clear();
    read_.assign(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(begin_));
  }
  for (const std::int32_t id : ids.subspan(read_.size())) {
    const bool end = std::find(end_ids_.begin(), end_ids_.end(), id) != end_ids_.end();
    if (end) ended_ = true;
    if (!end && (id < 0 || id >= texts_->size() || (*texts_)[id].empty() || !matcher_.push((*texts_)[id])))
      fail("grammar", concat("token ", id, " at position ", read_.size() - begin_, " of the text does not follow it"));
    read_.push_back(id);
  }
}

HEADWISE_INLINE const FollowGrammar::Bits& FollowGrammar::allowed() {
  const GrammarMatcher::Places& now = matcher_.places();
  std::string key(now.states.size() * sizeof(GrammarMatcher::State), '\0');
  if (!key.empty()) std::memcpy(key.data(), now.states.data(), key.size());
  if (kept_.size() > 256 || kept_from_ != matcher_.renumbered()) kept_.clear();
  kept_from_ = matcher_.renumbered();
  const auto [at, added] = kept_.try_emplace(std::move(key));
  Bits& bits = at->second;
  if (!added) return bits;
  try {
    bits.assign(static_cast<std::size_t>(texts_->size() + 63) / 64, 0);
    std::vector<GrammarMatcher::Places> way{now};  // after each byte of the token at hand
    std::size_t fits = 0;                          // so many bytes of it do
    for (std::size_t i = 0; i < texts_->order_.size(); ++i) {
      const std::string_view text = (*texts_)[texts_->order_[i]];
      if (i > 0 && texts_->shared_[i] > fits) continue;  // begins like one that did not fit
      fits = i > 0 ? texts_->shared_[i] : 0;
      for (; fits < text.size(); ++fits) {
        if (way.size() < fits + 2) way.emplace_back();
        matcher_.step(way[fits], static_cast<unsigned char>(text[fits]), way[fits + 1]);
        if (way[fits + 1].dead()) break;
      }
      const auto id = static_cast<std::size_t>(texts_->order_[i]);
      if (fits == text.size()) bits[id / 64] |= std::uint64_t{1} << (id % 64);
    }
  } catch (...) {
    kept_.erase(at);
    throw;
  }
  return bits;
}

HEADWISE_INLINE void FollowGrammar::apply(Candidates& candidates, const SamplingContext& context) {
  follow(context.ids);
  const Bits& bits = allowed();
  const bool complete = ended_ || matcher_.places().complete;
  candidates.keep([&](std::int32_t id, float) {
    if (complete && std::find(end_ids_.begin(), end_ids_.end(), id) != end_ids_.end()) return true;
    const auto i = static_cast<std::size_t>(id);
    return !ended_ && id < texts_->size() && (bits[i / 64] >> (i % 64) & 1) != 0;
  });
  if (!candidates.any())
    fail("grammar", concat("no token of the vocabulary goes on after ", read_.size() - begin_, " tokens",
                           complete ? ": the text is complete, and there is no id that ends it" : ""));
}

}  // namespace hw
