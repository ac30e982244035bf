#pragma once
// Python's view of a string for the template engine: characters are code points, case and classes are Unicode's.

#include <string>
#include <string_view>

#include "headwise/text/jinja_meter.hpp"

namespace hw::jinja {

/// Bytes of the character at the start of a non-empty text; 1 where it is not UTF-8.
inline std::size_t character_bytes(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const std::size_t n = byte(0) < 0xC2 ? 1 : byte(0) < 0xE0 ? 2 : byte(0) < 0xF0 ? 3 : byte(0) < 0xF5 ? 4 : 1;
  if (s.size() < n) return 1;
  for (std::size_t i = 1; i < n; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 1;
  return n;
}

/// The code point at the start of a non-empty text. A byte that is not UTF-8 counts as U+DC80 to U+DCFF, which no case or class touches.
inline char32_t code_point(std::string_view s) {
  const auto a = static_cast<unsigned char>(s[0]);
  const std::size_t n = character_bytes(s);
  if (n == 1) return a < 0x80 ? a : 0xDC00 + a;
  char32_t c = a & (0xFFu >> (n + 1));
  for (std::size_t i = 1; i < n; ++i) c = c << 6 | (static_cast<unsigned char>(s[i]) & 0x3Fu);
  return c;
}

/// Number of characters.
index_t character_count(std::string_view s);

/// The byte where character `i` begins; the end of the text for the character after the last.
std::size_t character_offset(std::string_view s, index_t i);

/// True when every byte belongs to well-formed UTF-8.
bool is_utf8(std::string_view s);

void append_utf8(std::string& out, char32_t c);

/// Python's str.isspace() of one character.
bool is_space(char32_t c);

enum class CharacterClass { alphabetic, digit, numeric, alphanumeric, upper, lower, space, printable };
bool is_class(char32_t c, CharacterClass wanted);

/// str.upper, lower, swapcase, title, capitalize: Unicode's full case mappings.
std::string to_upper(std::string_view s);
std::string to_lower(std::string_view s);
std::string swap_case(std::string_view s);
std::string title_words(std::string_view s);
std::string capitalized(std::string_view s);

/// str.strip(characters): both, left and right; without `characters`, whitespace.
std::string_view strip(std::string_view s, bool left, bool right, const std::string* characters = nullptr);

/// Python's repr of a string: 'it' or "it's", control characters escaped.
void append_string_repr(MeteredText& out, std::string_view s);

/// &, <, >, ' and " as HTML entities.
std::string html_escaped(std::string_view s);

}  // namespace hw::jinja

#if HEADWISE_DEFINITIONS
#include "headwise/text/jinja_text.inl.hpp"
#endif
