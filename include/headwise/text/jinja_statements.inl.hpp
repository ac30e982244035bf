#pragma once
#include <algorithm>

#include "headwise/text/jinja_compiler.hpp"

namespace hw::jinja {

HEADWISE_INLINE Program Compiler::compile() {
  statements("", {});
  emit(Op::stop);
  return std::move(program_);
}

HEADWISE_INLINE void Compiler::end_tag() {
  if (!token_.is(Token::block_end)) unexpected("the end of the tag");
  advance();
}

// Text, expressions and tags up to one of `ends`, whose name is consumed and given back.
HEADWISE_INLINE std::string_view Compiler::statements(std::string_view block, std::initializer_list<std::string_view> ends) {
  const Nested nested(*this);
  const int line = tag_line_;
  while (!token_.is(Token::end)) {
    if (token_.is(Token::data)) {
      program_.constants.emplace_back(token_.text);
      emit(Op::text, static_cast<std::int32_t>(program_.constants.size() - 1));
      advance();
    } else if (token_.is(Token::print_begin)) {
      advance();
      tuple_expression();
      if (!token_.is(Token::print_end)) unexpected("the end of the expression");
      emit(Op::print);
      advance();
    } else {
      advance();  // block_begin
      if (!token_.is(Token::name)) unexpected("the name of a tag");
      for (std::string_view end : ends)
        if (accept(Token::name, end)) {
          tag_line_ = line;
          return end;
        }
      statement();
    }
  }
  if (ends.size() > 0) template_error(line, concat("the block '", block, "' has no end '", *(ends.end() - 1), "'"));
  return {};
}

HEADWISE_INLINE void Compiler::statement() {
  const Token tag = token_;
  tag_line_ = tag.line;
  advance();
  if (tag.text == "if") return if_tag();
  if (tag.text == "for") return for_tag();
  if (tag.text == "set") return set_tag();
  if (tag.text == "macro") return macro_tag();
  if (tag.text == "call") return call_tag();
  if (tag.text == "with") return with_tag();
  if (tag.text == "filter") return filter_tag();
  if (tag.text == "break") return leave_loop(false);
  if (tag.text == "continue") return leave_loop(true);
  if (tag.text == "generation") return scoped_tag("endgeneration");
  if (tag.text == "block") {
    expect_name();
    while (token_.is(Token::name)) advance();  // scoped, required
    return scoped_tag("endblock");
  }
  if (tag.text == "include" || tag.text == "import" || tag.text == "from" || tag.text == "extends")
    template_error(tag.line, concat("the tag '", tag.text, "' would load another template, which chat templates cannot"));
  template_error(tag.line, concat("unknown tag ", hw::quoted(tag.text), ", or an end of a block that is not open here"));
}

HEADWISE_INLINE void Compiler::if_tag() {
  std::vector<std::size_t> done;
  std::string_view end = "elif";
  while (end == "elif") {
    tuple_expression(false);
    end_tag();
    const std::size_t no = emit(Op::jump_if_false);
    end = statements("if", {"elif", "else", "endif"});
    if (end != "endif") done.push_back(emit(Op::jump));
    patch(no);
  }
  if (end == "else") {
    end_tag();
    statements("if", {"endif"});
  }
  for (std::size_t jump : done) patch(jump);
  end_tag();
}

// for target in items [if condition] [recursive]
HEADWISE_INLINE void Compiler::for_tag() {
  std::size_t start = here();
  assign_target(false);
  const Code target = cut(start);
  expect(Token::name, "in");
  tuple_expression(false, "recursive");
  start = here();
  if (accept(Token::name, "if")) {
    emit(Op::loop_begin, static_cast<std::int32_t>(LoopKind::hidden));
    const std::size_t next = emit(Op::loop_next);
    paste(target);
    expression();
    emit(Op::loop_keep);
    patch(emit(Op::jump), next);
    patch(next);
    emit(Op::loop_kept);
  }
  if (!accept(Token::name, "recursive")) {
    end_tag();
    return loop_body(target, LoopKind::plain);
  }
  end_tag();
  const Code condition = cut(start);
  const std::size_t enter = emit(Op::enter);
  emit(Op::print);
  const std::size_t over = emit(Op::jump);
  patch(enter);
  Function around = std::exchange(function_, {});
  paste(condition);
  loop_body(target, LoopKind::recursive);
  emit(Op::leave);
  function_ = std::move(around);
  patch(over);
}

HEADWISE_INLINE void Compiler::loop_body(const Code& target, LoopKind kind) {
  emit(Op::loop_begin, static_cast<std::int32_t>(kind));
  ++function_.scopes;
  const std::size_t next = emit(Op::loop_next);
  function_.loops.push_back({next, {}, function_.scopes, function_.captures});
  paste(target);
  const std::string_view end = statements("for", {"else", "endfor"});
  patch(emit(Op::jump), next);
  patch(next);
  for (std::size_t jump : function_.loops.back().breaks) patch(jump);
  function_.loops.pop_back();
  --function_.scopes;
  const std::size_t any = emit(Op::loop_end);
  if (end == "else") {
    end_tag();
    statements("for", {"endfor"});
  }
  patch(any);
  end_tag();
}

// break, continue: first out of the blocks inside the loop that this stands in.
HEADWISE_INLINE void Compiler::leave_loop(bool again) {
  if (function_.loops.empty()) template_error(token_.line, concat(again ? "continue" : "break", " outside of a loop"));
  OpenLoop& loop = function_.loops.back();
  for (int i = function_.scopes; i > loop.scopes; --i) emit(Op::pop_scope);
  for (int i = function_.captures; i > loop.captures; --i) emit(Op::capture_drop);
  const std::size_t jump = emit(Op::jump);
  if (again)
    patch(jump, loop.next);
  else
    loop.breaks.push_back(jump);
  end_tag();
}

// Emits the code that assigns the top of the stack. Targets: a, a.b (namespaces), (a, b), a, b.
HEADWISE_INLINE void Compiler::assign_target(bool attributes) {
  const Nested nested(*this);
  const std::size_t unpack = emit(Op::unpack);
  std::int32_t count = 0;
  bool tuple = false;
  do {
    if (count > 0 && !token_.is(Token::name) && !token_.is(Token::op, "(")) break;  // "a, = ..."
    if (accept(Token::op, "(")) {
      assign_target(attributes);
      expect(Token::op, ")");
    } else {
      const Token target = token_;
      for (std::string_view constant : {"true", "false", "none", "True", "False", "None"})
        if (target.text == constant) template_error(target.line, concat("'", constant, "' cannot be assigned"));
      for (std::string_view keyword : {"in", "not", "and", "or", "is", "if", "else"})
        if (target.text == keyword) unexpected("a variable");
      expect_name();
      if (attributes && accept(Token::op, "."))
        emit(Op::store_attribute, name(target.text), name(expect_name()));
      else
        emit(Op::store, name(target.text));
    }
    ++count;
    tuple |= token_.is(Token::op, ",");
  } while (accept(Token::op, ","));
  if (tuple)
    program_.code[unpack].a = count;
  else
    program_.code.erase(program_.code.begin() + static_cast<std::ptrdiff_t>(unpack));
}

// set a = value, or set a [| filters] ... endset
HEADWISE_INLINE void Compiler::set_tag() {
  std::size_t start = here();
  assign_target(true);
  const Code target = cut(start);
  if (accept(Token::op, "=")) {
    tuple_expression();
  } else {
    start = here();
    filters();
    const Code filters = cut(start);
    end_tag();
    captured("set", "endset");
    paste(filters);
  }
  paste(target);
  end_tag();
}

// The body of a block in a scope of its own, pushed as a string.
HEADWISE_INLINE void Compiler::captured(std::string_view block, std::string_view end) {
  emit(Op::capture_begin);
  emit(Op::push_scope);
  ++function_.captures, ++function_.scopes;
  statements(block, {end});
  --function_.captures, --function_.scopes;
  emit(Op::pop_scope);
  emit(Op::capture_end);
}

HEADWISE_INLINE void Compiler::filter_tag() {
  const std::size_t start = here();
  filter();
  filters();
  const Code filters = cut(start);
  end_tag();
  captured("filter", "endfilter");
  paste(filters);
  emit(Op::print);
  end_tag();
}

HEADWISE_INLINE void Compiler::with_tag() {
  std::vector<Code> targets;
  while (!token_.is(Token::block_end)) {
    const std::size_t start = here();
    assign_target(false);
    targets.push_back(cut(start));
    expect(Token::op, "=");
    expression();
    if (!accept(Token::op, ",")) break;
  }
  emit(Op::push_scope);
  for (auto target = targets.rbegin(); target != targets.rend(); ++target) paste(*target);
  ++function_.scopes;
  end_tag();
  statements("with", {"endwith"});
  --function_.scopes;
  emit(Op::pop_scope);
  end_tag();
}

HEADWISE_INLINE void Compiler::scoped_tag(std::string_view end) {
  end_tag();
  emit(Op::push_scope);
  ++function_.scopes;
  statements(end.substr(3), {end});
  --function_.scopes;
  emit(Op::pop_scope);
  if (token_.is(Token::name)) advance();  // endblock name
  end_tag();
}

// (a, b=default): the code of the defaults runs when the macro is entered.
HEADWISE_INLINE void Compiler::parameters(MacroShape& macro) {
  expect(Token::op, "(");
  while (!token_.is(Token::op, ")")) {
    const std::int32_t parameter = name(expect_name());
    if (std::find(macro.parameters.begin(), macro.parameters.end(), parameter) != macro.parameters.end())
      template_error(token_.line, concat("two parameters are called ", hw::quoted(program_.names[static_cast<std::size_t>(parameter)])));
    macro.parameters.push_back(parameter);
    macro.defaults.push_back(token_.is(Token::op, "="));
    if (accept(Token::op, "=")) {
      const std::size_t given = emit(Op::parameter, parameter);
      expression();
      emit(Op::store, parameter);
      patch(given);
    }
    if (!accept(Token::op, ",")) break;
  }
  expect(Token::op, ")");
}

// The code of macro `index`, which the instruction at `macro` pushes, jumped over where it stands.
HEADWISE_INLINE void Compiler::function_body(std::size_t macro, std::int32_t index, const Code& defaults, std::string_view end) {
  const std::size_t over = emit(Op::jump);
  patch(macro);
  Function around = std::exchange(function_, {});
  open_macros_.push_back(index);
  for (const Instruction& instruction : defaults)
    if (instruction.op == Op::load) mention(program_.names[static_cast<std::size_t>(instruction.a)]);
  paste(defaults);
  statements(end.substr(3), {end});
  emit(Op::leave);
  open_macros_.pop_back();
  function_ = std::move(around);
  patch(over);
}

HEADWISE_INLINE void Compiler::macro_tag() {
  MacroShape shape{std::string(expect_name())};
  const std::size_t start = here();
  parameters(shape);
  const Code defaults = cut(start);
  end_tag();
  const std::int32_t variable = name(shape.name), index = static_cast<std::int32_t>(program_.macros.size());
  program_.macros.push_back(std::move(shape));
  const std::size_t macro = emit(Op::macro, index);
  emit(Op::store, variable);
  function_body(macro, index, defaults, "endmacro");
  end_tag();
}

// call[(parameters)] f(...): calls f with the block as the macro `caller`.
HEADWISE_INLINE void Compiler::call_tag() {
  MacroShape shape{"caller"};
  const std::size_t start = here();
  if (token_.is(Token::op, "(")) parameters(shape);
  const Code defaults = cut(start);
  const int line = token_.line;
  expression();
  end_tag();
  const Instruction call = here() > start ? program_.code.back() : Instruction{Op::stop};
  bool plain = call.op == Op::call || call.op == Op::call_method;
  for (std::size_t i = start; i < here(); ++i) {  // `a and f()` also ends with a call
    const Op op = program_.code[i].op;
    const bool jumps = op == Op::jump || op == Op::jump_if_false || op == Op::and_jump || op == Op::or_jump || op == Op::compare_chain;
    if (jumps && i + static_cast<std::size_t>(program_.code[i].b) == here()) plain = false;
  }
  if (!plain) template_error(line, "a call block needs a call");
  program_.code.pop_back();
  CallShape arguments = program_.calls[static_cast<std::size_t>(call.b)];
  if (arguments.list || arguments.dict) template_error(line, "a call block cannot take * and ** arguments");
  arguments.names.emplace_back("caller");
  const std::int32_t index = static_cast<std::int32_t>(program_.macros.size());
  program_.macros.push_back(std::move(shape));
  function_body(emit(Op::macro, index), index, defaults, "endcall");
  emit(call.op, call.a, this->shape(std::move(arguments)));
  emit(Op::print);
  end_tag();
}

}  // namespace hw::jinja
