#pragma once
#include "headwise/text/jinja_objects.hpp"
#include "headwise/text/jinja_text.inl.hpp"

namespace hw::jinja {

HEADWISE_INLINE Value* Scope::find(std::int32_t name) {
  for (auto variable = variables.rbegin(); variable != variables.rend(); ++variable)
    if (variable->first == name) return &variable->second;
  return nullptr;
}

HEADWISE_INLINE void Scope::set(std::int32_t name, Value value) {
  if (Value* variable = find(name))
    *variable = std::move(value);
  else
    variables.emplace_back(name, std::move(value));
}

HEADWISE_INLINE Value BoundMethod::call(const Arguments& arguments, Meter& meter) {
  Arguments named = arguments;
  named.callee = name;
  return call_method(self, name, named, meter);
}

HEADWISE_INLINE Value Namespace::attribute(std::string_view name) const {
  const auto found = variables.find(std::string(name));
  return found != variables.end() ? found->second : Object::attribute(name);
}

HEADWISE_INLINE Value NamespaceMaker::call(const Arguments& arguments, Meter& meter) {
  meter.bytes(static_cast<index_t>(arguments.named.size() * 64) + 256);
  auto made_now = std::make_shared<Namespace>();
  if (arguments.positional.size() > 1) error("namespace takes at most 1 positional argument");
  for (const Value& dict : arguments.positional) {
    if (!dict.is_dict()) error("namespace takes a dict, or named arguments");
    meter.bytes(static_cast<index_t>(dict.entries().size()), 64);
    for (const auto& [key, value] : dict.entries()) made_now->variables[text_argument(key, "a name in a namespace")] = value;
  }
  for (const auto& [name, value] : arguments.named) made_now->variables[std::string(name)] = value;
  made.push_back(made_now);
  return Value::object(std::move(made_now));
}

HEADWISE_INLINE void NamespaceMaker::release() {
  for (const auto& space : made) space->variables.clear();
  made.clear();
}

HEADWISE_INLINE Value Loop::attribute(std::string_view name) const {
  if (name == "index") return index + 1;
  if (name == "index0") return index;
  if (name == "first") return index == 0;
  if (name == "last") return index + 1 == count();
  if (name == "length") return count();
  if (name == "revindex") return count() - index;
  if (name == "revindex0") return count() - index - 1;
  if (name == "depth") return depth + 1;
  if (name == "depth0") return depth;
  if (name == "previtem")
    return index > 0 ? items.items()[static_cast<std::size_t>(index - 1)] : Value::undefined("there is no previous item");
  if (name == "nextitem")
    return index + 1 < count() ? items.items()[static_cast<std::size_t>(index + 1)] : Value::undefined("there is no next item");
  // The function holds the loop, not the other way round.
  const auto self = std::const_pointer_cast<Loop>(shared_from_this());
  if (name == "cycle")
    return Value::object(std::make_shared<Function>([self](const Arguments& arguments, Meter&) { return self->cycle(arguments); }));
  if (name == "changed")
    return Value::object(
        std::make_shared<Function>([self](const Arguments& arguments, Meter& meter) { return self->changed(arguments, meter); }));
  return Object::attribute(name);
}

HEADWISE_INLINE Value Loop::cycle(const Arguments& arguments) const {
  if (arguments.positional.empty()) error("loop.cycle needs something to cycle through");
  return arguments.positional[static_cast<std::size_t>(index) % arguments.positional.size()];
}

HEADWISE_INLINE Value Loop::changed(const Arguments& arguments, Meter& meter) {
  bool same = last_changed.size() == arguments.positional.size() && !last_changed.empty();
  for (std::size_t i = 0; same && i < last_changed.size(); ++i) same = equal(last_changed[i], arguments.positional[i], meter);
  if (!ended) last_changed = arguments.positional;  // an ended loop must not hold what may hold the loop
  return !same;
}

HEADWISE_INLINE void spend_look(const Value& value, Meter& meter) {
  if (value.is_string()) meter.step(static_cast<index_t>(value.text().size() / 16));
}

HEADWISE_INLINE index_t integer_argument(const Value* value, index_t fallback, std::string_view what) {
  if (!value) return fallback;
  if (value->is_undefined()) value->use();
  if (!value->is_integral()) error(concat(what, " must be an integer, found a value of type ", value->type()));
  return value->as_integer();
}

HEADWISE_INLINE const std::string& text_argument(const Value& value, std::string_view what) {
  if (value.is_undefined()) value.use();
  if (!value.is_string()) error(concat(what, " must be a string, found a value of type ", value.type()));
  return value.text();
}

HEADWISE_INLINE Value attribute_of(const Value& value, std::string_view name) {
  if (value.is_undefined()) value.use();
  if (value.is(Kind::object)) return value.object()->attribute(name);
  if (has_method(value, name)) return Value::object(std::make_shared<BoundMethod>(value, std::string(name)));
  if (const Value* item = value.find(name)) return *item;
  if (value.is_list() && value.sequence() == Sequence::group && (name == "grouper" || name == "list")) return value.items()[name == "list"];
  return Value::undefined(concat("'", value.type(), " object' has no attribute ", hw::quoted(name)));
}

HEADWISE_INLINE Value item_of(const Value& value, const Value& key, Meter& meter) {
  if (value.is_undefined()) value.use();
  if (value.is_dict()) {
    if (const Value* item = value.find(key)) return *item;
  } else if (key.is_integral() && (value.is_list() || value.is_string())) {
    spend_look(value, meter);
    const bool list = value.is_list();
    const index_t size = list ? static_cast<index_t>(value.items().size()) : character_count(value.text());
    const index_t wanted = key.as_integer(), i = wanted < 0 ? wanted + size : wanted;
    if (i < 0 || i >= size) return Value::undefined(concat(value.type(), " object has no element ", wanted));
    if (list) return value.items()[static_cast<std::size_t>(i)];
    const std::string_view rest = std::string_view(value.text()).substr(character_offset(value.text(), i));
    return make_string(std::string(rest.substr(0, character_bytes(rest))), meter);
  }
  if (key.is_string()) return attribute_of(value, key.text());
  return Value::undefined(concat(value.type(), " object has no such element"));
}

}  // namespace hw::jinja
