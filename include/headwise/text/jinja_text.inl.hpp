#pragma once
#include <utf8proc.h>

#include <algorithm>
#include <iterator>

#include "headwise/text/jinja_text.hpp"

namespace hw::jinja {
namespace detail {

// Characters whose upper case or title case are several characters (Unicode's SpecialCasing.txt, unconditional mappings).
struct SpecialCase {
  char32_t character;
  char32_t upper[3];
  char32_t title[3];
};
inline constexpr SpecialCase kSpecialCases[] = {
    // clang-format off
    {0x00DF, {0x53, 0x53}, {0x53, 0x73}}, {0x0149, {0x2BC, 0x4E}, {0x2BC, 0x4E}}, {0x01F0, {0x4A, 0x30C}, {0x4A, 0x30C}},
    {0x0390, {0x399, 0x308, 0x301}, {0x399, 0x308, 0x301}}, {0x03B0, {0x3A5, 0x308, 0x301}, {0x3A5, 0x308, 0x301}},
    {0x0587, {0x535, 0x552}, {0x535, 0x582}}, {0x1E96, {0x48, 0x331}, {0x48, 0x331}}, {0x1E97, {0x54, 0x308}, {0x54, 0x308}},
    {0x1E98, {0x57, 0x30A}, {0x57, 0x30A}}, {0x1E99, {0x59, 0x30A}, {0x59, 0x30A}}, {0x1E9A, {0x41, 0x2BE}, {0x41, 0x2BE}},
    {0x1F50, {0x3A5, 0x313}, {0x3A5, 0x313}}, {0x1F52, {0x3A5, 0x313, 0x300}, {0x3A5, 0x313, 0x300}},
    {0x1F54, {0x3A5, 0x313, 0x301}, {0x3A5, 0x313, 0x301}}, {0x1F56, {0x3A5, 0x313, 0x342}, {0x3A5, 0x313, 0x342}},
    {0x1F80, {0x1F08, 0x399}, {0x1F88}}, {0x1F81, {0x1F09, 0x399}, {0x1F89}}, {0x1F82, {0x1F0A, 0x399}, {0x1F8A}},
    {0x1F83, {0x1F0B, 0x399}, {0x1F8B}}, {0x1F84, {0x1F0C, 0x399}, {0x1F8C}}, {0x1F85, {0x1F0D, 0x399}, {0x1F8D}},
    {0x1F86, {0x1F0E, 0x399}, {0x1F8E}}, {0x1F87, {0x1F0F, 0x399}, {0x1F8F}}, {0x1F88, {0x1F08, 0x399}, {0x1F88}},
    {0x1F89, {0x1F09, 0x399}, {0x1F89}}, {0x1F8A, {0x1F0A, 0x399}, {0x1F8A}}, {0x1F8B, {0x1F0B, 0x399}, {0x1F8B}},
    {0x1F8C, {0x1F0C, 0x399}, {0x1F8C}}, {0x1F8D, {0x1F0D, 0x399}, {0x1F8D}}, {0x1F8E, {0x1F0E, 0x399}, {0x1F8E}},
    {0x1F8F, {0x1F0F, 0x399}, {0x1F8F}}, {0x1F90, {0x1F28, 0x399}, {0x1F98}}, {0x1F91, {0x1F29, 0x399}, {0x1F99}},
    {0x1F92, {0x1F2A, 0x399}, {0x1F9A}}, {0x1F93, {0x1F2B, 0x399}, {0x1F9B}}, {0x1F94, {0x1F2C, 0x399}, {0x1F9C}},
    {0x1F95, {0x1F2D, 0x399}, {0x1F9D}}, {0x1F96, {0x1F2E, 0x399}, {0x1F9E}}, {0x1F97, {0x1F2F, 0x399}, {0x1F9F}},
    {0x1F98, {0x1F28, 0x399}, {0x1F98}}, {0x1F99, {0x1F29, 0x399}, {0x1F99}}, {0x1F9A, {0x1F2A, 0x399}, {0x1F9A}},
    {0x1F9B, {0x1F2B, 0x399}, {0x1F9B}}, {0x1F9C, {0x1F2C, 0x399}, {0x1F9C}}, {0x1F9D, {0x1F2D, 0x399}, {0x1F9D}},
    {0x1F9E, {0x1F2E, 0x399}, {0x1F9E}}, {0x1F9F, {0x1F2F, 0x399}, {0x1F9F}}, {0x1FA0, {0x1F68, 0x399}, {0x1FA8}},
    {0x1FA1, {0x1F69, 0x399}, {0x1FA9}}, {0x1FA2, {0x1F6A, 0x399}, {0x1FAA}}, {0x1FA3, {0x1F6B, 0x399}, {0x1FAB}},
    {0x1FA4, {0x1F6C, 0x399}, {0x1FAC}}, {0x1FA5, {0x1F6D, 0x399}, {0x1FAD}}, {0x1FA6, {0x1F6E, 0x399}, {0x1FAE}},
    {0x1FA7, {0x1F6F, 0x399}, {0x1FAF}}, {0x1FA8, {0x1F68, 0x399}, {0x1FA8}}, {0x1FA9, {0x1F69, 0x399}, {0x1FA9}},
    {0x1FAA, {0x1F6A, 0x399}, {0x1FAA}}, {0x1FAB, {0x1F6B, 0x399}, {0x1FAB}}, {0x1FAC, {0x1F6C, 0x399}, {0x1FAC}},
    {0x1FAD, {0x1F6D, 0x399}, {0x1FAD}}, {0x1FAE, {0x1F6E, 0x399}, {0x1FAE}}, {0x1FAF, {0x1F6F, 0x399}, {0x1FAF}},
    {0x1FB2, {0x1FBA, 0x399}, {0x1FBA, 0x345}}, {0x1FB3, {0x391, 0x399}, {0x1FBC}}, {0x1FB4, {0x386, 0x399}, {0x386, 0x345}},
    {0x1FB6, {0x391, 0x342}, {0x391, 0x342}}, {0x1FB7, {0x391, 0x342, 0x399}, {0x391, 0x342, 0x345}}, {0x1FBC, {0x391, 0x399}, {0x1FBC}},
    {0x1FC2, {0x1FCA, 0x399}, {0x1FCA, 0x345}}, {0x1FC3, {0x397, 0x399}, {0x1FCC}}, {0x1FC4, {0x389, 0x399}, {0x389, 0x345}},
    {0x1FC6, {0x397, 0x342}, {0x397, 0x342}}, {0x1FC7, {0x397, 0x342, 0x399}, {0x397, 0x342, 0x345}}, {0x1FCC, {0x397, 0x399}, {0x1FCC}},
    {0x1FD2, {0x399, 0x308, 0x300}, {0x399, 0x308, 0x300}}, {0x1FD3, {0x399, 0x308, 0x301}, {0x399, 0x308, 0x301}},
    {0x1FD6, {0x399, 0x342}, {0x399, 0x342}}, {0x1FD7, {0x399, 0x308, 0x342}, {0x399, 0x308, 0x342}},
    {0x1FE2, {0x3A5, 0x308, 0x300}, {0x3A5, 0x308, 0x300}}, {0x1FE3, {0x3A5, 0x308, 0x301}, {0x3A5, 0x308, 0x301}},
    {0x1FE4, {0x3A1, 0x313}, {0x3A1, 0x313}}, {0x1FE6, {0x3A5, 0x342}, {0x3A5, 0x342}},
    {0x1FE7, {0x3A5, 0x308, 0x342}, {0x3A5, 0x308, 0x342}}, {0x1FF2, {0x1FFA, 0x399}, {0x1FFA, 0x345}},
    {0x1FF3, {0x3A9, 0x399}, {0x1FFC}}, {0x1FF4, {0x38F, 0x399}, {0x38F, 0x345}}, {0x1FF6, {0x3A9, 0x342}, {0x3A9, 0x342}},
    {0x1FF7, {0x3A9, 0x342, 0x399}, {0x3A9, 0x342, 0x345}}, {0x1FFC, {0x3A9, 0x399}, {0x1FFC}}, {0xFB00, {0x46, 0x46}, {0x46, 0x66}},
    {0xFB01, {0x46, 0x49}, {0x46, 0x69}}, {0xFB02, {0x46, 0x4C}, {0x46, 0x6C}}, {0xFB03, {0x46, 0x46, 0x49}, {0x46, 0x66, 0x69}},
    {0xFB04, {0x46, 0x46, 0x4C}, {0x46, 0x66, 0x6C}}, {0xFB05, {0x53, 0x54}, {0x53, 0x74}}, {0xFB06, {0x53, 0x54}, {0x53, 0x74}},
    {0xFB13, {0x544, 0x546}, {0x544, 0x576}}, {0xFB14, {0x544, 0x535}, {0x544, 0x565}}, {0xFB15, {0x544, 0x53B}, {0x544, 0x56B}},
    {0xFB16, {0x54E, 0x546}, {0x54E, 0x576}}, {0xFB17, {0x544, 0x53D}, {0x544, 0x56D}},
    // clang-format on
};

inline const SpecialCase* special_case(char32_t c) {
  if (c < 0xDF) return nullptr;
  const auto* found = std::lower_bound(std::begin(kSpecialCases), std::end(kSpecialCases), c,
                                       [](const SpecialCase& row, char32_t wanted) { return row.character < wanted; });
  return found != std::end(kSpecialCases) && found->character == c ? found : nullptr;
}

inline utf8proc_category_t category(char32_t c) { return utf8proc_category(static_cast<utf8proc_int32_t>(c)); }

inline bool is_title(char32_t c) { return category(c) == UTF8PROC_CATEGORY_LT; }
inline bool is_upper(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LU || (c >= 0x2160 && c <= 0x216F) || (c >= 0x24B6 && c <= 0x24CF);
}
inline bool is_lower(char32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LL || c == 0xAA || c == 0xBA || (c >= 0x2170 && c <= 0x217F) || (c >= 0x24D0 && c <= 0x24E9);
}
inline bool is_cased(char32_t c) { return is_upper(c) || is_lower(c) || is_title(c); }

inline void append_all(std::string& out, const char32_t (&characters)[3]) {
  for (char32_t c : characters)
    if (c) append_utf8(out, c);
}

// `piece`: the bytes of the character c.
inline void append_upper(std::string& out, char32_t c, std::string_view piece) {
  if (c < 0x80)
    out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : static_cast<char>(c);
  else if (c >= 0xDC80 && c <= 0xDCFF)
    out += piece;
  else if (const SpecialCase* special = special_case(c))
    append_all(out, special->upper);
  else
    append_utf8(out, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
}
inline void append_title(std::string& out, char32_t c, std::string_view piece) {
  if (c < 0x80 || (c >= 0xDC80 && c <= 0xDCFF))
    append_upper(out, c, piece);
  else if (const SpecialCase* special = special_case(c))
    append_all(out, special->title);
  else
    append_utf8(out, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
}
// `after_letter` and `rest` (what follows) decide about the final sigma.
inline void append_lower(std::string& out, char32_t c, std::string_view piece, bool after_letter, std::string_view rest) {
  if (c < 0x80)
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : static_cast<char>(c);
  else if (c >= 0xDC80 && c <= 0xDCFF)
    out += piece;
  else if (c == 0x130)
    out += "i\xCC\x87";
  else if (c == 0x3A3)
    append_utf8(out, after_letter && (rest.empty() || !is_cased(code_point(rest))) ? 0x3C2 : 0x3C3);
  else
    append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
}

// Calls use(c, piece, rest) for every character.
template <class Use>
void for_each_character(std::string_view s, Use use) {
  while (!s.empty()) {
    const std::size_t n = character_bytes(s);
    use(code_point(s), s.substr(0, n), s.substr(n));
    s.remove_prefix(n);
  }
}

}  // namespace detail

HEADWISE_INLINE index_t character_count(std::string_view s) {
  index_t count = 0;
  for (; !s.empty(); ++count) s.remove_prefix(character_bytes(s));
  return count;
}

HEADWISE_INLINE std::size_t character_offset(std::string_view s, index_t i) {
  std::size_t at = 0;
  for (; i > 0 && at < s.size(); --i) at += character_bytes(s.substr(at));
  return at;
}

HEADWISE_INLINE bool is_utf8(std::string_view s) {
  while (!s.empty()) {
    const std::size_t n = character_bytes(s);
    const char32_t c = code_point(s);
    constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if ((n == 1 && c >= 0x80) || c < kSmallest[n] || (c >= 0xD800 && c < 0xE000) || c > 0x10FFFF) return false;
    s.remove_prefix(n);
  }
  return true;
}

HEADWISE_INLINE void append_utf8(std::string& out, char32_t c) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | c >> 6);
    tail(0);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | c >> 12);
    tail(6), tail(0);
  } else {
    out += static_cast<char>(0xF0 | c >> 18);
    tail(12), tail(6), tail(0);
  }
}

