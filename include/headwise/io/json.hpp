#pragma once
// JSON values: strict reading, checked access with the file and the path in every message, writing.

#include <bit>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "headwise/core/error.hpp"

namespace hw {

class Json;
class JsonBuilder;

namespace detail {

enum class JsonKind : std::uint8_t { null, boolean, integer, real, string, array, object };

// One value in 16 bytes. Children of a container lie side by side: values of an array; key, value, key, value of an object.
struct JsonNode {
  JsonKind kind = JsonKind::null;
  std::uint32_t size = 0;     // bytes of a string, items of an array, members of an object
  std::uint64_t payload = 0;  // the number's bits; offset of a string; first child (low half) and sorted key order + 1 (high half)

  std::uint32_t first() const noexcept { return static_cast<std::uint32_t>(payload); }
  std::uint32_t order() const noexcept { return static_cast<std::uint32_t>(payload >> 32); }
};

// All values of one text. The root is the last node; a container comes after everything in it.
struct JsonDocument {
  std::string origin;  // what messages call it: "config.json"
  std::vector<JsonNode> nodes;
  std::string characters;                                   // all strings, end to end
  std::vector<std::uint32_t> order;                         // members of large objects sorted by key
  std::vector<std::pair<std::string, std::string>> labels;  // other names of paths, for messages

  std::string_view text(const JsonNode& node) const noexcept { return {characters.data() + node.payload, node.size}; }
};

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

}  // namespace detail

/// How much of a text `Json::parse` accepts.
struct JsonLimits {
  std::size_t bytes = std::size_t{1} << 30;
  std::size_t depth = 256;
};

/// How `Json::dump` writes. The default is what Python's `json.dumps` writes (`{"a": 1, "b": [2, 3]}`).
struct JsonStyle {
  int indent = -1;       // >= 0: one value a line, indented by this many spaces a level
  bool compact = false;  // no space after ',' and ':'
  bool ascii = false;    // \u escapes for everything beyond ASCII
};

/// An immutable JSON value: null, boolean, integer (64 bits), real, string, array or object (in file order).
///
/// A handle of 24 bytes: copies are cheap and keep the text's values alive, so `string_view`s from it are valid while any handle to the
/// same document lives. Reading is strict: no comments, valid UTF-8, a key may be repeated only with the same value. As Python writes them,
/// `NaN`, `Infinity` and `-Infinity` are numbers. Every access is checked; errors name the file and the path: `config.json:
/// rope_scaling.factor: expected a number, found the string '2'`.
class Json {
 public:
  using Kind = detail::JsonKind;
  struct Member;
  class Items;
  class Members;

  Json() : Json(nullptr) {}
  Json(std::nullptr_t);
  template <class T>
  requires std::is_same_v<T, bool> Json(T value) : Json(Kind::boolean, value ? 1u : 0u) {}
  template <std::integral T>
  requires(!std::is_same_v<T, bool> && !std::is_same_v<T, char>) Json(T value)
      : Json(Kind::integer, static_cast<std::uint64_t>(checked_cast<std::int64_t>(value, "JSON"))) {}
  template <std::floating_point T>
  Json(T value) : Json(Kind::real, std::bit_cast<std::uint64_t>(static_cast<double>(value))) {}
  Json(std::string_view value);
  Json(const std::string& value) : Json(std::string_view(value)) {}
  Json(const char* value) : Json(std::string_view(value)) {}
  template <class T>
  Json(const std::vector<T>& values);

  /// Json::object({{"ids", ids}, {"text", text}}); for anything larger there is JsonBuilder.
  static Json object(std::initializer_list<std::pair<std::string_view, Json>> members);
  static Json array(std::initializer_list<Json> items);

  /// Reads a text; `origin` is what messages call it. Errors: not JSON, too deep, too long, a key twice with different values.
  static Json parse(std::string_view text, std::string_view origin, const JsonLimits& limits = {});

  /// Reads a file; messages call it by its name without the folder.
  static Json read(const std::string& path, const JsonLimits& limits = {});

  Kind kind() const noexcept { return node().kind; }
  bool is_null() const noexcept { return kind() == Kind::null; }
  bool is_boolean() const noexcept { return kind() == Kind::boolean; }
  bool is_integer() const noexcept { return kind() == Kind::integer; }
  bool is_number() const noexcept { return kind() == Kind::integer || kind() == Kind::real; }
  bool is_string() const noexcept { return kind() == Kind::string; }
  bool is_array() const noexcept { return kind() == Kind::array; }
  bool is_object() const noexcept { return kind() == Kind::object; }

