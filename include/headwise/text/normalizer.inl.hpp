#pragma once
#include <algorithm>

#include "headwise/text/byte_alphabet.hpp"
#include "headwise/text/normalizer.hpp"

namespace hw::text {
namespace detail {

inline void apply(const UnicodeForm& step, AlignedText& text) {
  if (may_change(step.form, text.view())) text.transform(normalize(step.form, text.view()));
}

inline void apply(const Lowercase&, AlignedText& text) {
  if (text.view().find("\xC4\xB0") == std::string_view::npos) return text.map([](char32_t c) { return to_lower(c); });
  std::vector<Change> changes;  // U+0130 becomes two characters
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_character(text.view(), at);
    changes.push_back({c == 0x130 ? U'i' : to_lower(c), 0});
    if (c == 0x130) changes.push_back({0x307, 1});
  }
  text.transform(changes);
}

inline void apply(const StripAccents&, AlignedText& text) {
  text.filter([](char32_t c) { return !is_mark(c); });
}

inline void apply(const Strip& step, AlignedText& text) {
  const std::string_view s = text.view();
  std::size_t begin = 0, end = s.size();
  for (std::size_t at = 0; step.left && at < end && is_space(next_character(s, at));) begin = at;
  while (step.right && end > begin) {
    std::size_t start = end - 1;
    while (is_continuation(s[start])) --start;
    std::size_t at = start;
    if (!is_space(next_character(s, at))) break;
    end = start;
  }
  text.keep(begin, end);
}

inline void apply(const Prepend& step, AlignedText& text) { text.prepend(step.text); }
inline void apply(const Append& step, AlignedText& text) { text.append(step.text); }

inline void apply(const Replace& step, AlignedText& text) {
  std::vector<Span> spans;
  step.pattern.split(text.view(), spans);
  if (std::none_of(spans.begin(), spans.end(), [](const Span& span) { return span.match; })) return;
  AlignedWriter out(text);
  for (const Span& span : spans) {
    if (span.match)
      out.put(step.text, out.origin_before(span.end));
    else
      out.copy(span.begin, span.end);
  }
  out.finish();
}

inline void apply(const BytesToCharacters&, AlignedText& text) {
  AlignedWriter out(text);
  for (std::size_t i = 0; i < text.size(); ++i) out.put(kByteAlphabet[static_cast<unsigned char>(text.view()[i])], text.origin(i));
  out.finish();
}

inline void apply(const Nmt&, AlignedText& text) {
  text.filter([](char32_t c) {
    return !((c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F);
  });
  text.map([](char32_t c) -> char32_t {
    const bool space = c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 ||
                       c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
    return space ? U' ' : c;
  });
}

inline void apply(const BertNormalizer& step, AlignedText& text) {
  if (step.clean_text) {
    text.filter([](char32_t c) {
      if (c == '\t' || c == '\n' || c == '\r') return true;
      return c != 0 && c != kReplacement && !is_control(c);
    });
    text.map([](char32_t c) { return is_space(c) ? U' ' : c; });
  }
  if (step.handle_chinese_chars && may_change(NormalForm::nfc, text.view())) {
    std::vector<Change> changes;
    for (std::size_t at = 0; at < text.size();) {
      const char32_t c = next_character(text.view(), at);
      const bool apart = is_cjk_ideograph(c);
      if (apart) changes.push_back({U' ', 0});
      changes.push_back({c, apart});
      if (apart) changes.push_back({U' ', 1});
    }
    text.transform(changes);
  }
  if (step.strip_accents) {
    apply(UnicodeForm{NormalForm::nfd}, text);
    text.filter([](char32_t c) { return !is_nonspacing_mark(c); });
  }
  if (step.lowercase) apply(Lowercase{}, text);
}

// The changes that put `text` in place of `count` characters.
inline void push_replacement(std::vector<Change>& changes, std::size_t count, std::string_view text) {
  const std::size_t before = changes.size();
  for (std::size_t at = 0; at < text.size();) changes.push_back({next_character(text, at), 0});
  const std::size_t added = changes.size() - before;
  for (std::size_t i = count; i < added; ++i) changes[before + i].change = 1;
  if (added < count && !changes.empty()) changes.back().change -= static_cast<int>(count - added);
}

inline void apply(const Precompiled& step, AlignedText& text) {
  const std::string_view s = text.view();
  std::vector<Change> changes;
  bool changed = false;
  std::size_t begin = 0;
  for (const std::size_t end : grapheme_ends(s)) {
    const std::string_view cluster = s.substr(begin, end - begin);
    const auto replace = [&](std::string_view part, const Charsmap::Match& match) {
      const auto count = static_cast<std::size_t>(std::count_if(part.begin(), part.end(), [](char b) { return !is_continuation(b); }));
      push_replacement(changes, count, match.replacement);
      changed = true;
    };
    const Charsmap::Match whole = cluster.size() < 6 ? step.map.shortest(cluster) : Charsmap::Match{};
    if (whole.size > 0) {
      replace(cluster, whole);
    } else {
      for (std::size_t at = 0; at < cluster.size();) {
        const std::size_t start = at;
        const char32_t c = next_character(cluster, at);
        const Charsmap::Match match = step.map.shortest(cluster.substr(start, at - start));
        if (match.size > 0)
          replace(cluster.substr(start, at - start), match);
        else
          changes.push_back({c, 0});
      }
    }
    begin = end;
  }
  if (changed) text.transform(changes);
}

inline void apply(const SentencePieceNormalizer& step, AlignedText& text) {
  const std::string_view s = text.view();
  // What stands for the text at `at`: a symbol of the user as it is, an entry of the map, or the character.
  const auto next = [&](std::size_t at) -> Charsmap::Match {
    const std::string_view rest = s.substr(at);
    if (const std::size_t symbol = step.user_defined.longest(rest).size; symbol > 0) return {symbol, rest.substr(0, symbol)};
    const Charsmap::Match match = step.map.longest(rest);
    if (match.size > 0) return match;
    return {utf8_size(rest[0]), rest.substr(0, utf8_size(rest[0]))};
  };
  const std::string_view space = step.escape_whitespaces ? kSpaceSymbol : std::string_view(" ");
  std::size_t at = 0;
  while (step.remove_extra_whitespaces && at < s.size() && next(at).replacement == " ") at += next(at).size;
  AlignedWriter out(text);
  if (at < s.size() && step.add_dummy_prefix && !step.whitespace_as_suffix) out.put(space, text.origin(at));
  bool after_space = step.remove_extra_whitespaces;
  std::string piece;
  while (at < s.size()) {
    const Charsmap::Match match = next(at);
    std::string_view replacement = match.replacement;
    while (after_space && !replacement.empty() && replacement[0] == ' ') replacement.remove_prefix(1);
    if (!replacement.empty()) {
      piece.clear();
      for (const char c : replacement) c == ' ' ? piece.append(space) : piece.append(1, c);
      out.put(piece, text.origin(at, at + match.size));
      after_space = step.remove_extra_whitespaces && replacement.back() == ' ';
    }
    at += match.size;
  }
  out.finish();
  std::size_t kept = text.size();
  while (step.remove_extra_whitespaces && text.view().substr(0, kept).ends_with(space)) kept -= space.size();
  text.keep(0, kept);
  if (step.add_dummy_prefix && step.whitespace_as_suffix) text.append(space);
}

}  // namespace detail

HEADWISE_INLINE void Normalizer::operator()(AlignedText& text) const {
  for (const NormalizerStep& step : steps_) std::visit([&](const auto& s) { detail::apply(s, text); }, step);
}

}  // namespace hw::text
