#pragma once
// The things of a template that are not plain values: functions, methods, macros, namespaces, the loop variable.

#include <functional>
#include <unordered_map>

#include "headwise/text/jinja_program.hpp"

namespace hw::jinja {

/// One level of variables.
struct Scope {
  Scope* parent = nullptr;
  std::vector<std::pair<std::int32_t, Value>> variables;  // by number of the name
  bool captured = false;                                  // a macro or recursive loop refers to it: lives until the end

  Value* find(std::int32_t name);
  void set(std::int32_t name, Value value);
};

struct Function : Object {
  using Body = std::function<Value(const Arguments&, Meter&)>;
  explicit Function(Body function) : body(std::move(function)) {}
  std::string_view type() const override { return "callable"; }
  Value call(const Arguments& arguments, Meter& meter) override { return body(arguments, meter); }
  Body body;
};

/// `'text'.strip` before it is called.
struct BoundMethod : Object {
  BoundMethod(Value receiver, std::string method) : self(std::move(receiver)), name(std::move(method)) {}
  std::string_view type() const override { return "method"; }
  Value call(const Arguments& arguments, Meter& meter) override;
  Value self;
  std::string name;
};

struct Macro : Object {
  Macro(const MacroShape& macro, std::size_t code, Scope& definition) : shape(macro), entry(code), scope(definition) {}
  std::string_view type() const override { return "macro"; }
  Value attribute(std::string_view name) const override { return name == "name" ? Value(shape.name) : Object::attribute(name); }
  const MacroShape& shape;
  std::size_t entry;
  Scope& scope;  // where it was defined
};

struct Namespace : Object {
  std::string_view type() const override { return "Namespace"; }
  Value attribute(std::string_view name) const override;
  std::unordered_map<std::string, Value> variables;
};

/// The function `namespace`. Namespaces may refer to each other in circles, so the maker keeps all of them and empties them at the end.
struct NamespaceMaker : Object {
  std::string_view type() const override { return "callable"; }
  Value call(const Arguments& arguments, Meter& meter) override;
  void release();
  std::vector<std::shared_ptr<Namespace>> made;
};

/// `loop`: index, index0, revindex, revindex0, first, last, length, previtem, nextitem, depth, depth0, cycle(...), changed(...).
struct Loop : Object, std::enable_shared_from_this<Loop> {
  std::string_view type() const override { return "loop"; }
  Value attribute(std::string_view name) const override;
  Value cycle(const Arguments& arguments) const;
  Value changed(const Arguments& arguments, Meter& meter);
  std::ptrdiff_t count() const { return static_cast<std::ptrdiff_t>(items.items().size()); }

  Value items;
  std::ptrdiff_t index = -1;
  LoopKind kind = LoopKind::plain;
  index_t depth = 0;
  std::size_t entry = 0;   // recursive: where its code starts
  Scope* scope = nullptr;  // recursive: where it was defined
  Value::List kept;        // hidden: what passed the filter
  Value::List last_changed;
  bool ended = false;
};

/// value.name as Jinja resolves it: a method, an attribute, or the item with this key; undefined if there is none. Errors: value is
/// undefined.
Value attribute_of(const Value& value, std::string_view name);

/// value[key]. Errors: value is undefined.
Value item_of(const Value& value, const Value& key, Meter& meter);

/// Whether value.name is a method, and its call. Errors: no such method, the method's own.
bool has_method(const Value& value, std::string_view name);
Value call_method(const Value& self, std::string_view name, const Arguments& arguments, Meter& meter);

/// value[start:stop:step]; none where absent. Errors: no sequence, step 0.
Value slice_of(const Value& value, const Value& start, const Value& stop, const Value& step, Meter& meter);

/// a + b and so on. Errors: kinds that do not go together, results beyond 64 bits, division by zero.
Value arithmetic(Op op, const Value& a, const Value& b, Meter& meter);
Value negated(const Value& value);
bool compare(Compare which, const Value& a, const Value& b, Meter& meter);
bool contains(const Value& container, const Value& item, Meter& meter);

/// format % value, and format.format(...). Errors: what does not fit the format.
std::string percent_format(const std::string& format, const Value& value, Meter& meter);
std::string brace_format(const std::string& format, const Arguments& arguments, Meter& meter);

/// round(value, digits) as Python does it.
double rounded(double value, index_t digits);

/// How json.dumps writes.
struct JsonLayout {
  bool ascii = false, sorted = false, lines = false;
  std::string indent, item_separator = ", ", key_separator = ": ";
};
void append_json(MeteredText& out, const Value& value, const JsonLayout& layout, Meter& meter);

/// An integer argument; `fallback` where it was not given. Errors: another kind.
index_t integer_argument(const Value* value, index_t fallback, std::string_view what);
/// A string argument. Errors: another kind.
const std::string& text_argument(const Value& value, std::string_view what);
/// Spends steps for looking at the whole of a text once. (Lists pay where their items are used.)
void spend_look(const Value& value, Meter& meter);

}  // namespace hw::jinja

#if HEADWISE_DEFINITIONS
#include "headwise/text/jinja_filters.inl.hpp"
#include "headwise/text/jinja_format.inl.hpp"
#include "headwise/text/jinja_json.inl.hpp"
#include "headwise/text/jinja_methods.inl.hpp"
#include "headwise/text/jinja_objects.inl.hpp"
#include "headwise/text/jinja_operators.inl.hpp"
#include "headwise/text/jinja_tests.inl.hpp"
#include "headwise/text/jinja_text_filters.inl.hpp"
#endif