  /// Items of an array, members of an object, bytes of a string; otherwise 0.
  std::size_t size() const noexcept { return node().size; }
  bool empty() const noexcept { return size() == 0; }

  /// The value as bool, an integer type (range-checked; a real is no integer), float or double (integers are numbers too), std::string,
  /// std::string_view, Json, or std::vector of these. Errors: another kind, out of range.
  template <class T>
  T as() const;

  /// A member of an object. `find` gives nothing when it is missing; the others throw.
  std::optional<Json> find(std::string_view key) const;
  bool contains(std::string_view key) const { return find_node(key) != nullptr; }
  Json at(std::string_view key) const;
  Json operator[](std::string_view key) const { return at(key); }
  Json operator[](const char* key) const { return at(key); }
  template <class T>
  T get(std::string_view key) const {
    return at(key).as<T>();
  }
  /// `fallback` when the member is missing or null.
  template <class T>
  T get_or(std::string_view key, T fallback) const;

  /// An item of an array. Errors: not an array, i >= size().
  Json at(std::size_t i) const;
  template <std::integral T>
  Json operator[](T i) const {
    return at(checked_cast<std::size_t>(i, "JSON"));
  }

  /// Ranges: `for (const Json& item : json.items())`, `for (const auto& [key, value] : json.members())`. Errors: another kind.
  Items items() const;
  Members members() const;

  /// Throws `Error`: this value's file and path, then the message.
  [[noreturn]] void fail(std::string_view message) const;
  /// The same with "expected X, found (this value)".
  [[noreturn]] void fail_expected(std::string_view expected) const;
  /// "config.json: rope_scaling.factor"
  std::string where() const;
  const std::string& origin() const noexcept { return document_->origin; }
  /// What JsonBuilder::label says about a member of this object, or "".
  std::string label_of(std::string_view key) const;

  std::string dump(const JsonStyle& style = {}) const;

  /// Same kind and value; 1 and 1.0 differ. Members of objects may be in any order.
  friend bool operator==(const Json& a, const Json& b) { return a.equals(b); }

 private:
  friend class JsonBuilder;
  Json(std::shared_ptr<const detail::JsonDocument> document, const detail::JsonNode* node) noexcept
      : document_(std::move(document)), node_(node) {}
  Json(Kind kind, std::uint64_t payload);

  const detail::JsonNode& node() const noexcept { return *node_; }
  const detail::JsonNode* find_node(std::string_view key) const;
  Json child(std::size_t i) const { return {document_, &document_->nodes[node().first() + i]}; }
  bool equals(const Json& other) const;
  void expect(Kind kind) const;

  bool as_boolean() const;
  std::int64_t as_integer() const;
  double as_real() const;
  std::string_view as_string() const;

  std::shared_ptr<const detail::JsonDocument> document_;
  const detail::JsonNode* node_ = nullptr;
};

struct Json::Member {
  std::string_view key;
  Json value;
};

class Json::Items {
 public:
  struct Iterator {
    const Json* array;
    std::size_t i;
    Json operator*() const { return array->child(i); }
    Iterator& operator++() { return ++i, *this; }
    bool operator==(const Iterator& other) const { return i == other.i; }
  };
  Iterator begin() const { return {&array_, 0}; }
  Iterator end() const { return {&array_, array_.size()}; }

 private:
  friend class Json;
  explicit Items(Json array) : array_(std::move(array)) {}
  Json array_;
};

class Json::Members {
 public:
  struct Iterator {
    const Json* object;
    std::size_t i;
    Member operator*() const { return {object->child(2 * i).as_string(), object->child(2 * i + 1)}; }
    Iterator& operator++() { return ++i, *this; }
    bool operator==(const Iterator& other) const { return i == other.i; }
  };
  Iterator begin() const { return {&object_, 0}; }
  Iterator end() const { return {&object_, object_.size()}; }

