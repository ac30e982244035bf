#pragma once
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "headwise/io/json.hpp"

namespace hw {
namespace detail {

// Objects with more members than this keep their keys sorted as well.
constexpr std::size_t kSmallObject = 16;

// Descriptions for "expected X, found Y".
inline std::string describe(const JsonDocument& document, const JsonNode& node) {
  switch (node.kind) {
    case JsonKind::null: return "null";
    case JsonKind::boolean: return node.payload ? "true" : "false";
    case JsonKind::integer: return std::to_string(static_cast<std::int64_t>(node.payload));
    case JsonKind::real: {
      char text[32];
      return {text, std::to_chars(text, text + sizeof text, std::bit_cast<double>(node.payload)).ptr};
    }
    case JsonKind::string: return "the string " + hw::quoted(document.text(node));
    case JsonKind::array: return concat("an array of ", node.size);
    case JsonKind::object: return "an object";
  }
  return "nothing";
}

inline void append_key(std::string& path, std::string_view key) {
  if (!path.empty()) path += '.';
  path += printable(key, 120);
}

// Keys and indexes from the root to a node. Only for messages: it looks through the whole document, once, since a container's node always
// comes after its children's.
inline std::string path_of(const JsonDocument& document, std::size_t node) {
  std::vector<std::string> steps;
  for (std::size_t c = node + 1; c < document.nodes.size(); ++c) {
    const JsonNode& container = document.nodes[c];
    const bool object = container.kind == JsonKind::object;
    if (!object && container.kind != JsonKind::array) continue;
    const std::size_t first = container.first(), count = std::size_t{container.size} * (object ? 2 : 1);
    if (node < first || node >= first + count) continue;
    const std::size_t i = node - first;
    steps.push_back(object ? std::string(document.text(document.nodes[first + i / 2 * 2])) : std::to_string(i));
    if (!object) steps.back().insert(0, 1, '\0');  // marks an index
    node = c;
  }
  std::string path;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    if (!step->empty() && step->front() == '\0')
      path += concat("[", std::string_view(*step).substr(1), "]");
    else
      append_key(path, *step);
  }
  return path;
}

inline std::string_view label_at(const JsonDocument& document, std::string_view path) {
  for (const auto& [labelled, label] : document.labels)
    if (labelled == path) return label;
  return {};
}

// A key's first eight bytes as a number: orders most keys without looking at them again.
inline std::uint64_t key_prefix(std::string_view key) {
  std::uint64_t prefix = 0;
  for (std::size_t i = 0; i < 8; ++i) prefix = prefix << 8 | (i < key.size() ? static_cast<unsigned char>(key[i]) : 0);
  return prefix;
}

inline void append_string(std::string& out, std::string_view s, bool ascii) {
  constexpr char kHex[] = "0123456789abcdef";
  const auto unit = [&](std::uint32_t u) {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += kHex[u >> shift & 15];
  };
  out += '"';
  while (!s.empty()) {
    const auto c = static_cast<unsigned char>(s[0]);
    const std::size_t n = utf8_length(s);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += s[0];
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\b') {
      out += "\\b";
    } else if (c == '\f') {
      out += "\\f";
    } else if (c < 0x20 || (ascii && c == 0x7F)) {
      unit(c);
    } else if (n == 0) {  // not UTF-8: U+FFFD, as JSON must be UTF-8
      out += ascii ? "\\ufffd" : "\xEF\xBF\xBD";
    } else if (n > 1 && ascii) {
      std::uint32_t code = c & (0xFFu >> (n + 1));
      for (std::size_t i = 1; i < n; ++i) code = code << 6 | (static_cast<unsigned char>(s[i]) & 0x3Fu);
      if (code >= 0x10000) {
        unit(0xD800 + ((code - 0x10000) >> 10));
        unit(0xDC00 + ((code - 0x10000) & 0x3FF));
      } else {
        unit(code);
      }
    } else {
      out += s.substr(0, n);
    }
    s.remove_prefix(n ? n : 1);
  }
  out += '"';
}

