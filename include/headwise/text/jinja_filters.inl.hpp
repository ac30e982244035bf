#pragma once
#include <algorithm>

#include "headwise/text/jinja_methods.inl.hpp"
#include "headwise/text/jinja_objects.hpp"

namespace hw::jinja {
namespace detail {

// The getter of map(attribute=...), sort(attribute=...): "a.b.0" goes down the parts; an integer is an index.
class Getter {
 public:
  Getter(const Value& attribute, const Value* fallback) : fallback_(fallback) {
    if (!attribute.is_string()) {
      parts_.push_back(attribute);
      return;
    }
    for (std::string_view rest = attribute.text();;) {
      const std::size_t dot = std::min(rest.find('.'), rest.size());
      std::string_view part = rest.substr(0, dot), digits = part;
      const index_t index = take_number(digits);
      parts_.push_back(index >= 0 && digits.empty() ? Value(index) : Value(part));
      if (dot == rest.size()) break;
      rest.remove_prefix(dot + 1);
    }
  }
  Value operator()(Value item, Meter& meter) const {
    meter.step();
    for (const Value& part : parts_) {
      item = item_of(item, part, meter);
      if (fallback_ && item.is_undefined()) item = *fallback_;
    }
    return item;
  }

 private:
  std::vector<Value> parts_;
  const Value* fallback_;
};

inline bool flag(const Value* value) { return value && truth(*value); }
inline const Value* given(const Value* value) { return value && !value->is_none() ? value : nullptr; }

// Strings compare without case unless case_sensitive.
inline Value folded(Value key, bool case_sensitive, Meter& meter) {
  return case_sensitive || !key.is_string() ? key : make_string(to_lower(key.text()), meter);
}

// One key for each item: the item, one of its attributes, or ("a,b") a list of several.
inline Value::List sort_keys(const Value::List& items, const Value* attribute, bool case_sensitive, Meter& meter) {
  std::vector<Getter> getters;
  const bool several = attribute && attribute->is_string() && attribute->text().find(',') != std::string::npos;
  if (several)
    for (std::string_view rest = attribute->text();;) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      getters.emplace_back(Value(rest.substr(0, comma)), nullptr);
      if (comma == rest.size()) break;
      rest.remove_prefix(comma + 1);
    }
  else if (attribute)
    getters.emplace_back(*attribute, nullptr);
  Value::List keys;
  for (const Value& item : items) {
    meter.bytes(sizeof(Value));
    Value::List parts;
    for (const Getter& getter : getters) parts.push_back(folded(getter(item, meter), case_sensitive, meter));
    keys.push_back(several ? make_list(std::move(parts), meter) : parts.empty() ? folded(item, case_sensitive, meter) : parts[0]);
  }
  return keys;
}

// The order of the items by their keys: stable in both directions. Jinja compares keys as parts of lists, so equal ones need no order.
inline std::vector<std::size_t> sorted_order(const Value::List& keys, bool reverse, Meter& meter) {
  meter.bytes(static_cast<index_t>(keys.size() * 2 * sizeof(std::size_t)));
  std::vector<std::size_t> order(keys.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto before = [&](const Value& a, const Value& b) {
    const bool plain = (a.is_number() && b.is_number()) || (a.is_string() && b.is_string());
    return (plain || !equal(a, b, meter)) && less(a, b, meter);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t i, std::size_t j) { return reverse ? before(keys[j], keys[i]) : before(keys[i], keys[j]); });
  return order;
}

inline Value sort_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [reverse, case_sensitive, attribute] = arguments.bind<3>({"reverse", "case_sensitive", "attribute"});
  const Value items = iterate(input, meter);
  const Value::List keys = sort_keys(items.items(), given(attribute), flag(case_sensitive), meter);
  Value::List out;
  for (std::size_t i : sorted_order(keys, flag(reverse), meter)) out.push_back(items.items()[i]);
  return make_list(std::move(out), meter);
}

inline Value dictsort_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [case_sensitive, by, reverse] = arguments.bind<3>({"case_sensitive", "by", "reverse"});
  if (!input.is_dict()) error("dictsort needs a dict");
  const bool by_value = by && text_argument(*by, "by") == "value";
  if (by && !by_value && by->text() != "key") error("dictsort sorts by 'key' or 'value'");
  Value::List keys;
  for (const auto& [key, value] : input.entries()) keys.push_back(folded(by_value ? value : key, flag(case_sensitive), meter));
  Value::List out;
  for (std::size_t i : sorted_order(keys, flag(reverse), meter)) {
    meter.bytes(160);
    out.push_back(Value::tuple({input.entries()[i].first, input.entries()[i].second}));
  }
  return make_list(std::move(out), meter);
}