 private:
  friend class Json;
  explicit Members(Json object) : object_(std::move(object)) {}
  Json object_;
};

template <class T>
T Json::as() const {
  if constexpr (std::is_same_v<T, Json>) {
    return *this;
  } else if constexpr (std::is_same_v<T, bool>) {
    return as_boolean();
  } else if constexpr (std::is_integral_v<T>) {
    const std::int64_t value = as_integer();
    if (!std::in_range<T>(value)) fail(concat("the number ", value, " is out of range"));
    return static_cast<T>(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    const double value = as_real();
    constexpr double kInfinity = std::bit_cast<double>(std::uint64_t{0x7FF0000000000000});
    const T narrow = static_cast<T>(value);
    if ((narrow == kInfinity || narrow == -kInfinity) && value != kInfinity && value != -kInfinity) fail("the number is out of range");
    return narrow;
  } else if constexpr (detail::IsVector<T>::value) {
    T out;
    expect(Kind::array);
    out.reserve(size());
    for (const Json& item : items()) out.push_back(item.as<typename T::value_type>());
    return out;
  } else {
    static_assert(std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>, "Json::as: no such type");
    return T(as_string());
  }
}

template <class T>
T Json::get_or(std::string_view key, T fallback) const {
  const std::optional<Json> value = find(key);
  return value && !value->is_null() ? value->as<T>() : fallback;
}

/// Builds a Json in document order:
///
///     JsonBuilder out;
///     out.begin_object().member("ids", ids).key("timing").begin_object().member("load_s", 0.5).end_object().end_object();
///     std::cout << out.finish().dump();
///
/// Errors: a value without a key in an object, a key twice with different values, unbalanced or too deep nesting.
class JsonBuilder {
 public:
  explicit JsonBuilder(std::string_view origin = "JSON", std::size_t max_depth = JsonLimits{}.depth);

  JsonBuilder& begin_object() { return begin(detail::JsonKind::object); }
  JsonBuilder& end_object() { return end(detail::JsonKind::object); }
  JsonBuilder& begin_array() { return begin(detail::JsonKind::array); }
  JsonBuilder& end_array() { return end(detail::JsonKind::array); }
  JsonBuilder& key(std::string_view name);

  JsonBuilder& null() { return put({}); }
  JsonBuilder& boolean(bool value) { return put({detail::JsonKind::boolean, 0, value ? 1u : 0u}); }
  JsonBuilder& integer(std::int64_t value) { return put({detail::JsonKind::integer, 0, static_cast<std::uint64_t>(value)}); }
  JsonBuilder& real(double value) { return put({detail::JsonKind::real, 0, std::bit_cast<std::uint64_t>(value)}); }
  JsonBuilder& string(std::string_view value) { return put(store(value)); }
  JsonBuilder& value(const Json& value);  // copies the whole value

  /// Any type that Json can be made from, and vectors of these.
  template <class T>
  JsonBuilder& value(const T& v);
  template <class T>
  JsonBuilder& member(std::string_view name, const T& v) {
    return key(name).value(v);
  }

  /// Messages about the value at `path` ("rope_theta") name this as well: where a translated value came from.
  JsonBuilder& label(std::string_view path, std::string_view label);

  /// The finished value; the builder is empty afterwards.
  Json finish();

  /// Where the next value goes: "rope_scaling.factor".
  std::string path() const;

 private:
  friend class Json;
  struct Open {
    detail::JsonKind kind;
    std::size_t first;  // of its children among the pending nodes
  };
  JsonBuilder& begin(detail::JsonKind kind);
  JsonBuilder& end(detail::JsonKind kind);
  JsonBuilder& put(detail::JsonNode node);
  detail::JsonNode store(std::string_view text);
  bool awaits_value() const;  // in an object: after a key
  void close_object(std::size_t first);
  bool same(detail::JsonNode a, detail::JsonNode b) const;

  std::shared_ptr<detail::JsonDocument> document_;
  std::vector<detail::JsonNode> pending_;  // children of the open containers
  std::vector<Open> open_;
  std::size_t max_depth_;
};

template <class T>
JsonBuilder& JsonBuilder::value(const T& v) {
  if constexpr (std::is_same_v<T, bool>) {
    return boolean(v);
  } else if constexpr (std::is_integral_v<T>) {
    return integer(checked_cast<std::int64_t>(v, "JSON"));
  } else if constexpr (std::is_floating_point_v<T>) {
    return real(static_cast<double>(v));
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return string(v);
  } else {
    begin_array();
    for (const auto& item : v) value(static_cast<const typename T::value_type&>(item));
    return end_array();
  }
}

template <class T>
Json::Json(const std::vector<T>& values) : Json(JsonBuilder().value(values).finish()) {}

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/json.inl.hpp"
#include "headwise/io/json_parse.inl.hpp"
#endif
