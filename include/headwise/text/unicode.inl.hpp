#pragma once
#include <utf8proc.h>

#include <algorithm>
#include <array>

#include "headwise/text/unicode.hpp"

namespace hw::text {

HEADWISE_INLINE char32_t next_character(std::string_view s, std::size_t& at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[at + i]); };
  const unsigned char a = byte(0);
  const std::size_t n = utf8_size(a);
  char32_t c = a;
  if (n == 2) c = (a & 0x1Fu) << 6 | (byte(1) & 0x3Fu);
  if (n == 3) c = (a & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
  if (n == 4) c = (a & 0x07u) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu);
  at += n;
  return c;
}

HEADWISE_INLINE void append_character(std::string& out, char32_t c) {
  const auto put = [&](char32_t bits) { out += static_cast<char>(static_cast<unsigned char>(bits)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) return put(0xC0 | c >> 6), put(0x80 | (c & 0x3F));
  if (c < 0x10000) return put(0xE0 | c >> 12), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
  put(0xF0 | c >> 18), put(0x80 | (c >> 12 & 0x3F)), put(0x80 | (c >> 6 & 0x3F)), put(0x80 | (c & 0x3F));
}

HEADWISE_INLINE std::size_t well_formed_size(std::string_view s, bool* incomplete) noexcept {
  if (incomplete) *incomplete = false;
  if (s.empty()) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char a = byte(0);
  if (a < 0x80) return 1;
  if (a < 0xC2 || a > 0xF4) return 0;
  const std::size_t n = utf8_size(a);
  // The second byte's range keeps out overlong forms, surrogates and what is above U+10FFFF.
  const unsigned char low = a == 0xE0 ? 0xA0 : a == 0xF0 ? 0x90 : 0x80, high = a == 0xED ? 0x9F : a == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t i = 1; i < n; ++i) {
    if (i == s.size()) {
      if (incomplete) *incomplete = true;
      return 0;
    }
    if (byte(i) < (i == 1 ? low : 0x80) || byte(i) > (i == 1 ? high : 0xBF)) return 0;
  }
  return n;
}

HEADWISE_INLINE std::size_t valid_prefix(std::string_view s) noexcept {
  std::size_t i = 0;
  while (i < s.size()) {
    if (static_cast<unsigned char>(s[i]) < 0x80) {
      ++i;
      continue;
    }
    const std::size_t n = well_formed_size(s.substr(i));
    if (n == 0) break;
    i += n;
  }
  return i;
}

HEADWISE_INLINE std::size_t append_sanitized(std::string& out, std::string_view s, bool hold_incomplete) {
  std::size_t i = 0;
  while (i < s.size()) {
    const std::size_t n = valid_prefix(s.substr(i));
    out.append(s, i, n);
    i += n;
    if (i == s.size()) break;
    bool incomplete = false;
    well_formed_size(s.substr(i), &incomplete);
    if (incomplete && hold_incomplete) return i;
    append_character(out, kReplacement);
    // The maximal subpart: as many bytes as a well-formed character could begin with.
    std::size_t part = 1;
    for (bool more = true; more && i + part < s.size(); part += more) well_formed_size(s.substr(i, part + 1), &more);
    i += incomplete ? s.size() - i : part;
  }
  return i;
}

