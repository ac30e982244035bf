#pragma once
#include <algorithm>
#include <charconv>

#include "headwise/text/jinja_compiler.hpp"

namespace hw::jinja {

// a if condition else b: the code of `a` is written first but runs after the condition.
HEADWISE_INLINE void Compiler::expression() {
  const Nested nested(*this);
  const std::size_t start = here();
  binary(1);
  while (accept(Token::name, "if")) {
    const Code then = cut(start);
    binary(1);
    const std::size_t no = emit(Op::jump_if_false);
    paste(then);
    const std::size_t done = emit(Op::jump);
    patch(no);
    if (accept(Token::name, "else"))
      expression();
    else
      constant(Value::undefined("the inline if was false and has no else"));
    patch(done);
  }
}

// a, b, c without brackets is a tuple. `stop`: a name that ends it.
HEADWISE_INLINE void Compiler::tuple_expression(bool conditional, std::string_view stop) {
  const auto item = [&] { conditional ? expression() : binary(1); };
  item();
  if (!token_.is(Token::op, ",")) return;
  std::int32_t count = 1;
  while (accept(Token::op, ",")) {
    if (token_.is(Token::print_end) || token_.is(Token::block_end) || token_.is(Token::op, ")") || token_.is(Token::name, stop)) break;
    item();
    ++count;
  }
  emit(Op::tuple, count);
}

HEADWISE_INLINE std::optional<Compare> Compiler::comparison() const {
  constexpr std::string_view kOperators[] = {"==", "!=", "<", "<=", ">", ">="};
  for (int i = 0; i < 6; ++i)
    if (token_.is(Token::op, kOperators[i])) return static_cast<Compare>(i);
  if (token_.is(Token::name, "in")) return Compare::in;
  if (token_.is(Token::name, "not") && ahead_.is(Token::name, "in")) return Compare::not_in;
  return std::nullopt;
}

// How tightly the operator at this token binds; 0: no operator. 1 or, 2 and, (3 not), 4 comparisons, 5 + -, 6 ~, 7 * / // %, 8 **.
HEADWISE_INLINE int Compiler::level() const {
  if (token_.is(Token::name)) return token_.text == "or" ? 1 : token_.text == "and" ? 2 : comparison() ? 4 : 0;
  if (!token_.is(Token::op)) return 0;
  const std::string_view t = token_.text;
  if (t == "+" || t == "-") return 5;
  if (t == "~") return 6;
  if (t == "*" || t == "/" || t == "//" || t == "%") return 7;
  return t == "**" ? 8 : comparison() ? 4 : 0;
}

HEADWISE_INLINE void Compiler::binary(int lowest) {
  if (lowest <= 3 && token_.is(Token::name, "not")) {
    bool odd = false;
    while (accept(Token::name, "not")) odd = !odd;
    binary(4);
    emit(Op::invert);
    if (!odd) emit(Op::invert);
  } else {
    operand();
  }
  for (int l = level(); l >= lowest && l > 0; l = level()) {
    const std::string_view t = token_.text;
    if (l == 4) {
      comparisons();
    } else if (l == 6) {
      std::int32_t count = 1;
      for (; accept(Token::op, "~"); ++count) binary(7);
      emit(Op::concat, count);
    } else if (l <= 2) {
      const std::size_t jump = emit(l == 1 ? Op::or_jump : Op::and_jump);
      advance();
      binary(l + 1);
      patch(jump);
    } else {
      advance();
      binary(l + 1);
      emit(t == "+"    ? Op::add
           : t == "-"  ? Op::subtract
           : t == "*"  ? Op::multiply
           : t == "/"  ? Op::divide
           : t == "//" ? Op::floor_divide
           : t == "%"  ? Op::modulo
                       : Op::power);
    }
  }
}

HEADWISE_INLINE void Compiler::comparisons() {
  std::vector<std::size_t> failed;
  for (std::optional<Compare> which = comparison(); which;) {
    if (*which == Compare::not_in) advance();
    advance();
    binary(5);
    const std::optional<Compare> next = comparison();
    const std::size_t at = emit(next ? Op::compare_chain : Op::compare, static_cast<std::int32_t>(*which));
    if (next) failed.push_back(at);
    which = next;
  }
  for (std::size_t at : failed) patch(at);
}

HEADWISE_INLINE void Compiler::operand() {
  bool plus = false, odd = false, minus = false;
  for (; token_.is(Token::op, "-") || token_.is(Token::op, "+"); advance()) {
    plus |= token_.text == "+";
    minus |= token_.text == "-";
    odd ^= token_.text == "-";
  }
  primary();
  postfix();
  if (plus) emit(Op::plus);
  if (minus) emit(Op::negate);
  if (minus && !odd) emit(Op::negate);
  filters();
}

// Names that mean something in a macro: its shape must know that the body mentions them.
HEADWISE_INLINE void Compiler::mention(std::string_view variable) {
  for (std::int32_t open : open_macros_) {
    MacroShape& macro = program_.macros[static_cast<std::size_t>(open)];
    macro.caller |= variable == "caller";
    macro.varargs |= variable == "varargs";
    macro.kwargs |= variable == "kwargs";
  }
}

HEADWISE_INLINE void Compiler::variable_or_constant() {
  const std::string_view t = token_.text;
  for (std::string_view reserved : {"not", "and", "or", "in", "is", "if", "else"})
    if (t == reserved) unexpected("a value");
  if (t == "true" || t == "True") {
    constant(true);
  } else if (t == "false" || t == "False") {
    constant(false);
  } else if (t == "none" || t == "None") {
    constant(nullptr);
  } else {
    mention(t);
    emit(Op::load, name(t));
  }
  advance();
}

HEADWISE_INLINE void Compiler::string() {
  std::string text;
  for (; token_.is(Token::string); advance()) text += unescaped(token_);
  constant(std::move(text));
}

HEADWISE_INLINE void Compiler::primary() {
  if (token_.is(Token::name)) return variable_or_constant();
  if (token_.is(Token::string)) return string();
  if (token_.is(Token::integer) || token_.is(Token::real)) return number();
  if (accept(Token::op, "(")) return parenthesised();
  if (accept(Token::op, "[")) return list();
  if (accept(Token::op, "{")) return dict();
  unexpected("a value");
}

HEADWISE_INLINE void Compiler::parenthesised() {
  if (accept(Token::op, ")")) {
    emit(Op::tuple, 0);
    return;
  }
  tuple_expression();
  expect(Token::op, ")");
}

HEADWISE_INLINE void Compiler::list() {
  std::int32_t count = 0;
  while (!token_.is(Token::op, "]")) {
    expression();
    ++count;
    if (!accept(Token::op, ",")) break;
  }
  expect(Token::op, "]");
  emit(Op::list, count);
}

HEADWISE_INLINE void Compiler::dict() {
  std::int32_t count = 0;
  while (!token_.is(Token::op, "}")) {
    expression();
    expect(Token::op, ":");
    expression();
    ++count;
    if (!accept(Token::op, ",")) break;
  }
  expect(Token::op, "}");
  emit(Op::dict, count);
}

HEADWISE_INLINE void Compiler::number() {
  std::string digits(token_.text);
  std::erase(digits, '_');
  const char* const end = digits.data() + digits.size();
  if (token_.is(Token::real)) {
    double value = 0;
    if (std::from_chars(digits.data(), end, value).ec == std::errc::result_out_of_range)
      template_error(token_.line, concat("the number ", digits, " is out of range"));
    constant(value);
  } else {
    const char letter = static_cast<char>(digits.size() > 2 ? digits[1] | 0x20 : 0);
    const int base = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 10;
    std::int64_t value = 0;
    if (std::from_chars(digits.data() + (base == 10 ? 0 : 2), end, value, base).ec != std::errc())
      template_error(token_.line, concat("the integer ", hw::quoted(digits, 40), " needs more than 64 bits"));
    constant(value);
  }
  advance();
}

HEADWISE_INLINE void Compiler::postfix() {
  while (true) {
    if (accept(Token::op, ".")) {
      if (token_.is(Token::integer)) {
        number();
        emit(Op::item);
        continue;
      }
      const std::int32_t attribute = name(expect_name());
      if (token_.is(Token::op, "("))
        emit(Op::call_method, attribute, arguments());
      else
        emit(Op::attribute, attribute);
    } else if (token_.is(Token::op, "[")) {
      subscript();
    } else if (token_.is(Token::op, "(")) {
      emit(Op::call, 0, arguments());
    } else {
      return;
    }
  }
}

// [index] or [start:stop:step]
HEADWISE_INLINE void Compiler::subscript() {
  const auto part = [&] { token_.is(Token::op, ":") || token_.is(Token::op, "]") ? constant(nullptr) : expression(); };
  expect(Token::op, "[");
  if (token_.is(Token::op, "]")) unexpected("an index");
  part();
  const bool slice = accept(Token::op, ":");
  if (slice) {
    part();
    accept(Token::op, ":") ? part() : constant(nullptr);
  }
  expect(Token::op, "]");
  emit(slice ? Op::slice : Op::item);
}

// (positional, name=value, *list, **dict)
HEADWISE_INLINE std::int32_t Compiler::arguments() {
  const Nested nested(*this);
  CallShape call;
  Code list, dict;
  expect(Token::op, "(");
  while (!token_.is(Token::op, ")")) {
    const std::size_t start = here();
    if (accept(Token::op, "*")) {
      if (call.list || call.dict) unexpected("one * argument");
      expression();
      list = cut(start);
      call.list = true;
    } else if (accept(Token::op, "**")) {
      if (call.dict) unexpected("one ** argument");
      expression();
      dict = cut(start);
      call.dict = true;
    } else if (token_.is(Token::name) && ahead_.is(Token::op, "=")) {
      if (call.dict) unexpected(")");
      if (std::find(call.names.begin(), call.names.end(), token_.text) != call.names.end()) unexpected("a name that was not given yet");
      call.names.emplace_back(token_.text);
      advance();
      advance();
      expression();
    } else {
      if (!call.names.empty() || call.list || call.dict) unexpected("a named argument");
      expression();
      ++call.positional;
    }
    if (!accept(Token::op, ",")) break;
  }
  expect(Token::op, ")");
  paste(list);
  paste(dict);
  return shape(std::move(call));
}

HEADWISE_INLINE void Compiler::filters() {
  while (true) {
    if (accept(Token::op, "|"))
      filter();
    else if (accept(Token::name, "is"))
      test();
    else if (token_.is(Token::op, "("))
      emit(Op::call, 0, arguments());
    else
      return;
  }
}

HEADWISE_INLINE void Compiler::filter() {
  std::string filter(expect_name());
  while (accept(Token::op, ".")) (filter += '.') += expect_name();
  const std::int32_t call = token_.is(Token::op, "(") ? arguments() : shape({});
  const Filter found = find_filter(filter);
  program_.sites.push_back({std::move(filter), found, nullptr});
  emit(Op::filter, static_cast<std::int32_t>(program_.sites.size() - 1), call);
}

// `is divisibleby 3`: one argument may come without brackets.
HEADWISE_INLINE void Compiler::test() {
  const bool inverted = accept(Token::name, "not");
  std::string test(expect_name());
  while (accept(Token::op, ".")) (test += '.') += expect_name();
  CallShape call;
  std::int32_t arguments = -1;
  const bool name_follows = token_.is(Token::name) && token_.text != "else" && token_.text != "or" && token_.text != "and" &&
                            token_.text != "if" && token_.text != "in" && token_.text != "not";
  if (token_.is(Token::op, "(")) {
    arguments = this->arguments();
  } else if (name_follows || token_.is(Token::string) || token_.is(Token::integer) || token_.is(Token::real) || token_.is(Token::op, "[") ||
             token_.is(Token::op, "{")) {
    if (token_.is(Token::name, "is")) unexpected("one test, as tests cannot be chained");
    primary();
    postfix();
    call.positional = 1;
  }
  if (arguments < 0) arguments = shape(std::move(call));
  const Test found = find_test(test);
  program_.sites.push_back({std::move(test), nullptr, found});
  emit(Op::test, static_cast<std::int32_t>(program_.sites.size() - 1), arguments);
  if (inverted) emit(Op::invert);
}

}  // namespace hw::jinja
