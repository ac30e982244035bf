#pragma once
// Template source -> tokens, with the whitespace rules that chat templates rely on: trim_blocks (the newline after a block tag goes),
// lstrip_blocks (blanks before a block tag at the start of a line go), `-` and `+` in tags, no newline at the end of the file.

#include <string>
#include <string_view>

#include "headwise/text/jinja_text.hpp"

namespace hw::jinja {

struct Token {
  enum Kind : std::uint8_t { data, print_begin, print_end, block_begin, block_end, name, integer, real, string, op, end };
  Kind kind = end;
  int line = 1;
  std::string_view text;  // of the source: a string with its quotes

  bool is(Kind k) const { return kind == k; }
  bool is(Kind k, std::string_view t) const { return kind == k && text == t; }
};

/// Throws `Error`: "chat template, line 12: ...".
[[noreturn, gnu::cold]] void template_error(int line, std::string_view message);

/// Reads tokens one after the other, so that memory does not grow with the template.
class Lexer {
 public:
  static constexpr std::size_t kMaxSource = std::size_t{4} << 20;

  /// Errors: not UTF-8, longer than kMaxSource.
  explicit Lexer(std::string_view source);

  /// Errors: what is no token, a comment, string or raw block without an end, brackets that do not match.
  Token next();

 private:
  enum class State : std::uint8_t { data, print, block, raw };

  Token data();
  Token raw();
  Token expression();
  Token number();
  Token text_literal();
  bool tag_end(std::string_view close, State state, Token& token);
  void comment();
  std::size_t raw_begin(std::size_t at) const;
  std::size_t trimmed(std::size_t begin, std::size_t end, char sign, bool block) const;
  Token take(Token::Kind kind, std::size_t bytes);
  void advance(std::size_t to);
  void skip_spaces();
  std::string_view rest() const { return std::string_view(source_).substr(at_); }
  char at(std::size_t i) const { return i < source_.size() ? source_[i] : '\0'; }

  std::string source_;
  std::size_t at_ = 0;
  int line_ = 1;
  State state_ = State::data;
  bool line_start_ = true;  // what was read last ended a line, or nothing was read yet
  std::string brackets_;    // open ones
};

/// The value of a string token. Errors: a character that does not exist.
std::string unescaped(const Token& token);

}  // namespace hw::jinja

#if HEADWISE_DEFINITIONS
#include "headwise/text/jinja_lexer.inl.hpp"
#endif