// The shortest text that reads back as the same number, laid out as Python does: 0.1, 1e-05, 1e+16, 3.0, NaN.
inline void append_real(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
    return;
  }
  char text[32];
  const auto scientific = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific);
  const std::string_view s(text, static_cast<std::size_t>(scientific.ptr - text));
  int exponent = 0;
  const char* digits = s.data() + s.find('e') + 1;
  std::from_chars(*digits == '+' ? digits + 1 : digits, s.data() + s.size(), exponent);
  if (exponent < -4 || exponent >= 16) {
    out += s;
    return;
  }
  char fixed[64];
  const auto result = std::to_chars(fixed, fixed + sizeof fixed, value, std::chars_format::fixed);
  const std::string_view f(fixed, static_cast<std::size_t>(result.ptr - fixed));
  out += f;
  if (f.find('.') == std::string_view::npos) out += ".0";
}

}  // namespace detail

HEADWISE_INLINE Json::Json(std::nullptr_t) {
  static const auto empty = [] {
    auto document = std::make_shared<detail::JsonDocument>();
    document->origin = "JSON";
    document->nodes.emplace_back();
    return std::shared_ptr<const detail::JsonDocument>(std::move(document));
  }();
  document_ = empty;
  node_ = &document_->nodes[0];
}

HEADWISE_INLINE Json::Json(Kind kind, std::uint64_t payload) : Json(JsonBuilder().put({kind, 0, payload}).finish()) {}

HEADWISE_INLINE Json::Json(std::string_view value) : Json(JsonBuilder().string(value).finish()) {}

HEADWISE_INLINE Json Json::object(std::initializer_list<std::pair<std::string_view, Json>> members) {
  JsonBuilder out;
  out.begin_object();
  for (const auto& [key, value] : members) out.key(key).value(value);
  return out.end_object().finish();
}

HEADWISE_INLINE Json Json::array(std::initializer_list<Json> items) {
  JsonBuilder out;
  out.begin_array();
  for (const Json& item : items) out.value(item);
  return out.end_array().finish();
}

HEADWISE_INLINE std::string Json::where() const {
  const std::string path = detail::path_of(*document_, static_cast<std::size_t>(node_ - document_->nodes.data()));
  const std::string_view label = detail::label_at(*document_, path);
  if (!label.empty()) return concat(document_->origin, ": ", label, " (", path, ")");
  return path.empty() ? document_->origin : concat(document_->origin, ": ", path);
}

HEADWISE_INLINE std::string Json::label_of(std::string_view key) const {
  if (document_->labels.empty()) return {};
  std::string path = detail::path_of(*document_, static_cast<std::size_t>(node_ - document_->nodes.data()));
  detail::append_key(path, key);
  return std::string(detail::label_at(*document_, path));
}

HEADWISE_INLINE void Json::fail(std::string_view message) const { hw::fail(where(), message); }

HEADWISE_INLINE void Json::fail_expected(std::string_view expected) const {
  hw::fail(where(), expected, detail::describe(*document_, node()));
}

HEADWISE_INLINE void Json::expect(Kind kind) const {
  constexpr std::string_view kNames[] = {"null", "true or false", "an integer", "a number", "a string", "an array", "an object"};
  if (node().kind != kind) fail_expected(kNames[static_cast<int>(kind)]);
}

HEADWISE_INLINE bool Json::as_boolean() const {
  expect(Kind::boolean);
  return node().payload != 0;
}

HEADWISE_INLINE std::int64_t Json::as_integer() const {
  expect(Kind::integer);
  return static_cast<std::int64_t>(node().payload);
}

HEADWISE_INLINE double Json::as_real() const {
  if (node().kind == Kind::integer) return static_cast<double>(static_cast<std::int64_t>(node().payload));
  expect(Kind::real);
  return std::bit_cast<double>(node().payload);
}

HEADWISE_INLINE std::string_view Json::as_string() const {
  expect(Kind::string);
  return document_->text(node());
}

