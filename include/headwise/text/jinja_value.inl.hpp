#pragma once
#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "headwise/text/jinja_text.hpp"
#include "headwise/text/jinja_value.hpp"

namespace hw::jinja {

struct Value::ListData {
  List items;
  Sequence sequence;
  int depth;
};

struct Value::DictData {
  Entries entries;
  std::vector<std::uint32_t> order;  // entries sorted by key, where there are more than a few
  int depth;
};

namespace detail {

constexpr std::size_t kSmallDict = 16;

// A total order of dict keys in which 1, 1.0 and true are the same, as in Python.
inline int compare_keys(const Value& a, const Value& b) {
  const auto group = [](const Value& v) { return v.is_none() ? 0 : v.is_number() ? 1 : 2; };
  if (group(a) != group(b)) return group(a) < group(b) ? -1 : 1;
  if (a.is_none()) return 0;
  if (a.is_string()) return a.text().compare(b.text());
  if (a.is_integral() && b.is_integral()) return a.as_integer() < b.as_integer() ? -1 : a.as_integer() > b.as_integer();
  return a.as_real() < b.as_real() ? -1 : a.as_real() > b.as_real();
}

inline int depth_over(int deepest) {
  if (deepest >= Value::kMaxDepth) error(concat("values nest deeper than ", Value::kMaxDepth));
  return deepest + 1;
}

}  // namespace detail

HEADWISE_INLINE Value Object::attribute(std::string_view name) const {
  return Value::undefined(concat("'", type(), " object' has no attribute ", hw::quoted(name)));
}

HEADWISE_INLINE Value Object::call(const Arguments&, Meter&) { error(concat("a ", type(), " object is not callable")); }

HEADWISE_INLINE Value Value::undefined(std::string why) {
  Value value;
  value.data_ = Undefined{std::make_shared<const std::string>(std::move(why))};
  return value;
}

HEADWISE_INLINE Value Value::list(List items, Sequence sequence) {
  int deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, item.depth());
  const int depth = detail::depth_over(deepest);
  Value value;
  value.data_ = std::make_shared<const ListData>(ListData{std::move(items), sequence, depth});
  return value;
}

HEADWISE_INLINE Value Value::dict(Entries entries) {
  int deepest = 0;
  for (const auto& [key, value] : entries) {
    if (!key.is_string() && !key.is_number() && !key.is_none())
      error(concat("a value of type ", key.type(), " cannot be the key of a dict"));
    deepest = std::max(deepest, value.depth());
  }
  // Equal keys come together, the earlier entry first.
  std::vector<std::uint32_t> order(entries.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](auto i, auto j) { return detail::compare_keys(entries[i].first, entries[j].first) < 0; });
  bool repeated = false;
  std::vector<bool> dropped(entries.size());
  for (std::size_t i = 1, first = 0; i < order.size(); ++i) {
    if (detail::compare_keys(entries[order[first]].first, entries[order[i]].first) != 0) {
      first = i;
      continue;
    }
    entries[order[first]].second = entries[order[i]].second;
    dropped[order[i]] = repeated = true;
  }
  if (repeated) {
    Entries kept;
    for (std::size_t i = 0; i < entries.size(); ++i)
      if (!dropped[i]) kept.push_back(std::move(entries[i]));
    return dict(std::move(kept));
  }
  if (entries.size() <= detail::kSmallDict) order.clear();
  Value value;
  value.data_ = std::make_shared<const DictData>(DictData{std::move(entries), std::move(order), detail::depth_over(deepest)});
  return value;
}

HEADWISE_INLINE Value Value::object(std::shared_ptr<Object> object) {
  Value value;
  value.data_ = std::move(object);
  return value;
}

HEADWISE_INLINE Value Value::from_json(const Json& json) {
  // Json itself nests at most JsonLimits::depth deep, which bounds this recursion.
  switch (json.kind()) {
    case Json::Kind::null: return {};
    case Json::Kind::boolean: return json.as<bool>();
    case Json::Kind::integer: return json.as<std::int64_t>();
    case Json::Kind::real: return json.as<double>();
    case Json::Kind::string: return json.as<std::string>();
    case Json::Kind::array: {
      List items;
      items.reserve(json.size());
      for (const Json& item : json.items()) items.push_back(from_json(item));
      return list(std::move(items));
    }
    case Json::Kind::object: {
      Entries entries;
      entries.reserve(json.size());
      for (const auto& [key, value] : json.members()) entries.emplace_back(key, from_json(value));
      return dict(std::move(entries));
    }
  }
  return {};
}

HEADWISE_INLINE const Value::List& Value::items() const { return std::get<ListRef>(data_)->items; }
HEADWISE_INLINE Sequence Value::sequence() const { return std::get<ListRef>(data_)->sequence; }
HEADWISE_INLINE const Value::Entries& Value::entries() const { return std::get<DictRef>(data_)->entries; }

