#pragma once
#include <charconv>
#include <cmath>

#include "headwise/text/jinja_filters.inl.hpp"
#include "headwise/text/jinja_objects.hpp"

namespace hw::jinja {
namespace detail {

// Filters on text take any value and work on its str().
template <std::string (*map)(std::string_view)>
Value text_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  arguments.none();
  return make_string(map(str(input, meter)), meter);
}

inline std::string unchanged(std::string_view s) { return std::string(s); }

// Unlike str.title, only what follows a blank, a hyphen or an opening bracket is a beginning.
inline std::string title_filter(std::string_view s) {
  std::string out;
  for (bool beginning = true; !s.empty();) {
    const std::string_view character = s.substr(0, character_bytes(s));
    const char32_t c = code_point(s);
    out += beginning ? to_upper(character) : to_lower(character);
    beginning = is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
    s.remove_prefix(character.size());
  }
  return out;
}

// Tags and comments go, blanks become one, entities become characters.
inline std::string strip_tags(std::string_view s) {
  std::string text, out;
  while (!s.empty()) {
    const bool comment = s.starts_with("<!--");
    const std::size_t end = s[0] == '<' ? s.find(comment ? "-->" : ">") : std::string_view::npos;
    if (end == std::string_view::npos) {
      text += s[0];
      s.remove_prefix(1);
    } else {
      s.remove_prefix(end + (comment ? 3 : 1));
    }
  }
  constexpr std::pair<std::string_view, char> kEntities[] = {{"&amp;", '&'},  {"&lt;", '<'},  {"&gt;", '>'},
                                                             {"&#39;", '\''}, {"&#34;", '"'}, {"&quot;", '"'}};
  bool gap = false;
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view piece = rest.substr(0, character_bytes(rest));
    const bool space = is_space(code_point(rest));
    char entity = '\0';
    for (const auto& [name, character] : kEntities)
      if (rest.starts_with(name)) entity = character, piece = name;
    rest.remove_prefix(piece.size());
    if (!space && gap && !out.empty()) out += ' ';
    gap = space;
    if (entity)
      out += entity;
    else if (!space)
      out += piece;
  }
  return out;
}

inline Value trim_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  return stripped<true, true>(input.is_string() ? input : make_string(str(input, meter), meter), arguments, meter);
}

inline Value replace_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [from, to, count] = arguments.bind<3>({"old", "new", "count"}, 2);
  return replaced(str(input, meter), str(*from, meter), str(*to, meter), integer_argument(given(count), -1, "count"), meter);
}

inline Value indent_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [width, first, blank] = arguments.bind<3>({"width", "first", "blank"});
  MeteredText by(meter);
  if (width && width->is_string())
    by += width->text();
  else
    by.repeat(" ", integer_argument(width, 4, "a width"));
  const std::string text = str(input, meter) + '\n';  // so that a newline at the end stays
  MeteredText out(meter);
  const std::vector<std::string_view> lines = lines_of(text, false, meter);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i) out += '\n';
    if (i ? flag(blank) || !lines[i].empty() : flag(first)) out += by.text();
    out += lines[i];
  }
  return make_string(std::move(out));
}

inline Value truncate_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [length, kill_words, end, leeway] = arguments.bind<4>({"length", "killwords", "end", "leeway"});
  const std::string text = str(input, meter), mark = given(end) ? str(*end, meter) : "...";
  const index_t most = integer_argument(length, 255, "length"), extra = integer_argument(given(leeway), 5, "leeway");
  const index_t keep = most - character_count(mark);
  if (keep < 0 || extra < 0) error("truncate needs a length of at least that of its end, and no negative leeway");
  const index_t size = character_count(text);
  if (size <= most || size - most <= extra) return make_string(text, meter);
  std::string kept = text.substr(0, character_offset(text, keep));
  if (!flag(kill_words)) kept.resize(std::min(kept.rfind(' '), kept.size()));
  return make_string(kept + mark, meter);
}

inline Value wordcount_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  arguments.none();
  index_t words = 0;
  bool inside = false;
  for_each_character(str(input, meter), [&](char32_t c, auto, auto) {
    const bool word = c == '_' || is_class(c, CharacterClass::alphanumeric);
    words += word && !inside;
    inside = word;
  });
  return words;
}

inline Value center_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [width] = arguments.bind<1>({"width"});
  return padded<'^'>(make_string(str(input, meter), meter), Arguments{"center", {width ? *width : Value(80)}, {}}, meter);
}

inline Value format_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  Value values = Value::tuple(arguments.positional);
  if (!arguments.named.empty()) {
    Value::Entries entries;
    for (const auto& [name, value] : arguments.named) entries.emplace_back(name, value);
    values = Value::dict(std::move(entries));
  }
  return make_string(percent_format(str(input, meter), values, meter), meter);
}

inline void append_url(MeteredText& out, std::string_view s, bool query) {
  constexpr char kHex[] = "0123456789ABCDEF";
  for (char c : s) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-' || c == '~';
    const auto b = static_cast<unsigned char>(c);
    if (plain || (c == '/' && !query))
      out += c;
    else if (c == ' ' && query)
      out += '+';
    else
      ((out += '%') += kHex[b >> 4]) += kHex[b & 15];
  }
}

