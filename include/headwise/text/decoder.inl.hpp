#pragma once
#include <algorithm>
#include <array>
#include <utility>

#include "headwise/text/byte_alphabet.hpp"
#include "headwise/text/decoder.hpp"

namespace hw::text {
namespace detail {

inline void replace_all(std::string& s, std::string_view from, std::string_view to) {
  if (from.empty()) return;
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = s.find(from); at != std::string::npos; at = s.find(from, copied)) {
    out.append(s, copied, at - copied).append(to);
    copied = at + from.size();
  }
  if (copied > 0) s = out.append(s, copied);
}

// The English clean-up of the WordPiece decoder.
inline void clean_up(std::string& s) {
  static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) replace_all(s, from, to);
}

}  // namespace detail

HEADWISE_INLINE DecoderStage::DecoderStage(const DecoderStep& step, bool fused) : step_(&step), fused_(fused) {
  const auto* strip = std::get_if<StripDecoder>(&step);
  const bool streams =
      std::holds_alternative<FuseDecoder>(step) || std::holds_alternative<JoinBySpace>(step) || (strip && strip->stop == 0);
  collect_ = fused && !streams;
  count_ = strip && fused ? strip->start : 0;
}

HEADWISE_INLINE void DecoderStage::push(std::string_view token, std::int32_t id, std::vector<std::string>& out) {
  if (collect_)
    held_ += token;
  else
    transform(token, id, out);
}

HEADWISE_INLINE void DecoderStage::finish(std::vector<std::string>& out) {
  if (collect_) {
    const std::string all = std::exchange(held_, {});
    transform(all, -1, out);
  }
  if (std::holds_alternative<ByteLevelDecoder>(*step_)) {
    std::string text;
    append_sanitized(text, std::exchange(held_, {}));
    out.push_back(std::move(text));
  } else if (const auto* bpe = std::get_if<BpeDecoder>(step_); bpe && count_ > 0) {
    detail::replace_all(held_, bpe->suffix, "");
    out.push_back(std::exchange(held_, {}));
  } else if (std::holds_alternative<ByteFallbackDecoder>(*step_) || std::holds_alternative<SentencePieceDecoder>(*step_)) {
    flush_bytes(out);
  }
}

// A run of bytes is over.
HEADWISE_INLINE void DecoderStage::flush_bytes(std::vector<std::string>& out) {
  if (held_.empty()) return;
  const std::string bytes = std::exchange(held_, {});
  const bool whole = std::holds_alternative<ByteFallbackDecoder>(*step_);  // one bad byte spoils the run
  if (whole && valid_prefix(bytes) == bytes.size()) return out.push_back(bytes);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t n = whole ? 0 : well_formed_size(std::string_view(bytes).substr(at));
    std::string text = bytes.substr(at, n);
    if (n == 0) append_character(text, kReplacement);
    out.push_back(std::move(text));
    at += std::max<std::size_t>(n, 1);
  }
}

HEADWISE_INLINE void DecoderStage::push_sentencepiece(const SentencePieceDecoder& step, std::string_view token, std::int32_t id,
                                                      std::vector<std::string>& out) {
  const bool listed = static_cast<std::size_t>(id) < step.types->size();  // tokens added to a model are not
  const TokenType type = listed ? (*step.types)[static_cast<std::size_t>(id)] : TokenType::user_defined;
  if (type == TokenType::byte) {
    held_ += static_cast<char>(byte_of_token(token));
    for (bool incomplete = false; !held_.empty();) {
      const std::size_t n = well_formed_size(held_, &incomplete);
      if (incomplete) break;
      std::string text = held_.substr(0, n);
      if (n == 0) append_character(text, kReplacement);
      out.push_back(std::move(text));
      held_.erase(0, std::max<std::size_t>(n, 1));
    }
    started_ = true;
    return;
  }
  flush_bytes(out);
  std::string text;
  bool dropped = false;
  if (type == TokenType::unknown) {
    text = " \xE2\x81\x87 ";
  } else if (type != TokenType::control) {
    if (!started_ && (step.drop_dummy_prefix || step.drop_all_prefix) && token.starts_with(kSpaceSymbol)) {
      token.remove_prefix(kSpaceSymbol.size());
      dropped = !step.drop_all_prefix;
    }
    text = token;
    detail::replace_all(text, kSpaceSymbol, " ");
  }
  started_ = started_ || dropped || !text.empty();
  out.push_back(std::move(text));
}