inline Value groupby_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [attribute, fallback, case_sensitive] = arguments.bind<3>({"attribute", "default", "case_sensitive"}, 1);
  const Value items = iterate(input, meter);
  const Getter getter(*attribute, given(fallback));
  Value::List keys;
  for (const Value& item : items.items()) keys.push_back(folded(getter(item, meter), flag(case_sensitive), meter));
  const std::vector<std::size_t> order = sorted_order(keys, false, meter);
  Value::List groups;
  for (std::size_t i = 0; i < order.size();) {
    const std::size_t first = order[i];
    Value::List members;
    for (; i < order.size() && equal(keys[order[i]], keys[first], meter); ++i) members.push_back(items.items()[order[i]]);
    if (members.empty()) error("groupby: a key is not equal to itself");  // NaN
    groups.push_back(make_list({getter(items.items()[first], meter), make_list(std::move(members), meter)}, meter, Sequence::group));
  }
  return make_list(std::move(groups), meter);
}

inline Value unique_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [case_sensitive, attribute] = arguments.bind<2>({"case_sensitive", "attribute"});
  const Value items = iterate(input, meter);
  const Value::List keys = sort_keys(items.items(), given(attribute), flag(case_sensitive), meter);
  Value::List seen, out;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (std::any_of(seen.begin(), seen.end(), [&](const Value& key) { return equal(key, keys[i], meter); })) continue;
    seen.push_back(keys[i]);
    out.push_back(items.items()[i]);
  }
  return make_list(std::move(out), meter);
}

template <bool largest>
Value extreme_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [case_sensitive, attribute] = arguments.bind<2>({"case_sensitive", "attribute"});
  const Value items = iterate(input, meter);
  const Value::List keys = sort_keys(items.items(), given(attribute), flag(case_sensitive), meter);
  if (keys.empty()) return Value::undefined("there is no item in an empty sequence");
  std::size_t best = 0;
  for (std::size_t i = 1; i < keys.size(); ++i)
    if (largest ? less(keys[best], keys[i], meter) : less(keys[i], keys[best], meter)) best = i;
  return items.items()[best];
}

inline Value sum_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [attribute, start] = arguments.bind<2>({"attribute", "start"});
  Value total = start ? *start : Value(0);
  const Value items = iterate(input, meter);
  for (const Value& item : items.items())
    total = arithmetic(Op::add, total, given(attribute) ? Getter(*attribute, nullptr)(item, meter) : item, meter);
  return total;
}

inline Value batch_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [line_count, fill] = arguments.bind<2>({"linecount", "fill_with"}, 1);
  const index_t count = integer_argument(line_count, 0, "linecount");
  const Value items = iterate(input, meter);
  Value::List out, line;
  for (const Value& item : items.items()) {
    if (static_cast<index_t>(line.size()) == count) {
      out.push_back(make_list(std::move(line), meter));
      line.clear();
    }
    line.push_back(item);
  }
  if (!line.empty()) {
    const index_t missing = count - static_cast<index_t>(line.size());
    if (given(fill) && missing > 0) {
      meter.bytes(missing, sizeof(Value));
      line.resize(static_cast<std::size_t>(count), *fill);
    }
    out.push_back(make_list(std::move(line), meter));
  }
  return make_list(std::move(out), meter);
}

inline Value slice_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [slice_count, fill] = arguments.bind<2>({"slices", "fill_with"}, 1);
  const index_t slices = integer_argument(slice_count, 0, "slices");
  if (slices == 0) error("slice needs a number of slices other than 0");
  const Value items = iterate(input, meter);
  const index_t size = static_cast<index_t>(items.items().size());
  meter.bytes(slices, 128);
  Value::List out;
  index_t at = 0;
  for (index_t i = 0; i < slices; ++i) {
    const index_t end = at + size / slices + (i < size % slices);
    Value::List part(items.items().begin() + at, items.items().begin() + end);
    if (given(fill) && i >= size % slices) part.push_back(*fill);
    out.push_back(make_list(std::move(part), meter));
    at = end;
  }
  return make_list(std::move(out), meter);
}

// The arguments of map, select and so on after the name of the filter or test.
inline Arguments rest_of(const Arguments& arguments, std::size_t skip) {
  Arguments rest{arguments.positional[skip - 1].text(), {}, arguments.named};
  rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(skip), arguments.positional.end());
  return rest;
}

