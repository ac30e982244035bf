#pragma once
// The tests of `x is ...`, and the two tables that the compiler looks names up in.

#include <iterator>

#include "headwise/text/jinja_filters.inl.hpp"
#include "headwise/text/jinja_objects.hpp"
#include "headwise/text/jinja_text_filters.inl.hpp"

namespace hw::jinja {
namespace detail {

template <Kind kind>
bool is_kind(const Value& input, const Arguments& arguments, Meter&) {
  arguments.none();
  return input.is(kind);
}

template <bool wanted>
bool is_boolean_value(const Value& input, const Arguments& arguments, Meter&) {
  arguments.none();
  return input.is(Kind::boolean) && input.boolean() == wanted;
}

template <Compare which>
bool compares(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [other] = arguments.bind<1>({"other"}, 1);
  return compare(which, input, *other, meter);
}

inline bool is_remainder(const Value& input, const Value& divisor, index_t remainder, Meter& meter) {
  if (input.is_string()) error("a string is neither odd, even nor divisible");  // % would format it
  return equal(arithmetic(Op::modulo, input, divisor, meter), remainder, meter);
}

template <index_t remainder>
bool is_parity(const Value& input, const Arguments& arguments, Meter& meter) {
  arguments.none();
  return is_remainder(input, 2, remainder, meter);
}

inline bool is_divisible(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [divisor] = arguments.bind<1>({"num"}, 1);
  return is_remainder(input, *divisor, 0, meter);
}

inline bool is_defined(const Value& input, const Arguments& arguments, Meter&) {
  arguments.none();
  return !input.is_undefined();
}

inline bool is_number(const Value& input, const Arguments& arguments, Meter&) {
  arguments.none();
  return input.is_number();
}

inline bool is_iterable(const Value& input, const Arguments& arguments, Meter&) {
  arguments.none();
  return input.is_list() || input.is_dict() || input.is_string() || input.is_undefined();
}

inline bool is_sequence(const Value& input, const Arguments& arguments, Meter& meter) {
  const bool view = input.is_list() && (input.sequence() >= Sequence::keys && input.sequence() <= Sequence::items);
  return is_iterable(input, arguments, meter) && !view;
}

inline bool is_callable(const Value& input, const Arguments& arguments, Meter&) {
  arguments.none();
  return input.is(Kind::object) && input.type() != "Namespace";
}

inline bool is_same(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [other] = arguments.bind<1>({"other"}, 1);
  spend_look(input, meter);
  return input.same(*other);
}

template <CharacterClass wanted>
bool is_case(const Value& input, const Arguments& arguments, Meter& meter) {
  return truth(all_characters<wanted>(make_string(str(input, meter), meter), arguments, meter));
}

inline bool is_filter(const Value& input, const Arguments& arguments, Meter&) {
  arguments.none();
  return input.is_string() && find_filter(input.text());
}

inline bool is_test(const Value& input, const Arguments& arguments, Meter&) {
  arguments.none();
  return input.is_string() && find_test(input.text());
}

struct NamedTest {
  std::string_view name;
  Test test;
};
inline constexpr NamedTest kTests[] = {
    {"!=", compares<Compare::ne>},
    {"<", compares<Compare::lt>},
    {"<=", compares<Compare::le>},
    {"==", compares<Compare::eq>},
    {">", compares<Compare::gt>},
    {">=", compares<Compare::ge>},
    {"boolean", is_kind<Kind::boolean>},
    {"callable", is_callable},
    {"defined", is_defined},
    {"divisibleby", is_divisible},
    {"eq", compares<Compare::eq>},
    {"equalto", compares<Compare::eq>},
    {"even", is_parity<0>},
    {"false", is_boolean_value<false>},
    {"filter", is_filter},
    {"float", is_kind<Kind::real>},
    {"ge", compares<Compare::ge>},
    {"greaterthan", compares<Compare::gt>},
    {"gt", compares<Compare::gt>},
    {"in", compares<Compare::in>},
    {"integer", is_kind<Kind::integer>},
    {"iterable", is_iterable},
    {"le", compares<Compare::le>},
    {"lessthan", compares<Compare::lt>},
    {"lower", is_case<CharacterClass::lower>},
    {"lt", compares<Compare::lt>},
    {"mapping", is_kind<Kind::dict>},
    {"ne", compares<Compare::ne>},
    {"none", is_kind<Kind::none>},
    {"number", is_number},
    {"odd", is_parity<1>},
    {"sameas", is_same},
    {"sequence", is_sequence},
    {"string", is_kind<Kind::string>},
    {"test", is_test},
    {"true", is_boolean_value<true>},
    {"undefined", is_kind<Kind::undefined>},
    {"upper", is_case<CharacterClass::upper>},
};

struct NamedFilter {
  std::string_view name;
  Filter filter;
};
inline constexpr NamedFilter kFilters[] = {
    {"abs", abs_filter},
    {"attr", attr_filter},
    {"batch", batch_filter},
    {"capitalize", text_filter<capitalized>},
    {"center", center_filter},
    {"count", length_filter},
    {"d", default_filter},
    {"default", default_filter},
    {"dictsort", dictsort_filter},
    {"e", text_filter<html_escaped>},
    {"escape", text_filter<html_escaped>},
    {"first", end_filter<false>},
    {"float", float_filter},
    {"forceescape", text_filter<html_escaped>},
    {"format", format_filter},
    {"groupby", groupby_filter},
    {"indent", indent_filter},
    {"int", int_filter},
    {"items", items_filter},
    {"join", join_filter},
    {"last", end_filter<true>},
    {"length", length_filter},
    {"list", list_filter},
    {"lower", text_filter<to_lower>},
    {"map", map_filter},
    {"max", extreme_filter<true>},
    {"min", extreme_filter<false>},
    {"reject", select_filter<false, false>},
    {"rejectattr", select_filter<true, false>},
    {"replace", replace_filter},
    {"reverse", reverse_filter},
    {"round", round_filter},
    {"safe", text_filter<unchanged>},
    {"select", select_filter<false, true>},
    {"selectattr", select_filter<true, true>},
    {"slice", slice_filter},
    {"sort", sort_filter},
    {"string", text_filter<unchanged>},
    {"striptags", text_filter<strip_tags>},
    {"sum", sum_filter},
    {"title", text_filter<title_filter>},
    {"tojson", tojson_filter},
    {"trim", trim_filter},
    {"truncate", truncate_filter},
    {"unique", unique_filter},
    {"upper", text_filter<to_upper>},
    {"urlencode", urlencode_filter},
    {"wordcount", wordcount_filter},
};

}  // namespace detail

HEADWISE_INLINE Filter find_filter(std::string_view name) {
  for (const auto& entry : detail::kFilters)
    if (entry.name == name) return entry.filter;
  return nullptr;
}

HEADWISE_INLINE Test find_test(std::string_view name) {
  for (const auto& entry : detail::kTests)
    if (entry.name == name) return entry.test;
  return nullptr;
}

}  // namespace hw::jinja
