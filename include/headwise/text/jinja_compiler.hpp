#pragma once
// Tokens -> code, in one pass: expressions by precedence climbing, tags by recursive descent of bounded depth.

#include <initializer_list>
#include <unordered_map>

#include "headwise/text/jinja_lexer.hpp"
#include "headwise/text/jinja_program.hpp"

namespace hw::jinja {

class Compiler {
 public:
  explicit Compiler(std::string_view source);
  Program compile();

 private:
  using Code = std::vector<Instruction>;
  static constexpr int kMaxNesting = 100;
  struct Nested {  // counts brackets and blocks that are open
    explicit Nested(Compiler& compiler) : depth(compiler.depth_) {
      if (++depth > kMaxNesting) compiler.too_deep();
    }
    ~Nested() { --depth; }
    int& depth;
  };
  struct OpenLoop {
    std::size_t next;  // its loop_next
    std::vector<std::size_t> breaks;
    int scopes, captures;
  };
  struct Function {  // what a macro's or recursive loop's body must not see of the code around it
    std::vector<OpenLoop> loops;
    int scopes = 0, captures = 0;
  };

  // Tokens
  void advance();
  bool accept(Token::Kind kind, std::string_view text);
  void expect(Token::Kind kind, std::string_view text);
  std::string_view expect_name();
  [[noreturn, gnu::cold]] void unexpected(std::string_view wanted) const;
  void end_tag();
  [[noreturn, gnu::cold]] void too_deep() const;

  // Code
  std::size_t emit(Op op, std::int32_t a = 0, std::int32_t b = 0);
  std::size_t here() const { return program_.code.size(); }
  void patch(std::size_t jump) { patch(jump, here()); }
  void patch(std::size_t jump, std::size_t to);
  Code cut(std::size_t from);
  void paste(const Code& code);
  void constant(Value value);
  std::int32_t name(std::string_view text);

  // Expressions
  void expression();
  void tuple_expression(bool conditional = true, std::string_view stop = {});
  void binary(int level);
  int level() const;
  void comparisons();
  std::optional<Compare> comparison() const;
  void operand();
  void primary();
  void variable_or_constant();
  void string();
  void list();
  void parenthesised();
  void dict();
  void number();
  void postfix();
  void subscript();
  void filters();
  void filter();
  void test();
  std::int32_t arguments();
  std::int32_t shape(CallShape shape);
  void mention(std::string_view variable);

  // Tags
  std::string_view statements(std::string_view block, std::initializer_list<std::string_view> ends);
  void statement();
  void if_tag();
  void for_tag();
  void loop_body(const Code& target, LoopKind kind);
  void leave_loop(bool again);
  void set_tag();
  void with_tag();
  void filter_tag();
  void macro_tag();
  void call_tag();
  void scoped_tag(std::string_view end);
  void captured(std::string_view block, std::string_view end);
  void assign_target(bool attributes);
  void parameters(MacroShape& macro);
  void function_body(std::size_t macro, std::int32_t index, const Code& defaults, std::string_view end);

  Lexer lexer_;
  Token token_, ahead_;
  Program program_;
  std::unordered_map<std::string, std::int32_t> names_;
  Function function_;
  std::vector<std::int32_t> open_macros_;
  int depth_ = 0;
  int tag_line_ = 1;  // of the innermost open block
};

}  // namespace hw::jinja

#if HEADWISE_DEFINITIONS
#include "headwise/text/jinja_compiler.inl.hpp"
#include "headwise/text/jinja_expressions.inl.hpp"
#include "headwise/text/jinja_statements.inl.hpp"
#endif