HEADWISE_INLINE bool is_space(char32_t c) noexcept {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

HEADWISE_INLINE bool is_numeric(char32_t c) noexcept {
  if (c < 0x80) return c >= '0' && c <= '9';
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category == UTF8PROC_CATEGORY_ND || category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO;
}

HEADWISE_INLINE bool is_punctuation(char32_t c) noexcept {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

HEADWISE_INLINE bool is_mark(char32_t c) noexcept {
  if (c < 0x300) return false;
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

HEADWISE_INLINE bool is_nonspacing_mark(char32_t c) noexcept {
  return c >= 0x300 && utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_MN;
}

HEADWISE_INLINE bool is_word(char32_t c) noexcept {
  if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) return true;  // letters, marks, Nd, Nl
  if (category == UTF8PROC_CATEGORY_PC || c == 0x200C || c == 0x200D) return true;
  // Symbols that are Alphabetic: circled and squared letters.
  return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
}

HEADWISE_INLINE bool is_control(char32_t c) noexcept {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category >= UTF8PROC_CATEGORY_CC && category <= UTF8PROC_CATEGORY_CO;
}

HEADWISE_INLINE bool is_cjk_ideograph(char32_t c) noexcept {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

HEADWISE_INLINE char32_t to_lower(char32_t c) noexcept {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

HEADWISE_INLINE std::vector<std::size_t> grapheme_ends(std::string_view s) {
  std::vector<std::size_t> ends;
  utf8proc_int32_t state = 0;
  char32_t before = 0;
  for (std::size_t at = 0; at < s.size();) {
    const std::size_t start = at;
    const char32_t c = next_character(s, at);
    if (start > 0 && utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(before), static_cast<utf8proc_int32_t>(c), &state))
      ends.push_back(start);
    before = c;
  }
  if (!s.empty()) ends.push_back(s.size());
  return ends;
}

namespace detail {

HEADWISE_INLINE int combining_class(char32_t c) noexcept {
  return c < 0x300 ? 0 : utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
}

// The full decomposition of one character; 18 characters are the most there are (U+FDFA).
struct Decomposition {
  std::array<utf8proc_int32_t, 32> characters;
  std::size_t count;
};

HEADWISE_INLINE Decomposition decompose(char32_t c, bool compatibility) noexcept {
  Decomposition d;
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | (compatibility ? UTF8PROC_COMPAT : 0));
  int boundary = 0;
  const utf8proc_ssize_t n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), d.characters.data(),
                                                     static_cast<utf8proc_ssize_t>(d.characters.size()), options, &boundary);
  d.count = n < 0 ? 0 : std::min(static_cast<std::size_t>(n), d.characters.size());
  if (d.count == 0) {
    d.characters[0] = static_cast<utf8proc_int32_t>(c);
    d.count = 1;
  }
  return d;
}

// The primary composite of a pair, or 0.
HEADWISE_INLINE char32_t compose(char32_t a, char32_t b) noexcept {
  if (b < 0x300) return 0;
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(b));
  const bool jamo = b >= 0x1161 && b <= 0x11C2;
  if (!jamo && (category < UTF8PROC_CATEGORY_MN || category > UTF8PROC_CATEGORY_ME)) return 0;
  std::array<utf8proc_int32_t, 2> pair = {static_cast<utf8proc_int32_t>(a), static_cast<utf8proc_int32_t>(b)};
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  return utf8proc_normalize_utf32(pair.data(), 2, options) == 1 ? static_cast<char32_t>(pair[0]) : 0;
}

// UAX 15, D117: recomposes a decomposed and ordered text in place.
HEADWISE_INLINE void recompose(std::vector<Change>& text) {
  std::size_t out = 0, starter = 0;
  bool have_starter = false;
  int last_class = -1;  // of what was kept after the starter; -1: nothing
  for (const Change& next : text) {
    const int next_class = combining_class(next.character);
    if (have_starter && last_class < next_class) {
      if (const char32_t composite = compose(text[starter].character, next.character)) {
        text[starter] = {composite, text[starter].change + next.change - 1};
        continue;
      }
    }
    if (next_class == 0) {
      starter = out;
      have_starter = true;
      last_class = -1;
    } else {
      last_class = next_class;
    }
    text[out++] = next;
  }
  text.resize(out);
}

}  // namespace detail

HEADWISE_INLINE bool may_change(NormalForm form, std::string_view s) noexcept {
  // Below U+00A0 nothing has a decomposition; below U+0300 nothing changes under NFC.
  const unsigned char limit = form == NormalForm::nfc ? 0xCC : 0xC2;
  return std::any_of(s.begin(), s.end(), [&](char byte) { return static_cast<unsigned char>(byte) >= limit; });
}

HEADWISE_INLINE std::vector<Change> normalize(NormalForm form, std::string_view s) {
  const bool compatibility = form == NormalForm::nfkc || form == NormalForm::nfkd;
  std::vector<Change> out;
  out.reserve(s.size());
  std::size_t pending = 0;  // where the combining characters begin that are not in order yet
  const auto order = [&] {
    if (out.size() - pending > 1)
      std::stable_sort(out.begin() + static_cast<std::ptrdiff_t>(pending), out.end(), [](const Change& a, const Change& b) {
        return detail::combining_class(a.character) < detail::combining_class(b.character);
      });
  };
  const auto push = [&](char32_t c, int change) {
    if (detail::combining_class(c) == 0) {
      order();
      pending = out.size() + 1;
    }
    out.push_back({c, change});
  };
  for (std::size_t at = 0; at < s.size();) {
    const char32_t c = next_character(s, at);
    if (c < 0xA0) {
      push(c, 0);
      continue;
    }
    const detail::Decomposition d = detail::decompose(c, compatibility);
    for (std::size_t i = 0; i < d.count; ++i) push(static_cast<char32_t>(d.characters[i]), i > 0);
  }
  if (pending < out.size()) order();
  if (form == NormalForm::nfc || form == NormalForm::nfkc) detail::recompose(out);
  return out;
}

}  // namespace hw::text
