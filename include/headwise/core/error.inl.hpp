#pragma once
#include <span>

#include "headwise/core/error.hpp"

namespace hw {
namespace detail {

HEADWISE_INLINE std::size_t utf8_length(std::string_view s) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  if (s.empty()) return 0;
  const unsigned char a = byte(0);
  if (a < 0x80) return 1;
  const std::size_t n = a >= 0xF0 && a <= 0xF4 ? 4 : a >= 0xE0 && a < 0xF0 ? 3 : a >= 0xC2 && a < 0xE0 ? 2 : 0;
  if (n == 0 || s.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const bool overlong = (a == 0xE0 && byte(1) < 0xA0) || (a == 0xF0 && byte(1) < 0x90);
  const bool surrogate = a == 0xED && byte(1) > 0x9F, above_unicode = a == 0xF4 && byte(1) > 0x8F;
  if (overlong || surrogate || above_unicode) return 0;
  return n;
}

// Escapes what a terminal or a log must not see; stops before `limit` bytes and says so with "...".
HEADWISE_INLINE std::string printable(std::string_view s, std::size_t limit) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  while (!s.empty()) {
    const std::size_t n = utf8_length(s);
    const auto c = static_cast<unsigned char>(s[0]);
    const bool c1_control = n == 2 && c == 0xC2 && static_cast<unsigned char>(s[1]) < 0xA0;
    std::string piece;
    if (n == 0 || c1_control || c < 0x20 || c == 0x7F) {
      piece = c == '\n' ? std::string("\\n") : std::string("\\x") + kHex[c >> 4] + kHex[c & 15];
      s.remove_prefix(1);
    } else {
      piece = std::string(s.substr(0, n));
      s.remove_prefix(n);
    }
    if (out.size() + piece.size() + (s.empty() ? 0 : 3) > limit) return out + "...";
    out += piece;
  }
  return out;
}

HEADWISE_INLINE std::string join(const Piece* pieces, std::size_t count) {
  std::string out;
  for (const Piece& piece : std::span(pieces, count)) switch (piece.kind) {
      case Piece::Kind::text: out += piece.text; break;
      case Piece::Kind::integer: out += std::to_string(piece.integer); break;
      case Piece::Kind::natural: out += std::to_string(piece.natural); break;
      case Piece::Kind::real: out += std::to_string(piece.real); break;
    }
  return out;
}

}  // namespace detail

HEADWISE_INLINE Error::Error(std::string_view message) : std::runtime_error(detail::printable(message, 500)) {}

HEADWISE_INLINE std::string quoted(std::string_view name, std::size_t limit) { return "'" + detail::printable(name, limit) + "'"; }

HEADWISE_INLINE std::string shape_string(const std::vector<index_t>& shape) {
  std::string out = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + ")";
}

HEADWISE_INLINE void fail(std::string_view where, std::string_view message) { throw Error(concat(where, ": ", message)); }

HEADWISE_INLINE void fail(std::string_view where, std::string_view expected, std::string_view found) {
  throw Error(concat(where, ": expected ", expected, ", found ", found));
}

HEADWISE_INLINE index_t checked_mul(index_t a, index_t b, std::string_view where) {
  index_t out = 0;
  if (__builtin_mul_overflow(a, b, &out)) fail(where, concat("the product ", a, " x ", b, " overflows"));
  return out;
}

HEADWISE_INLINE index_t checked_add(index_t a, index_t b, std::string_view where) {
  index_t out = 0;
  if (__builtin_add_overflow(a, b, &out)) fail(where, concat("the sum ", a, " + ", b, " overflows"));
  return out;
}

}  // namespace hw
