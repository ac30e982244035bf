#pragma once
#include <algorithm>

#include "headwise/text/byte_alphabet.hpp"
#include "headwise/text/pre_tokenizer.hpp"

namespace hw::text {

HEADWISE_INLINE std::string_view gpt2_pattern() noexcept {
  return R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
}

namespace detail {

// Turns matches into pieces. A stretch that is not removed becomes a piece, or joins the one before or after.
inline void divide(std::vector<Span>& spans, SplitBehavior behavior, std::size_t offset, std::vector<Piece>& out) {
  const auto put = [&](std::size_t begin, std::size_t end) {
    if (begin < end) out.push_back({offset + begin, offset + end});
  };
  if (behavior == SplitBehavior::merged_with_next) {
    for (std::size_t i = 0; i < spans.size(); ++i) {
      // A match goes to the stretch after it, unless that is a match as well.
      if (spans[i].match && i + 1 < spans.size() && !spans[i + 1].match) {
        put(spans[i].begin, spans[i + 1].end);
        ++i;
      } else {
        put(spans[i].begin, spans[i].end);
      }
    }
    return;
  }
  for (std::size_t i = 0; i < spans.size();) {
    const std::size_t begin = spans[i].begin;
    std::size_t end = spans[i].end;
    const bool match = spans[i++].match;
    if (behavior == SplitBehavior::contiguous)
      while (i < spans.size() && spans[i].match == match) end = spans[i++].end;
    if (behavior == SplitBehavior::merged_with_previous && !match && i < spans.size() && spans[i].match) end = spans[i++].end;
    if (behavior != SplitBehavior::removed || !match) put(begin, end);
  }
}

// Every character for which `is_match` is true is a match of its own.
template <class IsMatch>
void split_characters(std::string_view text, std::vector<Span>& out, IsMatch is_match) {
  out.clear();
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    if (!is_match(next_character(text, at))) continue;
    if (begin > done) out.push_back({done, begin, false});
    out.push_back({begin, at, true});
    done = at;
  }
  if (done < text.size()) out.push_back({done, text.size(), false});
}

// Divides every piece: find(text of the piece, spans), then what `behavior` makes of the matches.
template <class Find>
void divide_all(Pieces& pieces, SplitBehavior behavior, Find find) {
  std::vector<Piece> out;
  out.reserve(pieces.pieces.size());
  std::vector<Span> spans;
  for (const Piece& piece : pieces.pieces) {
    if (piece.id >= 0) {
      out.push_back(piece);
      continue;
    }
    find(pieces.text.view().substr(piece.begin, piece.end - piece.begin), spans);
    divide(spans, behavior, piece.begin, out);
  }
  pieces.pieces.swap(out);
}

// Writes the text anew, piece by piece: write(piece, writer).
template <class Write>
void rewrite(Pieces& pieces, Write write) {
  AlignedWriter out(pieces.text);
  for (Piece& piece : pieces.pieces) {
    const std::size_t begin = out.size();
    if (piece.id >= 0)
      out.copy(piece.begin, piece.end);
    else
      write(piece, out);
    piece.begin = begin;
    piece.end = out.size();
  }
  out.finish();
}

inline bool is_bert_punctuation(char32_t c) {
  if (c < 0x80) return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
  return is_punctuation(c);
}

inline void apply(const Split& step, Pieces& pieces) {
  divide_all(pieces, step.behavior, [&](std::string_view text, std::vector<Span>& spans) {
    step.pattern.split(text, spans);
    if (step.invert)
      for (Span& span : spans) span.match = !span.match;
  });
}

inline void apply(const SplitWhitespace&, Pieces& pieces) {
  divide_all(pieces, SplitBehavior::removed,
             [](std::string_view text, std::vector<Span>& spans) { split_characters(text, spans, is_space); });
}

inline void apply(const Punctuation& step, Pieces& pieces) {
  divide_all(pieces, step.behavior,
             [](std::string_view text, std::vector<Span>& spans) { split_characters(text, spans, is_bert_punctuation); });
}

inline void apply(const BertPreTokenizer&, Pieces& pieces) {
  apply(SplitWhitespace{}, pieces);
  apply(Punctuation{SplitBehavior::isolated}, pieces);
}

inline void apply(const Digits& step, Pieces& pieces) {
  divide_all(pieces, step.individual ? SplitBehavior::isolated : SplitBehavior::contiguous,
             [](std::string_view text, std::vector<Span>& spans) { split_characters(text, spans, is_numeric); });
}

inline void apply(const FixedLength& step, Pieces& pieces) {
  divide_all(pieces, SplitBehavior::isolated, [&](std::string_view text, std::vector<Span>& spans) {
    spans.clear();
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t begin = at;
      for (std::size_t i = 0; i < step.characters && at < text.size(); ++i) at += utf8_size(text[at]);
      spans.push_back({begin, at, true});
    }
  });
}

inline void apply(const Metaspace& step, Pieces& pieces) {
  std::string symbol;
  append_character(symbol, step.replacement);
  rewrite(pieces, [&](const Piece& piece, AlignedWriter& out) {
    const std::string_view text = pieces.text.view().substr(0, piece.end);
    const bool starts = text[piece.begin] == ' ' || text.substr(piece.begin).starts_with(symbol);
    const bool wanted = step.prepend == Metaspace::Prepend::always ||
                        (step.prepend == Metaspace::Prepend::first && pieces.text.origin(piece.begin).begin == 0);
    if (wanted && !starts) out.put(symbol, pieces.text.origin(piece.begin));
    std::size_t copied = piece.begin;
    for (std::size_t at = text.find(' ', copied); at != std::string_view::npos; at = text.find(' ', copied)) {
      out.copy(copied, at);
      out.put(symbol, pieces.text.origin(at));
      copied = at + 1;
    }
    out.copy(copied, piece.end);
  });
  if (!step.split) return;
  divide_all(pieces, SplitBehavior::merged_with_next, [&](std::string_view text, std::vector<Span>& spans) {
    split_characters(text, spans, [&](char32_t c) { return c == step.replacement; });
  });
}

inline void apply(const ByteLevel& step, Pieces& pieces) {
  const auto needs_space = [&](const Piece& piece) { return piece.id < 0 && pieces.text.view()[piece.begin] != ' '; };
  if (step.add_prefix_space && std::any_of(pieces.pieces.begin(), pieces.pieces.end(), needs_space)) {
    rewrite(pieces, [&](const Piece& piece, AlignedWriter& out) {
      if (needs_space(piece)) out.put(U' ', pieces.text.origin(piece.begin));
      out.copy(piece.begin, piece.end);
    });
  }
  if (step.use_regex)
    divide_all(pieces, SplitBehavior::isolated, [&](std::string_view text, std::vector<Span>& spans) { step.pattern.split(text, spans); });
  if (step.keep_bytes) return;
  rewrite(pieces, [&](const Piece& piece, AlignedWriter& out) {
    for (std::size_t i = piece.begin; i < piece.end; ++i)
      out.put(kByteAlphabet[static_cast<unsigned char>(pieces.text.view()[i])], pieces.text.origin(i));
  });
}

}  // namespace detail

HEADWISE_INLINE void PreTokenizer::operator()(Pieces& pieces) const {
  for (const PreTokenizerStep& step : steps_) std::visit([&](const auto& s) { detail::apply(s, pieces); }, step);
}

}  // namespace hw::text
