#pragma once
// The one exception of the library and the helpers that word it: what, where, expected, found.

#include <concepts>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "headwise/core/config.hpp"

namespace hw {

/// Everything that is wrong in a file, an option or a call. `what()` names the place, what was expected and what was
/// found, in at most 500 bytes, with control characters escaped.
class Error : public std::runtime_error {
 public:
  explicit Error(std::string_view message);
};

/// `name` as it may be shown in a message: control characters and invalid UTF-8 escaped, cut to `limit` bytes, in quotes.
[[gnu::cold]] std::string quoted(std::string_view name, std::size_t limit = 80);
// Without these two std::quoted would be found for a std::string, and a literal would be ambiguous.
inline std::string quoted(const std::string& name) { return quoted(std::string_view(name)); }
inline std::string quoted(const char* name) { return quoted(std::string_view(name)); }

/// "(512, 2048)"
std::string shape_string(const std::vector<index_t>& shape);

namespace detail {
/// The length of the valid UTF-8 sequence at the start of `s`, or 0.
std::size_t utf8_length(std::string_view s);
/// `s` with control characters and invalid UTF-8 escaped, cut to `limit` bytes.
std::string printable(std::string_view s, std::size_t limit);

/// A string or a number of a message. It refers to the string, so it lives no longer than the call that it is an argument of.
struct Piece {
  enum class Kind : std::uint8_t { text, integer, natural, real };

  Piece(std::string_view piece) : text(piece), kind(Kind::text) {}
  Piece(const std::string& piece) : Piece(std::string_view(piece)) {}
  Piece(const char* piece) : Piece(std::string_view(piece)) {}
  template <std::signed_integral T>
  Piece(T value) : integer(value), kind(Kind::integer) {}
  template <std::unsigned_integral T>
  Piece(T value) : natural(value), kind(Kind::natural) {}
  template <std::floating_point T>
  Piece(T value) : real(value), kind(Kind::real) {}

  union {
    std::string_view text;
    long long integer;
    unsigned long long natural;
    double real;
  };
  Kind kind;
};

// Cold: what leads here is compiled for size, and in half the time.
[[gnu::cold]] std::string join(const Piece* pieces, std::size_t count);
}  // namespace detail

/// Strings and numbers, one after the other.
template <class... Pieces>
std::string concat(const Pieces&... pieces) {
  const detail::Piece array[] = {pieces...};
  return detail::join(array, sizeof...(pieces));
}

/// Throws `Error("where: message")`.
[[noreturn, gnu::cold]] void fail(std::string_view where, std::string_view message);

/// Throws `Error("where: expected X, found Y")`.
[[noreturn, gnu::cold]] void fail(std::string_view where, std::string_view expected, std::string_view found);

/// a * b and a + b for sizes that came from outside; throw `Error` at `where` when the result does not fit.
index_t checked_mul(index_t a, index_t b, std::string_view where);
index_t checked_add(index_t a, index_t b, std::string_view where);

/// A narrowing conversion that throws `Error` at `where` when the value does not fit.
template <std::integral To, std::integral From>
To checked_cast(From value, std::string_view where) {
  if (!std::in_range<To>(value)) fail(where, concat("the number ", value, " is out of range"));
  return static_cast<To>(value);
}

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/core/error.inl.hpp"
#endif
