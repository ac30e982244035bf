#pragma once
// The values that a template computes with: Python's, as far as Jinja shows them.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "headwise/io/json.hpp"
#include "headwise/text/jinja_meter.hpp"

namespace hw::jinja {

class Value;
struct Arguments;

enum class Kind : std::uint8_t { none, boolean, integer, real, string, list, dict, object, undefined };

/// What Python calls a value of kind `list`. They differ in how they print, compare and index. `group`: the tuple
/// (grouper, list) of the filter groupby.
enum class Sequence : std::uint8_t { list, tuple, range, keys, values, items, group };

/// A thing with attributes and calls instead of a plain value: functions, macros, namespaces, the loop variable.
struct Object {
  virtual ~Object() = default;
  /// What messages call it: "function", "Namespace".
  virtual std::string_view type() const = 0;
  /// Errors: none; an attribute that does not exist is undefined.
  virtual Value attribute(std::string_view name) const;
  /// Errors: this object is no function, or the function's own.
  virtual Value call(const Arguments& arguments, Meter& meter);
};

/// None, boolean, integer (64 bits), real, string (UTF-8), list, dict (in insertion order; keys are strings, numbers, booleans or none),
/// undefined, or an object of the engine. Immutable and shared: copies are cheap. Lists and dicts nest at most `kMaxDepth` deep.
class Value {
 public:
  using List = std::vector<Value>;
  using Entries = std::vector<std::pair<Value, Value>>;
  static constexpr int kMaxDepth = 128;

  Value() = default;  // none
  Value(std::nullptr_t) {}
  template <class T>
  requires std::is_same_v<T, bool> Value(T value) : data_(value) {}
  template <std::integral T>
  requires(!std::is_same_v<T, bool> && !std::is_same_v<T, char>) Value(T value)
      : data_(checked_cast<std::int64_t>(value, "jinja::Value")) {}
  template <std::floating_point T>
  Value(T value) : data_(static_cast<double>(value)) {}
  Value(std::string value) : data_(std::make_shared<const std::string>(std::move(value))) {}
  Value(std::string_view value) : Value(std::string(value)) {}
  Value(const char* value) : Value(std::string(value)) {}

  /// `why`: what a message says when the value is used, "'x' is undefined".
  static Value undefined(std::string why);
  /// Errors: too deep.
  static Value list(List items, Sequence sequence = Sequence::list);
  static Value tuple(List items) { return list(std::move(items), Sequence::tuple); }
  /// A repeated key keeps its first place and takes the last value. Errors: too deep, a key of another kind.
  static Value dict(Entries entries);
  static Value object(std::shared_ptr<Object> object);

  /// Objects keep their order. Errors: deeper than `kMaxDepth`.
  static Value from_json(const Json& json);

  Kind kind() const noexcept { return static_cast<Kind>(data_.index()); }
  bool is(Kind kind) const noexcept { return this->kind() == kind; }
  bool is_undefined() const noexcept { return is(Kind::undefined); }
  bool is_none() const noexcept { return is(Kind::none); }
  bool is_string() const noexcept { return is(Kind::string); }
  bool is_list() const noexcept { return is(Kind::list); }
  bool is_dict() const noexcept { return is(Kind::dict); }
  bool is_number() const noexcept { return is(Kind::integer) || is(Kind::real) || is(Kind::boolean); }

  // Checked by the caller through kind().
  bool boolean() const { return std::get<bool>(data_); }
  std::int64_t integer() const { return std::get<std::int64_t>(data_); }
  double real() const { return std::get<double>(data_); }
  const std::string& text() const { return *std::get<StringRef>(data_); }
  const List& items() const;
  Sequence sequence() const;
  const Entries& entries() const;
  const std::shared_ptr<Object>& object() const { return std::get<ObjectRef>(data_); }
  template <class T>
  T* as() const {  // null when it is no T
    return is(Kind::object) ? dynamic_cast<T*>(object().get()) : nullptr;
  }

  /// Booleans count as 0 and 1, as in Python. Errors: no number.
  bool is_integral() const noexcept { return is(Kind::integer) || is(Kind::boolean); }
  std::int64_t as_integer() const { return is(Kind::boolean) ? boolean() : integer(); }
  double as_real() const { return is(Kind::real) ? real() : static_cast<double>(as_integer()); }

  /// The value of a key of a dict; null when it is missing or this is no dict.
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;

  int depth() const noexcept;  ///< 0 for what has no parts

  /// "str", "list": Python's name of the type.
  std::string_view type() const;

  bool same(const Value& other) const noexcept;  ///< Python's `is`, except that equal strings and numbers are the same

  /// Why it is undefined; throws `Error` with this text from `use()`.
  std::string_view why() const;
  [[noreturn]] void use() const;

 private:
  struct ListData;
  struct DictData;
  using StringRef = std::shared_ptr<const std::string>;
  using ListRef = std::shared_ptr<const ListData>;
  using DictRef = std::shared_ptr<const DictData>;
  using ObjectRef = std::shared_ptr<Object>;
  struct Undefined {
    StringRef why;
  };
  // In the order of Kind.
  std::variant<std::monostate, bool, std::int64_t, double, StringRef, ListRef, DictRef, ObjectRef, Undefined> data_;
};

/// Python's bool(value).
bool truth(const Value& value);

/// Python's ==. Costs a step for every part.
bool equal(const Value& a, const Value& b, Meter& meter);

/// Python's a < b. Errors: kinds that have no order.
bool less(const Value& a, const Value& b, Meter& meter);

/// Python's str(value) and repr(value).
std::string str(const Value& value, Meter& meter);
void append_str(MeteredText& out, const Value& value, Meter& meter);
void append_repr(MeteredText& out, const Value& value, Meter& meter);

/// Python's repr of a float: the shortest text that reads back the same, "1.0", "1e-07", "1e+16", "nan".
std::string real_repr(double value);

/// The items that Python's iteration gives: of a list, a string (its characters), a dict (its keys), undefined (none). Spends half a step
/// for each. Errors: other kinds.
Value iterate(const Value& value, Meter& meter);

/// A string made during the rendering: spends its bytes.
Value make_string(std::string text, Meter& meter);
Value make_string(MeteredText&& text);

/// A list made during the rendering: spends its bytes.
Value make_list(Value::List items, Meter& meter, Sequence sequence = Sequence::list);

}  // namespace hw::jinja

#if HEADWISE_DEFINITIONS
#include "headwise/text/jinja_value.inl.hpp"
#endif