HEADWISE_INLINE const Value* Value::find(const Value& key) const {
  if (!is_dict()) return nullptr;
  if (!key.is_string() && !key.is_number() && !key.is_none()) return nullptr;
  const DictData& data = *std::get<DictRef>(data_);
  if (data.order.empty()) {
    for (const auto& entry : data.entries)
      if (detail::compare_keys(entry.first, key) == 0) return &entry.second;
    return nullptr;
  }
  const auto found = std::lower_bound(data.order.begin(), data.order.end(), key,
                                      [&](auto i, const Value& k) { return detail::compare_keys(data.entries[i].first, k) < 0; });
  if (found == data.order.end() || detail::compare_keys(data.entries[*found].first, key) != 0) return nullptr;
  return &data.entries[*found].second;
}

HEADWISE_INLINE const Value* Value::find(std::string_view key) const {
  if (!is_dict()) return nullptr;
  const DictData& data = *std::get<DictRef>(data_);
  if (!data.order.empty()) return find(Value(key));
  for (const auto& entry : data.entries)
    if (entry.first.is_string() && entry.first.text() == key) return &entry.second;
  return nullptr;
}

HEADWISE_INLINE int Value::depth() const noexcept {
  if (const auto* list = std::get_if<ListRef>(&data_)) return (*list)->depth;
  if (const auto* dict = std::get_if<DictRef>(&data_)) return (*dict)->depth;
  return 0;
}

HEADWISE_INLINE std::string_view Value::type() const {
  switch (kind()) {
    case Kind::none: return "NoneType";
    case Kind::boolean: return "bool";
    case Kind::integer: return "int";
    case Kind::real: return "float";
    case Kind::string: return "str";
    case Kind::list: {
      constexpr std::string_view kNames[] = {"list", "tuple", "range", "dict_keys", "dict_values", "dict_items", "tuple"};
      return kNames[static_cast<int>(sequence())];
    }
    case Kind::dict: return "dict";
    case Kind::object: return object()->type();
    case Kind::undefined: return "Undefined";
  }
  return "";
}

HEADWISE_INLINE bool Value::same(const Value& other) const noexcept {
  if (data_.index() != other.data_.index()) return false;
  if (is_string()) return text() == other.text();
  if (const auto* list = std::get_if<ListRef>(&data_)) return *list == std::get<ListRef>(other.data_);
  if (const auto* dict = std::get_if<DictRef>(&data_)) return *dict == std::get<DictRef>(other.data_);
  if (const auto* object = std::get_if<ObjectRef>(&data_)) return *object == std::get<ObjectRef>(other.data_);
  return is_number() ? detail::compare_keys(*this, other) == 0 : true;
}

HEADWISE_INLINE std::string_view Value::why() const { return *std::get<Undefined>(data_).why; }
HEADWISE_INLINE void Value::use() const { error(why()); }

HEADWISE_INLINE bool truth(const Value& value) {
  switch (value.kind()) {
    case Kind::none:
    case Kind::undefined: return false;
    case Kind::boolean: return value.boolean();
    case Kind::integer: return value.integer() != 0;
    case Kind::real: return value.real() != 0;
    case Kind::string: return !value.text().empty();
    case Kind::list: return !value.items().empty();
    case Kind::dict: return !value.entries().empty();
    case Kind::object: return true;
  }
  return false;
}

HEADWISE_INLINE bool equal(const Value& a, const Value& b, Meter& meter) {
  meter.step();
  if (a.is_number() && b.is_number()) return detail::compare_keys(a, b) == 0 && a.as_real() == b.as_real();
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::string: meter.step(static_cast<index_t>(a.text().size() / 64)); return a.text() == b.text();
    case Kind::object: return a.object() == b.object();
    case Kind::list: {
      const Value::List &x = a.items(), &y = b.items();
      if (a.sequence() != b.sequence() || x.size() != y.size()) return false;
      for (std::size_t i = 0; i < x.size(); ++i)
        if (!equal(x[i], y[i], meter)) return false;
      return true;
    }
    case Kind::dict:
      if (a.entries().size() != b.entries().size()) return false;
      for (const auto& [key, value] : a.entries()) {
        const Value* other = b.find(key);
        if (!other || !equal(value, *other, meter)) return false;
      }
      return true;
    default: return true;  // none, undefined
  }
}