HEADWISE_INLINE const detail::JsonNode* Json::find_node(std::string_view key) const {
  expect(Kind::object);
  const detail::JsonDocument& document = *document_;
  const detail::JsonNode* members = document.nodes.data() + node().first();
  if (node().size <= detail::kSmallObject) {
    for (std::size_t i = 0; i < node().size; ++i)
      if (document.text(members[2 * i]) == key) return &members[2 * i + 1];
    return nullptr;
  }
  const std::uint32_t* order = document.order.data() + (node().order() - 1);
  const auto* found = std::lower_bound(order, order + node().size, key,
                                       [&](std::uint32_t i, std::string_view k) { return document.text(members[2 * i]) < k; });
  if (found == order + node().size || document.text(members[2 * *found]) != key) return nullptr;
  return &members[2 * *found + 1];
}

HEADWISE_INLINE std::optional<Json> Json::find(std::string_view key) const {
  const detail::JsonNode* found = find_node(key);
  if (!found) return std::nullopt;
  return Json(document_, found);
}

HEADWISE_INLINE Json Json::at(std::string_view key) const {
  const detail::JsonNode* found = find_node(key);
  if (!found) fail(concat("the key ", hw::quoted(key), " is missing"));
  return {document_, found};
}

HEADWISE_INLINE Json Json::at(std::size_t i) const {
  expect(Kind::array);
  if (i >= node().size) fail(concat("index ", i, " is out of range: there are ", node().size, " items"));
  return child(i);
}

HEADWISE_INLINE Json::Items Json::items() const {
  expect(Kind::array);
  return Items(*this);
}

HEADWISE_INLINE Json::Members Json::members() const {
  expect(Kind::object);
  return Members(*this);
}

HEADWISE_INLINE bool Json::equals(const Json& other) const {
  std::vector<std::pair<Json, Json>> open{{*this, other}};
  while (!open.empty()) {
    const auto [a, b] = open.back();
    open.pop_back();
    if (a.kind() != b.kind() || a.size() != b.size()) return false;
    if (a.is_string()) {
      if (a.as_string() != b.as_string()) return false;
    } else if (a.is_array()) {
      for (std::size_t i = 0; i < a.size(); ++i) open.emplace_back(a.child(i), b.child(i));
    } else if (a.is_object()) {
      for (const auto& [key, value] : a.members()) {
        const std::optional<Json> found = b.find(key);
        if (!found) return false;
        open.emplace_back(value, *found);
      }
    } else if (a.node().payload != b.node().payload) {
      return false;
    }
  }
  return true;
}

HEADWISE_INLINE std::string Json::dump(const JsonStyle& style) const {
  struct Open {
    const detail::JsonNode* node;
    std::size_t next;
  };
  const detail::JsonDocument& document = *document_;
  std::string out;
  std::vector<Open> open;
  const auto new_line = [&] {
    if (style.indent < 0) return;
    out += '\n';
    out.append(open.size() * static_cast<std::size_t>(style.indent), ' ');
  };
  const detail::JsonNode* value = node_;
  while (true) {
    switch (value->kind) {
      case Kind::null: out += "null"; break;
      case Kind::boolean: out += value->payload ? "true" : "false"; break;
      case Kind::integer: out += std::to_string(static_cast<std::int64_t>(value->payload)); break;
      case Kind::real: detail::append_real(out, std::bit_cast<double>(value->payload)); break;
      case Kind::string: detail::append_string(out, document.text(*value), style.ascii); break;
      case Kind::array:
      case Kind::object:
        out += value->kind == Kind::array ? '[' : '{';
        open.push_back({value, 0});
        break;
    }
    // Close what is complete; then go on with the next child of what is open.
    while (!open.empty() && open.back().next == open.back().node->size) {
      const detail::JsonNode* closed = open.back().node;
      open.pop_back();
      if (closed->size) new_line();
      out += closed->kind == Kind::array ? ']' : '}';
    }
    if (open.empty()) return out;
    Open& top = open.back();
    if (top.next) out += style.compact || style.indent >= 0 ? "," : ", ";
    new_line();
    const detail::JsonNode* children = document.nodes.data() + top.node->first();
    if (top.node->kind == Kind::array) {
      value = &children[top.next];
    } else {
      detail::append_string(out, document.text(children[2 * top.next]), style.ascii);
      out += style.compact ? ":" : ": ";
      value = &children[2 * top.next + 1];
    }
    ++top.next;
  }
}

}  // namespace hw