HEADWISE_INLINE bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

HEADWISE_INLINE bool is_class(char32_t c, CharacterClass wanted) {
  if (c >= 0xDC80 && c <= 0xDCFF) return false;
  const auto category = detail::category(c);
  const bool letter = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
  const bool number = category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
  const bool superscript =
      c == 0xB2 || c == 0xB3 || c == 0xB9 || c == 0x2070 || (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089);
  switch (wanted) {
    case CharacterClass::alphabetic: return letter;
    case CharacterClass::digit: return category == UTF8PROC_CATEGORY_ND || superscript;
    case CharacterClass::numeric: return number;
    case CharacterClass::alphanumeric: return letter || number;
    case CharacterClass::upper: return detail::is_upper(c);
    case CharacterClass::lower: return detail::is_lower(c);
    case CharacterClass::space: return is_space(c);
    case CharacterClass::printable: return c == ' ' || !(category == UTF8PROC_CATEGORY_CN || category >= UTF8PROC_CATEGORY_ZS);
  }
  return false;
}

HEADWISE_INLINE std::string to_upper(std::string_view s) {
  std::string out;
  detail::for_each_character(s, [&](char32_t c, auto piece, auto) { detail::append_upper(out, c, piece); });
  return out;
}

HEADWISE_INLINE std::string to_lower(std::string_view s) {
  std::string out;
  bool letter = false;
  detail::for_each_character(s, [&](char32_t c, auto piece, auto rest) {
    detail::append_lower(out, c, piece, letter, rest);
    letter = detail::is_cased(c);
  });
  return out;
}