inline Value map_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const Value items = iterate(input, meter);
  Value::List out;
  if (arguments.positional.empty()) {
    const auto [attribute, fallback] = arguments.bind<2>({"attribute", "default"}, 1);
    const Getter getter(*attribute, given(fallback));
    for (const Value& item : items.items()) out.push_back(getter(item, meter));
  } else {
    const std::string& name = text_argument(arguments.positional[0], "the name of a filter");
    const Filter filter = find_filter(name);
    if (!filter) error(concat("there is no filter ", hw::quoted(name)));
    if (filter == static_cast<Filter>(map_filter)) error("map does not take the filter 'map'");  // would recurse
    const Arguments rest = rest_of(arguments, 1);
    for (const Value& item : items.items()) {
      meter.step();
      spend_look(item, meter);
      out.push_back(filter(item, rest, meter));
    }
  }
  return make_list(std::move(out), meter);
}

// select, reject, selectattr, rejectattr.
template <bool attribute, bool keep>
Value select_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const Value items = iterate(input, meter);
  constexpr std::size_t kTest = attribute ? 1 : 0;  // where the name of the test stands
  if (attribute && arguments.positional.empty()) error(concat(arguments.callee, " needs the name of an attribute"));
  Test test = nullptr;
  Arguments rest;
  if (arguments.positional.size() > kTest) {
    const std::string& name = text_argument(arguments.positional[kTest], "the name of a test");
    test = find_test(name);
    if (!test) error(concat("there is no test ", hw::quoted(name)));
    rest = rest_of(arguments, kTest + 1);
  }
  const Getter getter(attribute ? arguments.positional[0] : Value(), nullptr);
  Value::List out;
  for (const Value& item : items.items()) {
    meter.step();
    const Value looked_at = attribute ? getter(item, meter) : item;
    if ((test ? test(looked_at, rest, meter) : truth(looked_at)) == keep) out.push_back(item);
  }
  return make_list(std::move(out), meter);
}

inline Value list_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  arguments.none();
  const Value items = iterate(input, meter);
  return items.sequence() == Sequence::list ? items : make_list(items.items(), meter);
}

inline Value length_filter(const Value& input, const Arguments& arguments, Meter&) {
  arguments.none();
  switch (input.kind()) {
    case Kind::undefined: return 0;
    case Kind::string: return character_count(input.text());
    case Kind::list: return input.items().size();
    case Kind::dict: return input.entries().size();
    default: error(concat("a value of type ", input.type(), " has no length"));
  }
}

template <bool last>
Value end_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  arguments.none();
  if (input.is_string() && !input.text().empty()) return item_of(input, last ? -1 : 0, meter);
  const Value items = input.is_list() ? input : iterate(input, meter);
  if (items.items().empty()) return Value::undefined("there is no item in an empty sequence");
  return last ? items.items().back() : items.items().front();
}

inline Value reverse_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  arguments.none();
  return slice_of(input.is_string() ? input : iterate(input, meter), {}, {}, -1, meter);
}

inline Value join_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [separator, attribute] = arguments.bind<2>({"d", "attribute"});
  const std::string between = separator ? str(*separator, meter) : "";
  if (!given(attribute)) return joined(between, input, true, meter);
  const Value items = iterate(input, meter);
  const Getter getter(*attribute, nullptr);
  Value::List out;
  for (const Value& item : items.items()) out.push_back(getter(item, meter));
  return joined(between, make_list(std::move(out), meter), true, meter);
}

inline Value items_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  if (input.is_undefined()) return Value::list({});
  if (!input.is_dict()) error(concat("items needs a dict, found a value of type ", input.type()));
  return dict_parts<Sequence::items>(input, arguments, meter);
}

inline Value default_filter(const Value& input, const Arguments& arguments, Meter&) {
  const auto [fallback, boolean] = arguments.bind<2>({"default_value", "boolean"});
  return input.is_undefined() || (flag(boolean) && !truth(input)) ? fallback ? *fallback : Value("") : input;
}

inline Value attr_filter(const Value& input, const Arguments& arguments, Meter&) {
  const auto [name] = arguments.bind<1>({"name"}, 1);
  const std::string& attribute = text_argument(*name, "the name of an attribute");
  if (input.is_undefined()) input.use();
  if (input.is_dict() && !has_method(input, attribute)) return Value::undefined(concat("a dict has no attribute ", hw::quoted(attribute)));
  return attribute_of(input, attribute);
}

}  // namespace detail
}  // namespace hw::jinja