inline Value urlencode_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  arguments.none();
  MeteredText out(meter);
  if (!input.is_dict() && !input.is_list()) {
    append_url(out, str(input, meter), false);
  } else {
    const Value pairs = input.is_dict() ? dict_parts<Sequence::items>(input, arguments, meter) : input;
    for (bool first = true; const Value& pair : pairs.items()) {
      if (!pair.is_list() || pair.items().size() != 2) error("urlencode needs pairs");
      if (!first) out += '&';
      first = false;
      append_url(out, str(pair.items()[0], meter), true);
      out += '=';
      append_url(out, str(pair.items()[1], meter), true);
    }
  }
  return make_string(std::move(out));
}

// float(text) and int(text, base) of Python; nothing where these fail.
inline std::optional<double> parsed_real(std::string_view s) {
  std::string digits(strip(s, true, true));
  std::erase(digits, '_');
  const bool negative = digits.starts_with('-');
  const char* begin = digits.data() + (negative || digits.starts_with('+'));
  const char* const end = digits.data() + digits.size();
  double value = 0;
  if (begin == end || *begin == '-' || *begin == '+') return std::nullopt;
  const auto [stop, ec] = std::from_chars(begin, end, value);
  if (stop != end || (ec != std::errc() && ec != std::errc::result_out_of_range)) return std::nullopt;
  if (ec == std::errc::result_out_of_range) return std::nullopt;  // Python: inf or 0
  return negative ? -value : value;
}

inline std::optional<std::int64_t> parsed_integer(std::string_view s, index_t base) {
  std::string digits(strip(s, true, true));
  std::erase(digits, '_');
  const bool negative = digits.starts_with('-');
  std::string_view rest = std::string_view(digits).substr(negative || digits.starts_with('+'));
  const char letter = static_cast<char>(rest.size() > 2 && rest[0] == '0' ? rest[1] | 0x20 : 0);
  const index_t prefix = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
  if (base == 0) base = prefix ? prefix : 10;
  if (prefix && prefix == base) rest.remove_prefix(2);
  if (base < 2 || base > 36) return std::nullopt;
  std::int64_t value = 0;
  std::string signed_digits = (negative ? "-" : "") + std::string(rest);
  if (rest.empty() || rest[0] == '-' || rest[0] == '+') return std::nullopt;
  const char* const end = signed_digits.data() + signed_digits.size();
  const auto [stop, ec] = std::from_chars(signed_digits.data(), end, value, static_cast<int>(base));
  if (ec == std::errc::result_out_of_range) overflow();
  return ec == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

inline Value int_filter(const Value& input, const Arguments& arguments, Meter&) {
  const auto [fallback, base] = arguments.bind<2>({"default", "base"});
  const Value otherwise = fallback ? *fallback : Value(0);
  if (input.is_undefined()) input.use();
  std::optional<double> real;
  if (input.is_integral()) return input.as_integer();
  if (input.is_string()) {
    if (const auto whole = parsed_integer(input.text(), integer_argument(base, 10, "base"))) return *whole;
    real = parsed_real(input.text());
  } else if (input.is(Kind::real)) {
    real = input.real();
  }
  if (!real || !std::isfinite(*real)) return otherwise;
  if (std::fabs(*real) >= 9.2e18) overflow();
  return static_cast<std::int64_t>(*real);
}

inline Value float_filter(const Value& input, const Arguments& arguments, Meter&) {
  const auto [fallback] = arguments.bind<1>({"default"});
  if (input.is_undefined()) input.use();
  if (input.is_number()) return input.as_real();
  if (input.is_string())
    if (const auto value = parsed_real(input.text())) return *value;
  return fallback ? *fallback : Value(0.0);
}

inline Value round_filter(const Value& input, const Arguments& arguments, Meter&) {
  const auto [precision, method] = arguments.bind<2>({"precision", "method"});
  const std::string how = method ? text_argument(*method, "method") : "common";
  const index_t digits = integer_argument(precision, 0, "precision");
  if (input.is_undefined()) input.use();
  if (!input.is_number()) error(concat("round needs a number, found a value of type ", input.type()));
  if (how == "common") {
    if (input.is_integral() && digits >= 0) return input.as_integer();
    return input.is_integral() ? Value(static_cast<std::int64_t>(rounded(input.as_real(), digits))) : Value(rounded(input.real(), digits));
  }
  if (how != "ceil" && how != "floor") error("round takes the methods 'common', 'ceil' and 'floor'");
  const double unit = std::pow(10.0, static_cast<double>(digits)), scaled = input.as_real() * unit;
  return (how == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / unit;
}

inline Value abs_filter(const Value& input, const Arguments& arguments, Meter&) {
  arguments.none();
  if (input.is(Kind::real)) return std::fabs(input.real());
  const Value negative = negated(input);
  return input.as_integer() < 0 ? negative : Value(input.as_integer());
}

inline Value tojson_filter(const Value& input, const Arguments& arguments, Meter& meter) {
  const auto [ascii, indent, separators, sort_keys] = arguments.bind<4>({"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonLayout layout;
  layout.ascii = flag(ascii);
  layout.sorted = flag(sort_keys);
  MeteredText by(meter);
  if (given(indent)) {
    layout.lines = true;
    layout.item_separator = ",";
    if (indent->is_string())
      by += indent->text();
    else
      by.repeat(" ", integer_argument(indent, 0, "indent"));
    layout.indent = by.take();
  }
  if (given(separators)) {
    if (!separators->is_list() || separators->items().size() != 2) error("separators of tojson must be a pair");
    layout.item_separator = text_argument(separators->items()[0], "a separator");
    layout.key_separator = text_argument(separators->items()[1], "a separator");
  }
  MeteredText out(meter);
  append_json(out, input, layout, meter);
  return make_string(std::move(out));
}

}  // namespace detail
}  // namespace hw::jinja