HEADWISE_INLINE std::string swap_case(std::string_view s) {
  std::string out;
  bool letter = false;
  detail::for_each_character(s, [&](char32_t c, auto piece, auto rest) {
    if (detail::is_upper(c))
      detail::append_lower(out, c, piece, letter, rest);
    else if (detail::is_lower(c))
      detail::append_upper(out, c, piece);
    else
      out += piece;
    letter = detail::is_cased(c);
  });
  return out;
}

HEADWISE_INLINE std::string title_words(std::string_view s) {
  std::string out;
  bool letter = false;
  detail::for_each_character(s, [&](char32_t c, auto piece, auto rest) {
    if (letter)
      detail::append_lower(out, c, piece, true, rest);
    else
      detail::append_title(out, c, piece);
    letter = detail::is_cased(c);
  });
  return out;
}

HEADWISE_INLINE std::string capitalized(std::string_view s) {
  if (s.empty()) return {};
  std::string out;
  const std::size_t n = character_bytes(s);
  detail::append_title(out, code_point(s), s.substr(0, n));
  return out + to_lower(s.substr(n));
}

HEADWISE_INLINE std::string_view strip(std::string_view s, bool left, bool right, const std::string* characters) {
  const auto drops = [&](std::string_view character) {
    if (!characters) return is_space(code_point(character));
    for (std::string_view rest = *characters; !rest.empty(); rest.remove_prefix(character_bytes(rest)))
      if (rest.substr(0, character_bytes(rest)) == character) return true;
    return false;
  };
  while (left && !s.empty() && drops(s.substr(0, character_bytes(s)))) s.remove_prefix(character_bytes(s));
  while (right && !s.empty()) {
    std::size_t at = s.size() - 1;  // back to the first byte of the last character
    while (at > 0 && s.size() - at < 4 && (static_cast<unsigned char>(s[at]) & 0xC0) == 0x80) --at;
    if (character_bytes(s.substr(at)) != s.size() - at) at = s.size() - 1;
    if (!drops(s.substr(at))) break;
    s = s.substr(0, at);
  }
  return s;
}

