#pragma once
#include "headwise/text/jinja_compiler.hpp"

namespace hw::jinja {

HEADWISE_INLINE Program compile(std::string_view source) { return Compiler(source).compile(); }

HEADWISE_INLINE Compiler::Compiler(std::string_view source) : lexer_(source) {
  token_ = lexer_.next();
  ahead_ = token_.is(Token::end) ? token_ : lexer_.next();
}

HEADWISE_INLINE void Compiler::too_deep() const {
  template_error(token_.line, concat("blocks and brackets nest deeper than ", kMaxNesting));
}

HEADWISE_INLINE void Compiler::advance() {
  token_ = ahead_;
  if (!ahead_.is(Token::end)) ahead_ = lexer_.next();
}

HEADWISE_INLINE bool Compiler::accept(Token::Kind kind, std::string_view text) {
  if (!token_.is(kind, text)) return false;
  advance();
  return true;
}

HEADWISE_INLINE void Compiler::unexpected(std::string_view wanted) const {
  std::string found = hw::quoted(token_.text, 40);
  if (token_.is(Token::end)) found = "the end of the template";
  if (token_.is(Token::block_end) || token_.is(Token::print_end)) found = concat("the end of the tag, ", found);
  template_error(token_.line, concat("expected ", wanted, ", found ", found));
}

HEADWISE_INLINE void Compiler::expect(Token::Kind kind, std::string_view text) {
  if (!accept(kind, text)) unexpected(text);
}

HEADWISE_INLINE std::string_view Compiler::expect_name() {
  if (!token_.is(Token::name)) unexpected("a name");
  const std::string_view text = token_.text;
  advance();
  return text;
}

HEADWISE_INLINE std::size_t Compiler::emit(Op op, std::int32_t a, std::int32_t b) {
  program_.code.push_back({op, a, b, token_.line});
  return here() - 1;
}

HEADWISE_INLINE void Compiler::patch(std::size_t jump, std::size_t to) {
  program_.code[jump].b = static_cast<std::int32_t>(static_cast<std::ptrdiff_t>(to) - static_cast<std::ptrdiff_t>(jump));
}

HEADWISE_INLINE Compiler::Code Compiler::cut(std::size_t from) {
  Code& code = program_.code;
  Code out(code.begin() + static_cast<std::ptrdiff_t>(from), code.end());
  code.resize(from);
  return out;
}

HEADWISE_INLINE void Compiler::paste(const Code& code) { program_.code.insert(program_.code.end(), code.begin(), code.end()); }

HEADWISE_INLINE void Compiler::constant(Value value) {
  program_.constants.push_back(std::move(value));
  emit(Op::constant, static_cast<std::int32_t>(program_.constants.size() - 1));
}

HEADWISE_INLINE std::int32_t Compiler::name(std::string_view text) {
  const auto [found, added] = names_.try_emplace(std::string(text), static_cast<std::int32_t>(program_.names.size()));
  if (added) program_.names.emplace_back(text);
  return found->second;
}

HEADWISE_INLINE std::int32_t Compiler::shape(CallShape shape) {
  program_.calls.push_back(std::move(shape));
  return static_cast<std::int32_t>(program_.calls.size() - 1);
}

}  // namespace hw::jinja