HEADWISE_INLINE void DecoderStage::transform(std::string_view token, std::int32_t id, std::vector<std::string>& out) {
  std::string text(token);
  if (std::holds_alternative<JoinBySpace>(*step_)) {
    if (count_++ > 0) text.insert(0, 1, ' ');
  } else if (std::holds_alternative<ByteLevelDecoder>(*step_)) {
    if (!append_alphabet_bytes(held_, token)) held_ += token;
    text.clear();
    held_.erase(0, append_sanitized(text, held_, true));
  } else if (const auto* wordpiece = std::get_if<WordPieceDecoder>(step_)) {
    if (count_++ > 0) {
      if (token.starts_with(wordpiece->prefix))
        text.erase(0, wordpiece->prefix.size());
      else
        text.insert(0, 1, ' ');
    }
    if (wordpiece->cleanup) detail::clean_up(text);
  } else if (const auto* metaspace = std::get_if<MetaspaceDecoder>(step_)) {
    std::string symbol;
    append_character(symbol, metaspace->replacement);
    detail::replace_all(text, symbol, count_++ == 0 && metaspace->drop_first ? "" : " ");
  } else if (const auto* bpe = std::get_if<BpeDecoder>(step_)) {
    if (count_++ == 0) {
      held_ = text;
      return;
    }
    detail::replace_all(held_, bpe->suffix, " ");
    std::swap(text, held_);
  } else if (const auto* ctc = std::get_if<CtcDecoder>(step_)) {
    const bool repeated = count_++ > 0 && held_ == token;
    held_ = token;
    if (repeated) return;
    detail::replace_all(text, ctc->pad_token, "");
    if (ctc->cleanup) {
      detail::clean_up(text);
      detail::replace_all(text, ctc->word_delimiter_token, " ");
    }
    if (text.empty()) return;
  } else if (std::holds_alternative<ByteFallbackDecoder>(*step_)) {
    if (const int byte = byte_of_token(token); byte >= 0) {
      held_ += static_cast<char>(byte);
      return;
    }
    flush_bytes(out);
  } else if (const auto* strip = std::get_if<StripDecoder>(step_)) {
    std::string content;
    append_character(content, strip->content);
    std::uint64_t start = fused_ && !collect_ ? count_ : strip->start;
    for (; start > 0 && text.starts_with(content); --start) text.erase(0, content.size());
    for (std::uint64_t stop = strip->stop; stop > 0 && text.ends_with(content); --stop) text.resize(text.size() - content.size());
    if (fused_ && !collect_) count_ = text.empty() ? start : 0;
  } else if (const auto* replace = std::get_if<ReplaceDecoder>(step_)) {
    std::vector<Span> spans;
    replace->pattern.split(token, spans);
    text.clear();
    for (const Span& span : spans) text += span.match ? std::string_view(replace->text) : token.substr(span.begin, span.end - span.begin);
  } else if (const auto* sentencepiece = std::get_if<SentencePieceDecoder>(step_)) {
    return push_sentencepiece(*sentencepiece, token, id, out);
  }
  out.push_back(std::move(text));
}

HEADWISE_INLINE DecoderRun::DecoderRun(const std::vector<DecoderStep>& steps) {
  bool fused = false;
  stages_.reserve(steps.size());
  for (const DecoderStep& step : steps) {
    stages_.emplace_back(step, fused);
    fused = fused || std::holds_alternative<FuseDecoder>(step) || std::holds_alternative<ByteLevelDecoder>(step);
  }
}

HEADWISE_INLINE std::string DecoderRun::push(std::string_view token, std::int32_t id) {
  if (stages_.empty()) return std::string(token);
  std::vector<std::string> tokens;
  stages_[0].push(token, id, tokens);
  return run(1, std::move(tokens), false);
}

HEADWISE_INLINE std::string DecoderRun::finish() {
  if (stages_.empty()) return {};
  std::vector<std::string> tokens;
  stages_[0].finish(tokens);
  return run(1, std::move(tokens), true);
}

HEADWISE_INLINE std::string DecoderRun::run(std::size_t stage, std::vector<std::string> tokens, bool finish) {
  for (; stage < stages_.size(); ++stage) {
    std::vector<std::string> out;
    for (const std::string& token : tokens) stages_[stage].push(token, -1, out);
    if (finish) stages_[stage].finish(out);
    tokens.swap(out);
  }
  std::string text;
  for (const std::string& token : tokens) text += token;
  return text;
}

}  // namespace hw::text