HEADWISE_INLINE void append_string_repr(MeteredText& out, std::string_view s) {
  const char quote = s.find('\'') != std::string_view::npos && s.find('"') == std::string_view::npos ? '"' : '\'';
  constexpr char kHex[] = "0123456789abcdef";
  const auto hex = [&](char32_t c, char letter, int digits) {
    (out += '\\') += letter;
    for (int i = digits - 1; i >= 0; --i) out += kHex[c >> 4 * i & 15];
  };
  out += quote;
  detail::for_each_character(s, [&](char32_t c, std::string_view piece, auto) {
    if (c == static_cast<unsigned char>(quote) || c == '\\')
      (out += '\\') += piece;
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (c >= 0xDC80 && c <= 0xDCFF)
      hex(c & 0xFF, 'x', 2);
    else if (is_class(c, CharacterClass::printable))
      out += piece;
    else if (c < 0x100)
      hex(c, 'x', 2);
    else if (c < 0x10000)
      hex(c, 'u', 4);
    else
      hex(c, 'U', 8);
  });
  out += quote;
}

HEADWISE_INLINE std::string html_escaped(std::string_view s) {
  std::string out;
  for (char c : s) switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '\'': out += "&#39;"; break;
      case '"': out += "&#34;"; break;
      default: out += c;
    }
  return out;
}

}  // namespace hw::jinja
