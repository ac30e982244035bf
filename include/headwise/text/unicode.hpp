#pragma once
// UTF-8 and the Unicode character data that tokenizers read.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/core/config.hpp"

namespace hw::text {

/// U+FFFD, what stands for bytes that are not UTF-8.
inline constexpr char32_t kReplacement = 0xFFFD;

/// U+2581, what stands for a space in SentencePiece's vocabularies.
inline constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";

/// Bytes of the character that starts with `lead` in well-formed UTF-8.
constexpr std::size_t utf8_size(unsigned char lead) noexcept { return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4; }
constexpr std::size_t utf8_size(char lead) noexcept { return utf8_size(static_cast<unsigned char>(lead)); }
constexpr std::size_t utf8_size(char32_t c) noexcept { return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4; }
constexpr bool is_continuation(char byte) noexcept { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

/// The character at `s[at]` of well-formed UTF-8; `at` moves past it.
char32_t next_character(std::string_view s, std::size_t& at) noexcept;
/// The character that ends at byte `end` of well-formed UTF-8, which begins there afterwards.
inline char32_t previous_character(std::string_view s, std::size_t& end) noexcept {
  do --end;
  while (is_continuation(s[end]));
  std::size_t at = end;
  return next_character(s, at);
}

void append_character(std::string& out, char32_t c);

/// Bytes of the well-formed character at the start of `s`; 0 when there is none. `incomplete` tells whether more bytes could make one.
std::size_t well_formed_size(std::string_view s, bool* incomplete = nullptr) noexcept;

/// Length of the longest well-formed prefix.
std::size_t valid_prefix(std::string_view s) noexcept;

/// Appends `s` with every maximal part that is not UTF-8 as one U+FFFD (Unicode 15, section 3.9, "substitution of maximal subparts").
/// With `hold_incomplete` a character that ends with `s` before it is complete is left: returns the bytes consumed.
std::size_t append_sanitized(std::string& out, std::string_view s, bool hold_incomplete = false);

/// Unicode 15.0 properties. `is_word` is \w of UTS 18 (Alphabetic, marks, decimal digits, connectors, joiners).
bool is_space(char32_t c) noexcept;        // White_Space
bool is_numeric(char32_t c) noexcept;      // N
bool is_punctuation(char32_t c) noexcept;  // P
bool is_mark(char32_t c) noexcept;         // M
bool is_nonspacing_mark(char32_t c) noexcept;
bool is_word(char32_t c) noexcept;
/// C without Cn: controls, formats, surrogates, private use.
bool is_control(char32_t c) noexcept;
bool is_cjk_ideograph(char32_t c) noexcept;  // the blocks that BERT sets apart

/// The lower case of one character, without context: one character, or two for U+0130.
char32_t to_lower(char32_t c) noexcept;

/// Where extended grapheme clusters (UAX 29) of a well-formed text end.
std::vector<std::size_t> grapheme_ends(std::string_view s);

/// A character of a changed text: it stands for `1 - change` characters of the text before (0 for a character that was added).
struct Change {
  char32_t character;
  int change;
};

enum class NormalForm { nfc, nfd, nfkc, nfkd };

/// Whether normalisation could change `s`: a quick look that may say yes needlessly.
bool may_change(NormalForm form, std::string_view s) noexcept;

/// UAX 15, with the number of characters that each one came from.
std::vector<Change> normalize(NormalForm form, std::string_view s);

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/unicode.inl.hpp"
#endif
