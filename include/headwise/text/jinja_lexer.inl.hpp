#pragma once
#include <algorithm>

#include "headwise/text/jinja_lexer.hpp"

namespace hw::jinja {

HEADWISE_INLINE void template_error(int line, std::string_view message) { fail(concat("chat template, line ", line), message); }

HEADWISE_INLINE Lexer::Lexer(std::string_view source) {
  if (source.size() > kMaxSource) fail("chat template", concat("at most ", kMaxSource, " bytes"), concat(source.size()));
  if (!is_utf8(source)) fail("chat template", "the text is not UTF-8");
  source_.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {  // all ends of lines become \n
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    source_ += source[i] == '\r' ? '\n' : source[i];
  }
  if (!source_.empty() && source_.back() == '\n') source_.pop_back();
}

HEADWISE_INLINE void Lexer::advance(std::size_t to) {
  if (to == at_) return;
  line_ += static_cast<int>(
      std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_), source_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
  line_start_ = source_[to - 1] == '\n';
  at_ = to;
}

HEADWISE_INLINE void Lexer::skip_spaces() {
  std::size_t to = at_;
  while (to < source_.size() && is_space(code_point(std::string_view(source_).substr(to))))
    to += character_bytes(std::string_view(source_).substr(to));
  advance(to);
}

HEADWISE_INLINE Token Lexer::take(Token::Kind kind, std::size_t bytes) {
  Token token{kind, line_, rest().substr(0, bytes)};
  advance(at_ + bytes);
  return token;
}

HEADWISE_INLINE Token Lexer::next() {
  while (true) {
    Token token;
    switch (state_) {
      case State::data: token = data(); break;
      case State::raw: token = raw(); break;
      default: return expression();
    }
    if (!token.is(Token::data) || !token.text.empty()) return token;
  }
}

// Where the text [begin, end) before a tag ends once the tag's whitespace rules are applied.
HEADWISE_INLINE std::size_t Lexer::trimmed(std::size_t begin, std::size_t end, char sign, bool block) const {
  const auto text = std::string_view(source_).substr(begin, end - begin);
  if (sign == '-') return begin + strip(text, false, true).size();
  if (sign == '+' || !block) return end;
  const std::size_t newline = text.rfind('\n');
  if (newline == std::string_view::npos && !line_start_) return end;
  const std::size_t line = newline == std::string_view::npos ? 0 : newline + 1;
  return strip(text.substr(line), true, false).empty() ? begin + line : end;
}

// The byte after `{% raw %}` if that stands at `at`, otherwise 0.
HEADWISE_INLINE std::size_t Lexer::raw_begin(std::size_t at) const {
  std::string_view s = std::string_view(source_).substr(at + 2);
  if (!s.empty() && (s[0] == '-' || s[0] == '+')) s.remove_prefix(1);
  s = strip(s, true, false);
  if (!s.starts_with("raw")) return 0;
  s = strip(s.substr(3), true, false);
  if (s.starts_with("-%}"))
    s = strip(s.substr(3), true, false);
  else if (s.starts_with("%}"))
    s.remove_prefix(2);
  else
    return 0;
  return source_.size() - s.size();
}

HEADWISE_INLINE Token Lexer::data() {
  if (at_ == source_.size()) return {Token::end, line_, {}};
  std::size_t tag = source_.find('{', at_);
  while (tag != std::string::npos && at(tag + 1) != '{' && at(tag + 1) != '%' && at(tag + 1) != '#') tag = source_.find('{', tag + 1);
  if (tag == std::string::npos) return take(Token::data, source_.size() - at_);
  const char kind = at(tag + 1), sign = at(tag + 2);
  const std::size_t end = trimmed(at_, tag, sign, kind != '{');
  Token token{Token::data, line_, std::string_view(source_).substr(at_, end - at_)};
  advance(tag);
  if (!token.text.empty()) return token;  // the tag comes next
  if (kind == '#') {
    comment();
  } else if (const std::size_t content = kind == '%' ? raw_begin(tag) : 0) {
    advance(content);
    state_ = State::raw;
  } else {
    state_ = kind == '{' ? State::print : State::block;
    token = take(kind == '{' ? Token::print_begin : Token::block_begin, sign == '-' || sign == '+' ? 3 : 2);
  }
  return token;
}

// At "{#": skips the comment.
HEADWISE_INLINE void Lexer::comment() {
  const std::size_t content = at_ + (at(at_ + 2) == '-' || at(at_ + 2) == '+' ? 3 : 2);
  const std::size_t close = source_.find("#}", content);
  if (close == std::string::npos) template_error(line_, "the comment has no end");
  const char sign = close > content ? at(close - 1) : '\0';
  advance(close + 2);
  if (sign == '-')
    skip_spaces();
  else if (sign != '+' && at(at_) == '\n')
    advance(at_ + 1);
}

HEADWISE_INLINE Token Lexer::raw() {
  for (std::size_t tag = source_.find("{%", at_); tag != std::string::npos; tag = source_.find("{%", tag + 1)) {
    const char sign = at(tag + 2);
    std::string_view s = std::string_view(source_).substr(tag + (sign == '-' || sign == '+' ? 3 : 2));
    s = strip(s, true, false);
    if (!s.starts_with("endraw")) continue;
    s = strip(s.substr(6), true, false);
    if (s.starts_with("-%}"))
      s = strip(s.substr(3), true, false);
    else if (s.starts_with("+%}"))
      s.remove_prefix(3);
    else if (s.starts_with("%}"))
      s.remove_prefix(s.starts_with("%}\n") ? 3 : 2);
    else
      continue;
    Token token{Token::data, line_, std::string_view(source_).substr(at_, trimmed(at_, tag, sign, true) - at_)};
    advance(source_.size() - s.size());
    state_ = State::data;
    return token;
  }
  if (at_ == source_.size()) return {Token::end, line_, {}};  // Jinja lets this pass
  template_error(line_, "the raw block has no end");
}

// At the end of a tag, "-%}" for example: consumes it with the whitespace that goes with it.
HEADWISE_INLINE bool Lexer::tag_end(std::string_view close, State state, Token& token) {
  const bool block = state == State::block;
  const char sign = at(at_);
  const bool signed_end = (sign == '-' || (block && sign == '+')) && rest().substr(1).starts_with(close);
  if (!signed_end && !rest().starts_with(close)) return false;
  token = take(block ? Token::block_end : Token::print_end, close.size() + signed_end);
  state_ = State::data;
  if (signed_end && sign == '-')
    skip_spaces();
  else if (!signed_end && block && at(at_) == '\n')
    advance(at_ + 1);
  return true;
}

HEADWISE_INLINE Token Lexer::expression() {
  skip_spaces();
  const bool block = state_ == State::block;
  if (at_ == source_.size()) template_error(line_, block ? "the block tag has no end '%}'" : "the expression has no end '}}'");
  Token token;
  if (brackets_.empty() && tag_end(block ? "%}" : "}}", state_, token)) return token;
  const char c = at(at_);
  if (c >= '0' && c <= '9') return number();
  if (c == '\'' || c == '"') return text_literal();
  const auto in_name = [&](std::size_t i) {
    const char b = at(i);
    if (b == '_' || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z')) return true;
    if (b >= '0' && b <= '9') return i > at_;
    return static_cast<unsigned char>(b) >= 0x80 && is_class(code_point(std::string_view(source_).substr(i)), CharacterClass::alphanumeric);
  };
  std::size_t name = at_;
  while (name < source_.size() && in_name(name)) name += character_bytes(std::string_view(source_).substr(name));
  if (name > at_) return take(Token::name, name - at_);

  for (std::string_view two : {"//", "**", "==", "!=", ">=", "<="})
    if (rest().starts_with(two)) return take(Token::op, 2);
  if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == std::string_view::npos || c == '\0')
    template_error(line_, concat("unexpected character ", hw::quoted(rest().substr(0, character_bytes(rest())))));
  if (c == '(' || c == '[' || c == '{') brackets_ += c;
  if (c == ')' || c == ']' || c == '}') {
    const char open = c == ')' ? '(' : c == ']' ? '[' : '{';
    if (brackets_.empty() || brackets_.back() != open) template_error(line_, concat("unexpected '", std::string_view(&c, 1), "'"));
    brackets_.pop_back();
  }
  return take(Token::op, 1);
}

HEADWISE_INLINE Token Lexer::number() {
  const auto digits = [&](std::size_t i, auto is_digit) {  // with single underscores between them; where they end
    while (is_digit(at(i)) || (at(i) == '_' && is_digit(at(i + 1)))) ++i;
    return i;
  };
  const auto decimal = [](char c) { return c >= '0' && c <= '9'; };
  const std::size_t whole = digits(at_, decimal);
  std::size_t end = whole;
  if (at_ == 0 || at(at_ - 1) != '.') {  // `rows.0.5` is item 0, then item 5
    if (at(end) == '.' && decimal(at(end + 1))) end = digits(end + 1, decimal);
    if (at(end) == 'e' || at(end) == 'E') {
      const std::size_t exponent = end + (at(end + 1) == '+' || at(end + 1) == '-' ? 2 : 1);
      if (decimal(at(exponent))) end = digits(exponent, decimal);
    }
  }
  if (end > whole) return take(Token::real, end - at_);
  if (at(at_) == '0') {
    const char base = static_cast<char>(at(at_ + 1) | 0x20);
    const auto in_base = [&](char c) {
      const char l = static_cast<char>(c | 0x20);
      return base == 'x' ? decimal(c) || (l >= 'a' && l <= 'f') : c >= '0' && c < (base == 'b' ? '2' : '8');
    };
    if (base == 'x' || base == 'b' || base == 'o') {
      end = digits(at_ + 2, in_base);
      if (end > at_ + 2) return take(Token::integer, end - at_);
    }
  }
  return take(Token::integer, whole - at_);
}

HEADWISE_INLINE Token Lexer::text_literal() {
  const char quote = at(at_);
  for (std::size_t i = at_ + 1; i < source_.size(); ++i) {
    if (source_[i] == '\\')
      ++i;
    else if (source_[i] == quote)
      return take(Token::string, i + 1 - at_);
  }
  template_error(line_, "the string has no end");
}

HEADWISE_INLINE std::string unescaped(const Token& token) {
  const std::string_view s = token.text.substr(1, token.text.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    if (s[i] != '\\' || i + 1 == s.size()) {
      out += s[i];
      continue;
    }
    const char c = s[++i];
    constexpr std::string_view kLetters = "abfnrtv\\'\"", kValues = "\a\b\f\n\r\t\v\\'\"";
    const int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (const std::size_t k = kLetters.find(c); k != std::string_view::npos) {
      out += kValues[k];
    } else if (c == '\n') {  // a line that goes on
    } else if (digits) {
      char32_t value = 0;
      for (int d = 0; d < digits; ++d) {
        const char h = i + 1 < s.size() ? s[++i] : '\0';
        const char l = static_cast<char>(h | 0x20);
        if (!((h >= '0' && h <= '9') || (l >= 'a' && l <= 'f'))) template_error(token.line, "a string has a broken \\x, \\u or \\U escape");
        value = value << 4 | static_cast<char32_t>(h <= '9' ? h - '0' : l - 'a' + 10);
      }
      if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
        template_error(token.line, "a string has an escape that is no character");
      append_utf8(out, value);
    } else if (c >= '0' && c <= '7') {
      char32_t value = static_cast<char32_t>(c - '0');
      for (int d = 1; d < 3 && i + 1 < s.size() && s[i + 1] >= '0' && s[i + 1] <= '7'; ++d)
        value = value * 8 + static_cast<char32_t>(s[++i] - '0');
      append_utf8(out, value);
    } else if (c == 'N') {
      template_error(token.line, "\\N escapes in strings are not supported");
    } else {
      (out += '\\') += c;
    }
  }
  return out;
}

}  // namespace hw::jinja
