#pragma once
// A text that remembers, through every change, which part of the original each of its bytes came from.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/core/error.hpp"
#include "headwise/text/unicode.hpp"

namespace hw::text {

/// Bytes [begin, end) of the original text.
struct Origin {
  std::uint32_t begin = 0, end = 0;
};

/// Well-formed UTF-8 and the origin of every byte: the whole character of the original that it came from. While nothing was changed no
/// origins are stored.
///
/// Errors: a change that makes the text more than 64 times as long as it began (and longer than 64 KiB): normalisers of a file can ask for
/// that.
class AlignedText {
 public:
  /// `text` begins at byte `offset` of the original.
  AlignedText(std::string_view text, std::uint32_t offset)
      : text_(text), offset_(offset), limit_(text.size() * kGrowth > kRoom ? text.size() * kGrowth : kRoom) {}

  std::string_view view() const noexcept { return text_; }
  std::size_t size() const noexcept { return text_.size(); }
  bool empty() const noexcept { return text_.empty(); }

  /// Origin of byte i.
  Origin origin(std::size_t i) const noexcept;
  /// Origin of bytes [begin, end), end > begin.
  Origin origin(std::size_t begin, std::size_t end) const noexcept { return {origin(begin).begin, origin(end - 1).end}; }

  /// Puts `changes` in place of the text, after its first `removed` characters. A character that replaces others has the origin of the
  /// first of them; an added one that of the byte before.
  void transform(std::span<const Change> changes, std::size_t removed = 0);

  /// Keeps the characters for which `keep` is true.
  template <class Keep>
  void filter(Keep keep);

  /// Puts `map(c)` in place of every character.
  template <class Map>
  void map(Map map);

  /// Puts text before the first or after the last character (with its origin); nothing happens to an empty text.
  void prepend(std::string_view text);
  void append(std::string_view text);

  /// Keeps bytes [begin, end).
  void keep(std::size_t begin, std::size_t end);

 private:
  friend class AlignedWriter;
  static constexpr std::size_t kGrowth = 64, kRoom = 64 << 10;

  std::string text_;
  std::vector<Origin> origins_;  // empty: the original's own bytes from offset_ on
  std::uint32_t offset_;
  std::size_t limit_;
};

/// Writes a changed AlignedText from left to right: copies stretches of the old one and puts text between them.
class AlignedWriter {
 public:
  explicit AlignedWriter(AlignedText& text) : source_(text) {}

  void copy(std::size_t begin, std::size_t end);
  void put(std::string_view text, Origin origin);
  void put(char32_t c, Origin origin);
  /// Origin of what is added at byte `at`: that of the byte before.
  Origin origin_before(std::size_t at) const noexcept { return at > 0 ? source_.origin(at - 1) : Origin{source_.offset_, source_.offset_}; }
  std::size_t size() const noexcept { return text_.size(); }
  /// The new text takes the place of the old.
  void finish();

 private:
  void check() const;
  AlignedText& source_;
  std::string text_;
  std::vector<Origin> origins_;
};

template <class Keep>
void AlignedText::filter(Keep keep) {
  const std::string_view s = text_;
  std::size_t at = 0;
  while (at < s.size()) {  // most texts stay as they are
    const std::size_t start = at;
    if (!keep(next_character(s, at))) {
      at = start;
      break;
    }
  }
  if (at == s.size()) return;
  AlignedWriter out(*this);
  std::size_t kept = 0;
  while (at < s.size()) {
    const std::size_t start = at;
    if (!keep(next_character(s, at))) {
      out.copy(kept, start);
      kept = at;
    }
  }
  out.copy(kept, s.size());
  out.finish();
}

template <class Map>
void AlignedText::map(Map map) {
  const std::string_view s = text_;
  AlignedWriter out(*this);
  std::size_t copied = 0;
  for (std::size_t at = 0; at < s.size();) {
    const std::size_t start = at;
    const char32_t c = next_character(s, at), mapped = map(c);
    if (mapped == c) continue;
    out.copy(copied, start);
    out.put(mapped, origin(start));
    copied = at;
  }
  if (copied == 0) return;
  out.copy(copied, s.size());
  out.finish();
}

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/aligned_text.inl.hpp"
#endif
