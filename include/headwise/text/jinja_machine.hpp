#pragma once
// Runs a compiled template. One instance renders once.

#include <chrono>

#include "headwise/text/jinja_objects.hpp"

namespace hw::jinja {

class Machine {
 public:
  /// `context` must be a dict. `now`: what strftime_now tells.
  Machine(const Program& program, const Value& context, const JinjaLimits& limits, std::chrono::system_clock::time_point now);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// Errors: everything that goes wrong in the template, with its line; a limit that is exceeded.
  std::string run();

 private:
  struct Frame {  // of a macro or recursive loop that is active
    std::size_t back;
    Scope* scope;
    std::size_t loops;
    const MacroShape* macro;
    std::vector<bool> given;
  };

  void loop();
  bool step(const Instruction& instruction);
  Value pop();
  void push(Value value) { stack_.push_back(std::move(value)); }
  Value::List pop_many(std::int32_t count);
  const std::string& name(std::int32_t i) const { return program_.names[static_cast<std::size_t>(i)]; }

  Value load(std::int32_t name);
  Scope& new_scope(Scope* parent);
  void drop_scope();
  void capture(Scope& scope);
  void jump(const Instruction& instruction) { at_ = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(at_) + instruction.b); }

  Arguments arguments(const Instruction& instruction, std::string_view callee);
  void call(const Value& callee, Arguments arguments);
  void enter(std::size_t code, Scope& scope, const MacroShape* macro);
  void enter_macro(const Macro& macro, const Arguments& arguments);
  void leave();

  void begin_loop(LoopKind kind);
  void next_item(const Instruction& instruction);
  void end_loop();
  void unpack(std::int32_t count);

  const Program& program_;
  const Value& context_;
  Meter meter_;
  index_t max_calls_;
  std::size_t at_ = 0;  // the instruction that runs
  bool jumped_ = false;
  Value::List stack_;
  std::vector<MeteredText> outputs_;  // of the template, and of each open capture
  std::vector<Frame> frames_;
  std::vector<std::shared_ptr<Loop>> loops_;
  std::vector<std::unique_ptr<Scope>> scopes_;
  std::vector<Scope*> free_scopes_;
  Scope* scope_;
  index_t recursion_ = 0;  // depth of the next recursive loop
  std::int32_t loop_name_ = -1;
  std::shared_ptr<NamespaceMaker> namespaces_;
  std::vector<std::pair<std::string_view, Value>> globals_;
};

/// The functions every template can call, except `namespace`.
std::vector<std::pair<std::string_view, Value>> builtin_functions(std::chrono::system_clock::time_point now);

}  // namespace hw::jinja

#if HEADWISE_DEFINITIONS
#include "headwise/text/jinja_calls.inl.hpp"
#include "headwise/text/jinja_functions.inl.hpp"
#include "headwise/text/jinja_machine.inl.hpp"
#endif
