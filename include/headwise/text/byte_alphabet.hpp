#pragma once
// The alphabet of byte-level vocabularies (GPT-2): a printable character for each of the 256 bytes.

#include <array>

#include "headwise/text/unicode.hpp"

namespace hw::text {

/// Printable bytes of Latin-1 stand for themselves; the other 68 are U+0100 and up, in order.
constexpr std::array<char16_t, 256> make_byte_alphabet() {
  std::array<char16_t, 256> alphabet{};
  char16_t next = 0x100;
  for (unsigned b = 0; b < 256; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b != 0xAD);
    alphabet[b] = printable ? static_cast<char16_t>(b) : next++;
  }
  return alphabet;
}
inline constexpr std::array<char16_t, 256> kByteAlphabet = make_byte_alphabet();

/// The byte that each character below U+0144 stands for; -1: none.
constexpr std::array<std::int16_t, 0x144> make_alphabet_bytes() {
  std::array<std::int16_t, 0x144> bytes{};
  for (auto& b : bytes) b = -1;
  for (unsigned b = 0; b < 256; ++b) bytes[kByteAlphabet[b]] = static_cast<std::int16_t>(b);
  return bytes;
}
inline constexpr std::array<std::int16_t, 0x144> kAlphabetBytes = make_alphabet_bytes();

/// Appends the bytes that `token` stands for and returns true; false, and nothing is appended, when it has other characters.
inline bool append_alphabet_bytes(std::string& out, std::string_view token) {
  const std::size_t before = out.size();
  for (std::size_t at = 0; at < token.size();) {
    const char32_t c = next_character(token, at);
    if (c >= kAlphabetBytes.size() || kAlphabetBytes[c] < 0) {
      out.resize(before);
      return false;
    }
    out += static_cast<char>(kAlphabetBytes[c]);
  }
  return true;
}

}  // namespace hw::text
