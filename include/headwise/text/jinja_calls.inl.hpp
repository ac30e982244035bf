#pragma once
#include <algorithm>

#include "headwise/text/jinja_machine.hpp"

namespace hw::jinja {

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

}  // namespace hw::jinja
