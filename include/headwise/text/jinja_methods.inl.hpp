#pragma once
#include <algorithm>
#include <iterator>

#include "headwise/text/jinja_format.inl.hpp"
#include "headwise/text/jinja_objects.hpp"
#include "headwise/text/jinja_operators.inl.hpp"

namespace hw::jinja {
namespace detail {

using Method = Value (*)(const Value& self, const Arguments& arguments, Meter& meter);
struct NamedMethod {
  std::string_view name;
  Method method;
};

inline Value pieces_value(const std::vector<std::string_view>& pieces, Meter& meter) {
  Value::List items;
  for (std::string_view piece : pieces) items.push_back(make_string(std::string(piece), meter));
  return make_list(std::move(items), meter);
}

// str.split and rsplit. `limit` < 0: everywhere.
template <bool from_right>
Value split(const Value& self, const Arguments& arguments, Meter& meter) {
  const auto [separator, limit_value] = arguments.bind<2>({"sep", "maxsplit"});
  index_t limit = integer_argument(limit_value, -1, "maxsplit");
  if (limit < 0) limit = static_cast<index_t>(self.text().size()) + 1;
  std::string_view s = self.text();
  std::vector<std::string_view> pieces;
  const auto cut = [&](std::size_t begin, std::size_t length) {  // a piece beside the separator [begin, begin + length)
    meter.bytes(16);
    pieces.push_back(from_right ? s.substr(begin + length) : s.substr(0, begin));
    s = from_right ? s.substr(0, begin) : s.substr(begin + length);
  };
  if (!separator || separator->is_none()) {
    const auto gap = [&](std::string_view text) {  // whitespace between words; npos: none
      std::size_t at = from_right ? text.size() : 0;
      const auto is_gap = [&](std::size_t i) { return is_space(code_point(text.substr(i))); };
      if (!from_right) {
        while (at < text.size() && !is_gap(at)) at += character_bytes(text.substr(at));
        return at < text.size() ? at : std::string_view::npos;
      }
      while (at > 0) {
        --at;
        if ((static_cast<unsigned char>(text[at]) & 0xC0) != 0x80 && is_gap(at)) return at;
      }
      return std::string_view::npos;
    };
    s = strip(s, !from_right, from_right);
    while (!s.empty() && limit-- > 0) {
      const std::size_t at = gap(s);
      if (at == std::string_view::npos) break;
      cut(at, character_bytes(s.substr(at)));
      s = strip(s, !from_right, from_right);
    }
    s = strip(s, from_right, !from_right);
    if (!s.empty()) pieces.push_back(s);
  } else {
    const std::string& mark = text_argument(*separator, "a separator");
    if (mark.empty()) error("split needs a separator that is not empty");
    spend_search(s, mark, meter);
    while (limit-- > 0) {
      const std::size_t at = from_right ? s.rfind(mark) : s.find(mark);
      if (at == std::string_view::npos) break;
      cut(at, mark.size());
    }
    pieces.push_back(s);
  }
  if (from_right) std::reverse(pieces.begin(), pieces.end());
  return pieces_value(pieces, meter);
}

template <bool from_right>
Value partition(const Value& self, const Arguments& arguments, Meter& meter) {
  const auto [separator] = arguments.bind<1>({"sep"}, 1);
  const std::string &s = self.text(), &mark = text_argument(*separator, "a separator");
  if (mark.empty()) error("partition needs a separator that is not empty");
  spend_search(s, mark, meter);
  const std::size_t at = from_right ? s.rfind(mark) : s.find(mark);
  if (at == std::string::npos) return from_right ? Value::tuple({"", "", self}) : Value::tuple({self, "", ""});
  const auto part = [&](std::size_t begin, std::size_t count) { return make_string(s.substr(begin, count), meter); };
  return Value::tuple({part(0, at), mark, part(at + mark.size(), std::string::npos)});
}

// Python's splitlines.
inline std::vector<std::string_view> lines_of(std::string_view s, bool keep_ends, Meter& meter) {
  std::vector<std::string_view> lines;
  for (std::size_t begin = 0, at = 0; at < s.size();) {
    const char32_t c = code_point(s.substr(at));
    const std::size_t end = at;
    at += c == '\r' && s.substr(at + 1).starts_with('\n') ? 2 : character_bytes(s.substr(at));
    const bool ends = (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
    if (!ends && at < s.size()) continue;
    meter.bytes(16);
    lines.push_back(s.substr(begin, (ends && !keep_ends ? end : at) - begin));
    begin = at;
  }
  return lines;
}

inline Value split_lines(const Value& self, const Arguments& arguments, Meter& meter) {
  const auto [keep] = arguments.bind<1>({"keepends"});
  return pieces_value(lines_of(self.text(), keep && truth(*keep), meter), meter);
}

// Where `wanted` is: a byte offset of self.text(), or npos. The bounds count characters.
inline std::size_t locate(const Value& self, const Arguments& arguments, Meter& meter, bool last) {
  const auto [wanted, start, end] = arguments.bind<3>({"sub", "start", "end"}, 1);
  const std::string &s = self.text(), &mark = text_argument(*wanted, "what is looked for");
  spend_search(s, mark, meter);
  const auto offset = [&](const Value* v, index_t fallback) {
    index_t i = integer_argument(v && v->is_none() ? nullptr : v, fallback, "a bound");
    if (i < 0) i = std::max<index_t>(0, i + character_count(s));
    return character_offset(s, i);
  };
  const std::size_t from = start ? offset(start, 0) : 0, to = end ? offset(end, static_cast<index_t>(s.size())) : s.size();
  if (from > to) return std::string::npos;
  const std::string_view range = std::string_view(s).substr(from, to - from);
  const std::size_t at = last ? range.rfind(mark) : range.find(mark);
  return at == std::string_view::npos ? std::string::npos : from + at;
}

template <bool last, bool must>
Value find_text(const Value& self, const Arguments& arguments, Meter& meter) {
  const std::size_t at = locate(self, arguments, meter, last);
  if (at == std::string::npos && must) error("the substring is not there");
  return at == std::string::npos ? Value(-1) : Value(character_count(std::string_view(self.text()).substr(0, at)));
}

inline Value count_text(const Value& self, const Arguments& arguments, Meter& meter) {
  const auto [wanted] = arguments.bind<1>({"sub"}, 1);
  const std::string &s = self.text(), &mark = text_argument(*wanted, "what is counted");
  if (mark.empty()) return character_count(s) + 1;
  spend_search(s, mark, meter);
  index_t count = 0;
  for (std::size_t at = 0; (at = s.find(mark, at)) != std::string::npos; at += mark.size()) ++count;
  return count;
}

template <bool suffix>
Value affix(const Value& self, const Arguments& arguments, Meter&) {
  const auto [wanted] = arguments.bind<1>({suffix ? "suffix" : "prefix"}, 1);
  const auto has = [&](const Value& v) {
    const std::string& mark = text_argument(v, "a prefix or suffix");
    return suffix ? self.text().ends_with(mark) : self.text().starts_with(mark);
  };
  if (!wanted->is_list()) return has(*wanted);
  return std::any_of(wanted->items().begin(), wanted->items().end(), has);
}

template <bool suffix>
Value without_affix(const Value& self, const Arguments& arguments, Meter& meter) {
  const auto [wanted] = arguments.bind<1>({suffix ? "suffix" : "prefix"}, 1);
  const std::string &s = self.text(), &mark = text_argument(*wanted, "a prefix or suffix");
  if (!(suffix ? s.ends_with(mark) : s.starts_with(mark))) return self;
  return make_string(s.substr(suffix ? 0 : mark.size(), s.size() - mark.size()), meter);
}

template <bool left, bool right>
Value stripped(const Value& self, const Arguments& arguments, Meter& meter) {
  const auto [characters] = arguments.bind<1>({"chars"});
  const std::string* set = characters && !characters->is_none() ? &text_argument(*characters, "the characters") : nullptr;
  if (set) meter.step(static_cast<index_t>(self.text().size() / 64 * (set->size() + 1)));
  return make_string(std::string(strip(self.text(), left, right, set)), meter);
}

template <char align>
Value padded(const Value& self, const Arguments& arguments, Meter& meter) {
  const auto [width, fill] = arguments.bind<2>({"width", "fillchar"}, 1);
  FormatSpec spec;
  spec.width = integer_argument(width, 0, "a width");
  if (fill) spec.fill = text_argument(*fill, "the fill character");
  if (character_count(spec.fill) != 1) error("the fill character must be one character");
  MeteredText out(meter);
  if (align == '^') {  // Python's own rule for an odd number of blanks
    const index_t size = character_count(self.text()), missing = std::max<index_t>(0, spec.width - size);
    const index_t left = missing / 2 + (missing & spec.width & 1);
    out.repeat(spec.fill, left);
    out += self.text();
    out.repeat(spec.fill, missing - left);
  } else {
    append_padded(out, spec, "", self.text(), align);
  }
  return make_string(std::move(out));
}

inline Value zero_filled(const Value& self, const Arguments& arguments, Meter& meter) {
  const auto [width] = arguments.bind<1>({"width"}, 1);
  const std::string& s = self.text();
  const bool sign = s.starts_with('-') || s.starts_with('+');
  FormatSpec spec;
  spec.width = integer_argument(width, 0, "a width");
  spec.fill = "0";
  spec.align = '=';
  MeteredText out(meter);
  append_padded(out, spec, s.substr(0, sign), s.substr(sign), '=');
  return make_string(std::move(out));
}

inline Value replaced(const std::string& s, const std::string& from, const std::string& to, index_t limit, Meter& meter) {
  if (limit < 0) limit = static_cast<index_t>(s.size()) + 1;
  spend_search(s, from, meter);
  MeteredText out(meter);
  std::size_t at = 0;
  for (; limit > 0; --limit) {
    if (from.empty()) {  // before every character and at the end
      out += to;
      if (at == s.size()) break;
      const std::size_t n = character_bytes(std::string_view(s).substr(at));
      out += std::string_view(s).substr(at, n);
      at += n;
      continue;
    }
    const std::size_t found = s.find(from, at);
    if (found == std::string::npos) break;
    out += std::string_view(s).substr(at, found - at);
    out += to;
    at = found + from.size();
  }
  if (at < s.size()) out += std::string_view(s).substr(at);
  return make_string(std::move(out));
}

inline Value replace_method(const Value& self, const Arguments& arguments, Meter& meter) {
  const auto [from, to, count] = arguments.bind<3>({"old", "new", "count"}, 2);
  return replaced(self.text(), text_argument(*from, "what is replaced"), text_argument(*to, "the replacement"),
                  integer_argument(count, -1, "count"), meter);
}

inline Value joined(const std::string& separator, const Value& values, bool convert, Meter& meter) {
  MeteredText out(meter);
  const Value items = iterate(values, meter);
  for (bool first = true; const Value& item : items.items()) {
    if (!first) out += separator;
    first = false;
    if (convert)
      append_str(out, item, meter);
    else
      out += text_argument(item, "what is joined");
    meter.step();
  }
  return make_string(std::move(out));
}

template <std::string (*map)(std::string_view)>
Value mapped(const Value& self, const Arguments& arguments, Meter& meter) {
  arguments.none();
  return make_string(map(self.text()), meter);
}

template <CharacterClass wanted>
Value all_characters(const Value& self, const Arguments& arguments, Meter&) {
  arguments.none();
  bool all = wanted == CharacterClass::printable || !self.text().empty(), any = false;
  constexpr bool kCase = wanted == CharacterClass::upper || wanted == CharacterClass::lower;
  for_each_character(self.text(), [&](char32_t c, auto, auto) {
    const bool is = is_class(c, wanted);
    any |= is;
    all &= is || (kCase && !is_cased(c));  // isupper and islower only look at letters with case
  });
  return all && (any || !kCase);
}

inline Value is_title_text(const Value& self, const Arguments& arguments, Meter&) {
  arguments.none();
  bool letter = false, right = true, any = false;
  for_each_character(self.text(), [&](char32_t c, auto, auto) {
    if (is_cased(c)) {
      right &= letter ? is_lower(c) : !is_lower(c);
      any = true;
    }
    letter = is_cased(c);
  });
  return right && any;
}

template <Sequence sequence>
Value dict_parts(const Value& self, const Arguments& arguments, Meter& meter) {
  arguments.none();
  Value::List items;
  for (const auto& [key, value] : self.entries()) {
    if (sequence == Sequence::items) meter.bytes(160);
    items.push_back(sequence == Sequence::items ? Value::tuple({key, value}) : sequence == Sequence::keys ? key : value);
  }
  return make_list(std::move(items), meter, sequence);
}

inline Value index_in_list(const Value& self, const Arguments& arguments, Meter& meter) {
  const auto [wanted] = arguments.bind<1>({"value"}, 1);
  for (std::size_t i = 0; i < self.items().size(); ++i)
    if (equal(self.items()[i], *wanted, meter)) return i;
  error("the value is not in the list");
}

inline Value count_in_list(const Value& self, const Arguments& arguments, Meter& meter) {
  const auto [wanted] = arguments.bind<1>({"value"}, 1);
  index_t count = 0;
  for (const Value& item : self.items()) count += equal(item, *wanted, meter);
  return count;
}

inline constexpr NamedMethod kTextMethods[] = {
    {"capitalize", mapped<capitalized>},
    {"casefold", mapped<to_lower>},
    {"center", padded<'^'>},
    {"count", count_text},
    {"endswith", affix<true>},
    {"find", find_text<false, false>},
    {"format", [](const Value& self, const Arguments& arguments,
                  Meter& meter) { return make_string(brace_format(self.text(), arguments, meter), meter); }},
    {"index", find_text<false, true>},
    {"isalnum", all_characters<CharacterClass::alphanumeric>},
    {"isalpha", all_characters<CharacterClass::alphabetic>},
    {"isdecimal", all_characters<CharacterClass::digit>},
    {"isdigit", all_characters<CharacterClass::digit>},
    {"islower", all_characters<CharacterClass::lower>},
    {"isnumeric", all_characters<CharacterClass::numeric>},
    {"isprintable", all_characters<CharacterClass::printable>},
    {"isspace", all_characters<CharacterClass::space>},
    {"istitle", is_title_text},
    {"isupper", all_characters<CharacterClass::upper>},
    {"join", [](const Value& self, const Arguments& arguments,
                Meter& meter) { return joined(self.text(), *arguments.bind<1>({"iterable"}, 1)[0], false, meter); }},
    {"ljust", padded<'<'>},
    {"lower", mapped<to_lower>},
    {"lstrip", stripped<true, false>},
    {"partition", partition<false>},
    {"removeprefix", without_affix<false>},
    {"removesuffix", without_affix<true>},
    {"replace", replace_method},
    {"rfind", find_text<true, false>},
    {"rindex", find_text<true, true>},
    {"rjust", padded<'>'>},
    {"rpartition", partition<true>},
    {"rsplit", split<true>},
    {"rstrip", stripped<false, true>},
    {"split", split<false>},
    {"splitlines", split_lines},
    {"startswith", affix<false>},
    {"strip", stripped<true, true>},
    {"swapcase", mapped<swap_case>},
    {"title", mapped<title_words>},
    {"upper", mapped<to_upper>},
    {"zfill", zero_filled},
};

inline constexpr NamedMethod kDictMethods[] = {
    {"copy", [](const Value& self, const Arguments&, Meter&) { return self; }},
    {"get",
     [](const Value& self, const Arguments& arguments, Meter&) {
       const auto [key, fallback] = arguments.bind<2>({"key", "default"}, 1);
       const Value* found = self.find(*key);
       return found ? *found : fallback ? *fallback : Value();
     }},
    {"items", dict_parts<Sequence::items>},
    {"keys", dict_parts<Sequence::keys>},
    {"values", dict_parts<Sequence::values>},
};

inline constexpr NamedMethod kListMethods[] = {
    {"copy", [](const Value& self, const Arguments&, Meter&) { return self; }},
    {"count", count_in_list},
    {"index", index_in_list},
};

inline Method find_method(const Value& value, std::string_view name) {
  const auto in = [&](const auto& table) -> Method {
    const auto* found = std::find_if(std::begin(table), std::end(table), [&](const NamedMethod& m) { return m.name == name; });
    return found != std::end(table) ? found->method : nullptr;
  };
  if (value.is_string()) return in(kTextMethods);
  if (value.is_dict()) return in(kDictMethods);
  if (value.is_list() && (value.sequence() == Sequence::list || value.sequence() == Sequence::tuple)) return in(kListMethods);
  return nullptr;
}

}  // namespace detail

HEADWISE_INLINE bool has_method(const Value& value, std::string_view name) { return detail::find_method(value, name) != nullptr; }

HEADWISE_INLINE Value call_method(const Value& self, std::string_view name, const Arguments& arguments, Meter& meter) {
  spend_look(self, meter);
  for (const Value& argument : arguments.positional) spend_look(argument, meter);
  if (const detail::Method method = detail::find_method(self, name)) return method(self, arguments, meter);
  for (std::string_view changing :
       {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort", "popitem", "setdefault", "update"})
    if (name == changing && (self.is_list() || self.is_dict())) error(concat("values cannot be changed by a template: ", hw::quoted(name)));
  const Value value = attribute_of(self, name);
  if (value.is_undefined()) value.use();
  error(concat("a value of type ", value.type(), " is not callable: ", hw::quoted(name)));
}

}  // namespace hw::jinja