HEADWISE_INLINE bool less(const Value& a, const Value& b, Meter& meter) {
  meter.step();
  if (a.is_undefined()) a.use();
  if (b.is_undefined()) b.use();
  if (a.is_number() && b.is_number())
    return a.is_integral() && b.is_integral() ? a.as_integer() < b.as_integer() : a.as_real() < b.as_real();
  if (a.is_string() && b.is_string()) {
    meter.step(static_cast<index_t>(std::min(a.text().size(), b.text().size()) / 64));
    return a.text() < b.text();  // the order of UTF-8 bytes is the order of code points
  }
  if (a.is_list() && b.is_list() && a.sequence() == b.sequence()) {
    const Value::List &x = a.items(), &y = b.items();
    for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i)
      if (!equal(x[i], y[i], meter)) return less(x[i], y[i], meter);
    return x.size() < y.size();
  }
  error(concat("values of types ", a.type(), " and ", b.type(), " have no order"));
}

HEADWISE_INLINE std::string real_repr(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char text[32];
  const char* end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr;
  const char* e = std::find(static_cast<const char*>(text), end, 'e');
  int exponent = 0;
  std::from_chars(e[1] == '+' ? e + 2 : e + 1, end, exponent);
  if (exponent < -4 || exponent >= 16) return {static_cast<const char*>(text), end};
  char fixed[64];
  std::string out(fixed, std::to_chars(fixed, fixed + sizeof fixed, value, std::chars_format::fixed).ptr);
  return out.find('.') == std::string::npos ? out + ".0" : out;
}

HEADWISE_INLINE void append_repr(MeteredText& out, const Value& value, Meter& meter) {
  meter.step();
  switch (value.kind()) {
    case Kind::string: append_string_repr(out, value.text()); return;
    case Kind::undefined: out += "Undefined"; return;
    case Kind::list: {
      const Sequence sequence = value.sequence();
      const bool tuple = sequence == Sequence::tuple || sequence == Sequence::group;
      if (sequence != Sequence::list && !tuple) (out += value.type()) += '(';
      out += tuple ? '(' : '[';
      for (std::size_t i = 0; i < value.items().size(); ++i) {
        if (i) out += ", ";
        append_repr(out, value.items()[i], meter);
      }
      if (tuple && value.items().size() == 1) out += ',';
      out += tuple ? ')' : ']';
      if (sequence != Sequence::list && !tuple) out += ')';
      return;
    }
    case Kind::dict: {
      out += '{';
      for (bool first = true; const auto& [key, item] : value.entries()) {
        if (!first) out += ", ";
        first = false;
        append_repr(out, key, meter);
        out += ": ";
        append_repr(out, item, meter);
      }
      out += '}';
      return;
    }
    default: append_str(out, value, meter);
  }
}

HEADWISE_INLINE void append_str(MeteredText& out, const Value& value, Meter& meter) {
  switch (value.kind()) {
    case Kind::none: out += "None"; return;
    case Kind::boolean: out += value.boolean() ? "True" : "False"; return;
    case Kind::integer: out += std::to_string(value.integer()); return;
    case Kind::real: out += real_repr(value.real()); return;
    case Kind::string: out += value.text(); return;
    case Kind::undefined: return;
    case Kind::object: ((out += '<') += value.type()) += '>'; return;
    default: append_repr(out, value, meter);
  }
}

HEADWISE_INLINE std::string str(const Value& value, Meter& meter) {
  MeteredText out(meter);
  append_str(out, value, meter);
  return out.take();
}

namespace detail {
constexpr index_t kObjectBytes = 64;  // what stands around a text or list
}

HEADWISE_INLINE Value make_string(std::string text, Meter& meter) {
  meter.bytes(static_cast<index_t>(text.size()) + detail::kObjectBytes);
  return Value(std::move(text));
}

HEADWISE_INLINE Value make_string(MeteredText&& text) {
  text.meter().bytes(detail::kObjectBytes);
  return Value(text.take());
}

HEADWISE_INLINE Value make_list(Value::List items, Meter& meter, Sequence sequence) {
  meter.bytes(static_cast<index_t>(items.size() * sizeof(Value)) + detail::kObjectBytes);
  return Value::list(std::move(items), sequence);
}

HEADWISE_INLINE Value iterate(const Value& value, Meter& meter) {
  Value::List items;
  switch (value.kind()) {
    case Kind::list: meter.step(static_cast<index_t>(value.items().size() / 2)); return value;
    case Kind::undefined: break;
    case Kind::string:
      for (std::string_view rest = value.text(); !rest.empty();) {
        const std::size_t n = character_bytes(rest);
        items.push_back(make_string(std::string(rest.substr(0, n)), meter));
        rest.remove_prefix(n);
      }
      break;
    case Kind::dict:
      for (const auto& entry : value.entries()) items.push_back(entry.first);
      break;
    default: error(concat("a value of type ", value.type(), " is not iterable"));
  }
  return make_list(std::move(items), meter);
}

}  // namespace hw::jinja
