#pragma once
#include <algorithm>
#include <iterator>

#include "headwise/text/jinja_lexer.hpp"
#include "headwise/text/jinja_machine.hpp"

namespace hw::jinja {

HEADWISE_INLINE Machine::Machine(const Program& program, const Value& context, const JinjaLimits& limits,
                                 std::chrono::system_clock::time_point now)
    : program_(program),
      context_(context),
      meter_(limits),
      max_calls_(limits.calls),
      scope_(&new_scope(nullptr)),
      namespaces_(std::make_shared<NamespaceMaker>()),
      globals_(builtin_functions(now)) {
  outputs_.emplace_back(meter_);
  globals_.emplace_back("namespace", Value::object(namespaces_));
  const auto loop = std::find(program.names.begin(), program.names.end(), "loop");
  if (loop != program.names.end()) loop_name_ = static_cast<std::int32_t>(loop - program.names.begin());
}

// Namespaces, and loops through `changed`, may refer to themselves: what they hold is dropped one by one.
HEADWISE_INLINE Machine::~Machine() {
  for (const auto& loop : loops_) {
    loop->ended = true;
    loop->last_changed.clear();
  }
  namespaces_->release();
}

HEADWISE_INLINE std::string Machine::run() {
  try {
    loop();
  } catch (const Error& e) {
    template_error(program_.code[at_].line, e.what());
  }
  return outputs_.front().take();
}

HEADWISE_INLINE void Machine::loop() {
  while (true) {
    meter_.step();
    jumped_ = false;
    if (!step(program_.code[at_])) return;
    if (!jumped_) ++at_;
  }
}

HEADWISE_INLINE Value Machine::pop() {
  Value value = std::move(stack_.back());
  stack_.pop_back();
  return value;
}

HEADWISE_INLINE Value::List Machine::pop_many(std::int32_t count) {
  const auto first = stack_.end() - count;
  Value::List values(std::make_move_iterator(first), std::make_move_iterator(stack_.end()));
  stack_.erase(first, stack_.end());
  return values;
}

HEADWISE_INLINE Scope& Machine::new_scope(Scope* parent) {
  if (free_scopes_.empty()) {
    meter_.bytes(128);
    scopes_.push_back(std::make_unique<Scope>());
    free_scopes_.push_back(scopes_.back().get());
  }
  Scope& scope = *free_scopes_.back();
  free_scopes_.pop_back();
  scope.parent = parent;
  return scope;
}

HEADWISE_INLINE void Machine::drop_scope() {
  Scope& scope = *scope_;
  scope_ = scope.parent;
  if (scope.captured) return;
  scope.variables.clear();
  free_scopes_.push_back(&scope);
}

HEADWISE_INLINE void Machine::capture(Scope& scope) {
  for (Scope* s = &scope; s && !s->captured; s = s->parent) s->captured = true;
}

HEADWISE_INLINE Value Machine::load(std::int32_t variable) {
  for (Scope* scope = scope_; scope; scope = scope->parent) {
    meter_.step(static_cast<index_t>(1 + scope->variables.size() / 16));
    if (const Value* value = scope->find(variable)) return *value;
  }
  const std::string& text = name(variable);
  if (const Value* value = context_.find(std::string_view(text))) return *value;
  for (const auto& [global, value] : globals_)
    if (global == text) return value;
  return Value::undefined(concat(hw::quoted(text), " is undefined"));
}

HEADWISE_INLINE Arguments Machine::arguments(const Instruction& instruction, std::string_view callee) {
  const CallShape& shape = program_.calls[static_cast<std::size_t>(instruction.b)];
  const Value dict = shape.dict ? pop() : Value(), list = shape.list ? pop() : Value();
  Value::List named = pop_many(static_cast<std::int32_t>(shape.names.size()));
  Arguments arguments{callee, pop_many(shape.positional), {}};
  for (std::size_t i = 0; i < named.size(); ++i) arguments.named.emplace_back(shape.names[i], std::move(named[i]));
  if (shape.list) {
    const Value items = iterate(list, meter_);
    meter_.bytes(static_cast<index_t>(items.items().size()), sizeof(Value));
    arguments.positional.insert(arguments.positional.end(), items.items().begin(), items.items().end());
  }
  if (shape.dict) {
    if (!dict.is_dict()) error("** needs a dict");
    meter_.bytes(static_cast<index_t>(dict.entries().size()), 64);
    for (const auto& [key, value] : dict.entries()) {
      // The name must live as long as the arguments: it is that of the program, if the program has it at all.
      const auto known = std::find(program_.names.begin(), program_.names.end(), text_argument(key, "a name in **"));
      if (known == program_.names.end()) error(concat("** has the name ", hw::quoted(key.text()), ", which this template does not know"));
      arguments.named.emplace_back(*known, value);
    }
  }
  return arguments;
}

HEADWISE_INLINE void Machine::call(const Value& callee, Arguments arguments) {
  if (callee.is_undefined()) callee.use();
  if (const Macro* macro = callee.as<Macro>()) return enter_macro(*macro, arguments);
  if (Loop* loop = callee.as<Loop>()) {
    if (loop->kind != LoopKind::recursive) error("only a loop marked as recursive can be called");
    const auto [items] = arguments.bind<1>({"iterable"}, 1);
    recursion_ = loop->depth + 1;
    const std::size_t entry = loop->entry;
    enter(entry, *loop->scope, nullptr);
    push(*items);
    return;
  }
  if (!callee.is(Kind::object)) error(concat("a value of type ", callee.type(), " is not callable"));
  push(callee.object()->call(arguments, meter_));
}

HEADWISE_INLINE void Machine::enter(std::size_t code, Scope& scope, const MacroShape* macro) {
  if (static_cast<index_t>(frames_.size()) >= max_calls_)
    error(concat("more than ", max_calls_, " macros are active (endless recursion?)"));
  frames_.push_back({at_ + 1, scope_, loops_.size(), macro, {}});
  outputs_.emplace_back(meter_);
  scope_ = &scope;
  at_ = code;
  jumped_ = true;
}

HEADWISE_INLINE void Machine::enter_macro(const Macro& macro, const Arguments& arguments) {
  const MacroShape& shape = macro.shape;
  enter(macro.entry, new_scope(&macro.scope), &shape);
  const std::size_t count = shape.parameters.size(), positional = arguments.positional.size();
  std::vector<bool> given(count);
  for (std::size_t i = 0; i < std::min(count, positional); ++i) {
    scope_->set(shape.parameters[i], arguments.positional[i]);
    given[i] = true;
  }
  if (positional > count && !shape.varargs)
    error(concat("the macro ", hw::quoted(shape.name), " takes at most ", count, " arguments, found ", positional));
  Value::Entries others;
  Value caller = Value::undefined("there is no caller");
  for (const auto& [text, value] : arguments.named) {
    const auto parameter =
        std::find_if(shape.parameters.begin(), shape.parameters.end(), [&, t = text](std::int32_t p) { return name(p) == t; });
    const std::size_t i = static_cast<std::size_t>(parameter - shape.parameters.begin());
    if (i < count && !given[i]) {
      scope_->set(*parameter, value);
      given[i] = true;
    } else if (i < count) {
      error(concat("the macro ", hw::quoted(shape.name), " was given two values for ", hw::quoted(text)));
    } else if (shape.caller && text == "caller") {
      caller = value;
    } else if (shape.kwargs) {
      others.emplace_back(text, value);
    } else {
      error(concat("the macro ", hw::quoted(shape.name), " takes no argument ", hw::quoted(text)));
    }
  }
  for (std::size_t i = 0; i < count; ++i)
    if (!given[i] && !shape.defaults[i])
      scope_->set(shape.parameters[i],
                  Value::undefined(concat("the parameter ", hw::quoted(name(shape.parameters[i])), " was not provided")));
  const auto special = [&](std::string_view text, Value value) {
    const auto known = std::find(program_.names.begin(), program_.names.end(), text);
    scope_->set(static_cast<std::int32_t>(known - program_.names.begin()), std::move(value));
  };
  const auto extra = arguments.positional.begin() + static_cast<std::ptrdiff_t>(std::min(count, positional));
  if (shape.varargs) special("varargs", make_list(Value::List(extra, arguments.positional.end()), meter_, Sequence::tuple));
  if (shape.kwargs) special("kwargs", Value::dict(std::move(others)));
  if (shape.caller) special("caller", std::move(caller));
  frames_.back().given = std::move(given);
}

HEADWISE_INLINE void Machine::leave() {
  Frame& frame = frames_.back();
  if (frame.macro) drop_scope();
  scope_ = frame.scope;
  loops_.resize(frame.loops);
  at_ = frame.back;
  jumped_ = true;
  frames_.pop_back();
  push(make_string(std::move(outputs_.back())));
  outputs_.pop_back();
}

HEADWISE_INLINE void Machine::begin_loop(LoopKind kind) {
  meter_.bytes(256);
  auto loop = std::make_shared<Loop>();
  loop->items = iterate(pop(), meter_);
  loop->kind = kind;
  if (kind == LoopKind::recursive) {
    loop->depth = std::exchange(recursion_, 0);
    loop->entry = at_;
    loop->scope = scope_;
    capture(*scope_);
  }
  loops_.push_back(std::move(loop));
  scope_ = &new_scope(scope_);
}

HEADWISE_INLINE void Machine::next_item(const Instruction& instruction) {
  const std::shared_ptr<Loop>& loop = loops_.back();
  if (loop->index + 1 >= loop->count()) return jump(instruction), void(jumped_ = true);
  ++loop->index;
  if (scope_->captured)
    scope_ = &new_scope(scope_->parent);
  else
    scope_->variables.clear();
  if (loop_name_ >= 0 && loop->kind != LoopKind::hidden) scope_->set(loop_name_, Value::object(loop));
  push(loop->items.items()[static_cast<std::size_t>(loop->index)]);
}

HEADWISE_INLINE void Machine::end_loop() {
  loops_.back()->ended = true;
  loops_.back()->last_changed.clear();
  loops_.pop_back();
  drop_scope();
}

HEADWISE_INLINE void Machine::unpack(std::int32_t count) {
  const Value items = iterate(pop(), meter_);
  if (items.items().size() != static_cast<std::size_t>(count))
    error(concat("cannot unpack ", items.items().size(), " values into ", count, " variables"));
  for (auto item = items.items().rbegin(); item != items.items().rend(); ++item) push(*item);
}

// Runs one instruction; false at the end of the template.
HEADWISE_INLINE bool Machine::step(const Instruction& i) {
  const auto binary = [&](Op op) {
    const Value b = pop(), a = pop();
    spend_look(a, meter_);
    push(arithmetic(op, a, b, meter_));
  };
  const auto go = [&] {
    jump(i);
    jumped_ = true;
  };
  switch (i.op) {
    case Op::text: outputs_.back() += program_.constants[static_cast<std::size_t>(i.a)].text(); break;
    case Op::print: append_str(outputs_.back(), pop(), meter_); break;
    case Op::constant: push(program_.constants[static_cast<std::size_t>(i.a)]); break;
    case Op::load: push(load(i.a)); break;
    case Op::store:
      meter_.step(static_cast<index_t>(scope_->variables.size() / 16));
      scope_->set(i.a, pop());
      break;
    case Op::store_attribute: {
      Namespace* space = load(i.a).as<Namespace>();
      if (!space) error(concat(hw::quoted(name(i.a)), " is no namespace: its attributes cannot be set"));
      meter_.bytes(128);
      space->variables[name(i.b)] = pop();
      break;
    }
    case Op::list: push(make_list(pop_many(i.a), meter_)); break;
    case Op::tuple: push(make_list(pop_many(i.a), meter_, Sequence::tuple)); break;
    case Op::dict: {
      Value::List parts = pop_many(2 * i.a);
      meter_.bytes(64 + 2 * static_cast<index_t>(parts.size() * sizeof(Value)));
      Value::Entries entries;
      for (std::size_t k = 0; k < parts.size(); k += 2) entries.emplace_back(std::move(parts[k]), std::move(parts[k + 1]));
      push(Value::dict(std::move(entries)));
      break;
    }
    case Op::negate: push(negated(pop())); break;
    case Op::plus:
      if (!stack_.back().is_number()) error(concat("a value of type ", stack_.back().type(), " cannot have a sign"));
      if (stack_.back().is(Kind::boolean)) push(pop().as_integer());
      break;
    case Op::invert: push(!truth(pop())); break;
    case Op::add:
    case Op::subtract:
    case Op::multiply:
    case Op::divide:
    case Op::floor_divide:
    case Op::modulo:
    case Op::power: binary(i.op); break;
    case Op::concat: {
      const Value::List parts = pop_many(i.a);
      MeteredText out(meter_);
      for (const Value& part : parts) append_str(out, part, meter_);
      push(make_string(std::move(out)));
      break;
    }
    case Op::compare: {
      const Value b = pop(), a = pop();
      push(compare(static_cast<Compare>(i.a), a, b, meter_));
      break;
    }
    case Op::compare_chain: {
      Value b = pop();
      const Value a = pop();
      const bool holds = compare(static_cast<Compare>(i.a), a, b, meter_);
      push(holds ? std::move(b) : Value(false));
      if (!holds) go();
      break;
    }
    case Op::attribute: push(attribute_of(pop(), name(i.a))); break;
    case Op::item: {
      const Value key = pop(), value = pop();
      push(item_of(value, key, meter_));
      break;
    }
    case Op::slice: {
      const Value step = pop(), stop = pop(), start = pop(), value = pop();
      push(slice_of(value, start, stop, step, meter_));
      break;
    }
    case Op::call: {
      Arguments given = arguments(i, "the function");
      const Value callee = pop();
      call(callee, std::move(given));
      break;
    }
    case Op::call_method: {
      Arguments given = arguments(i, name(i.a));
      const Value self = pop();
      if (self.is_undefined()) self.use();
      if (has_method(self, name(i.a)))
        push(call_method(self, name(i.a), given, meter_));
      else if (const Value callee = attribute_of(self, name(i.a)); callee.is(Kind::object))
        call(callee, std::move(given));
      else
        call_method(self, name(i.a), given, meter_);  // says what is wrong
      break;
    }
    case Op::filter:
    case Op::test: {
      const Site& site = program_.sites[static_cast<std::size_t>(i.a)];
      const Arguments given = arguments(i, site.name);
      const Value input = pop();
      spend_look(input, meter_);
      if (!site.filter && !site.test) error(concat("there is no ", i.op == Op::filter ? "filter " : "test ", hw::quoted(site.name)));
      push(site.filter ? site.filter(input, given, meter_) : Value(site.test(input, given, meter_)));
      break;
    }
    case Op::jump: go(); break;
    case Op::jump_if_false:
      if (!truth(pop())) go();
      break;
    case Op::and_jump:
    case Op::or_jump: truth(stack_.back()) == (i.op == Op::or_jump) ? go() : stack_.pop_back(); break;
    case Op::unpack: unpack(i.a); break;
    case Op::loop_begin: begin_loop(static_cast<LoopKind>(i.a)); break;
    case Op::loop_next: next_item(i); break;
    case Op::loop_keep:
      if (truth(pop())) {
        Loop& loop = *loops_.back();
        meter_.bytes(sizeof(Value));
        loop.kept.push_back(loop.items.items()[static_cast<std::size_t>(loop.index)]);
      }
      break;
    case Op::loop_kept:
      push(make_list(std::move(loops_.back()->kept), meter_));
      end_loop();
      break;
    case Op::loop_end:
      if (loops_.back()->index >= 0) go();
      end_loop();
      break;
    case Op::push_scope: scope_ = &new_scope(scope_); break;
    case Op::pop_scope: drop_scope(); break;
    case Op::capture_begin: outputs_.emplace_back(meter_); break;
    case Op::capture_end:
      push(make_string(std::move(outputs_.back())));
      outputs_.pop_back();
      break;
    case Op::capture_drop: outputs_.pop_back(); break;
    case Op::macro: {
      meter_.bytes(128);
      capture(*scope_);
      const std::size_t code = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(at_) + i.b);
      push(Value::object(std::make_shared<Macro>(program_.macros[static_cast<std::size_t>(i.a)], code, *scope_)));
      break;
    }
    case Op::parameter: {
      const Frame& frame = frames_.back();
      const auto& all = frame.macro->parameters;
      if (frame.given[static_cast<std::size_t>(std::find(all.begin(), all.end(), i.a) - all.begin())]) go();
      break;
    }
    case Op::enter: {
      const std::size_t code = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(at_) + i.b);
      enter(code, *scope_, nullptr);
      break;
    }
    case Op::leave: leave(); break;
    case Op::stop: return false;
  }
  return true;
}

}  // namespace hw::jinja
