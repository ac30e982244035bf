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
