#pragma once
#include <charconv>
#include <cmath>

#include "headwise/text/jinja_objects.hpp"
#include "headwise/text/jinja_text.inl.hpp"

namespace hw::jinja {
namespace detail {

// What stands between the % and the letter, or after the colon of {}.
struct FormatSpec {
  std::string fill = " ";
  char align = '\0';  // < > ^ =
  char sign = '-';    // - + or a blank
  bool alternative = false, grouping = false;
  index_t width = 0, precision = -1;
  char type = '\0';
};

inline void append_padded(MeteredText& out, const FormatSpec& spec, std::string_view sign, std::string_view body, char default_align) {
  const index_t missing = spec.width - character_count(sign) - character_count(body);
  const char align = spec.align ? spec.align : default_align;
  const index_t left = align == '<' || align == '=' ? 0 : align == '^' ? missing / 2 : missing;
  out.repeat(spec.fill, missing > 0 ? left : 0);
  out += sign;
  if (align == '=') out.repeat(spec.fill, missing);
  out += body;
  if (align == '<' || align == '^') out.repeat(spec.fill, missing > 0 ? missing - left : 0);
}

inline void append_grouped(std::string& digits) {
  const std::size_t whole = std::min(digits.find_first_of(".e"), digits.size());
  for (std::size_t i = whole; i > 3; i -= 3) digits.insert(i - 3, 1, ',');
}

inline std::string_view sign_of(const FormatSpec& spec, bool negative) {
  return negative ? "-" : spec.sign == '+' ? "+" : spec.sign == ' ' ? " " : "";
}

inline void append_integer(MeteredText& out, const FormatSpec& spec, std::int64_t value) {
  const auto magnitude = value < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  const char type = spec.type;
  const int base = type == 'x' || type == 'X' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
  char text[72];
  std::string digits(text, std::to_chars(text, text + sizeof text, magnitude, base).ptr);
  if (type == 'X') digits = to_upper(digits);
  if (spec.grouping) append_grouped(digits);
  if (spec.precision > 300) error("a format has more than 300 digits");
  if (spec.precision > static_cast<index_t>(digits.size())) digits.insert(0, static_cast<std::size_t>(spec.precision) - digits.size(), '0');
  std::string sign(sign_of(spec, value < 0));
  if (spec.alternative && base != 10) (sign += '0') += type;
  append_padded(out, spec, sign, digits, '>');
}

inline void append_real(MeteredText& out, const FormatSpec& spec, double value) {
  const double magnitude = std::fabs(value);
  const bool percent = spec.type == '%';
  const char type = percent ? 'f' : static_cast<char>(spec.type ? spec.type | 0x20 : 'r');
  index_t precision = spec.precision < 0 ? 6 : spec.precision;
  if (precision > 300) error("a format has more than 300 digits");
  std::string digits;
  if (!std::isfinite(value)) {
    digits = std::isnan(value) ? "nan" : "inf";
  } else if (type == 'r' && spec.precision < 0) {
    digits = real_repr(magnitude);
  } else {
    char text[700];
    if ((type == 'g' || type == 'r') && precision == 0) precision = 1;
    const auto how = type == 'f' ? std::chars_format::fixed : type == 'e' ? std::chars_format::scientific : std::chars_format::general;
    const double shown = percent ? magnitude * 100 : magnitude;
    const auto end = std::to_chars(text, text + sizeof text, shown, how, static_cast<int>(precision));
    digits.assign(text, end.ptr);
  }
  if (spec.type >= 'A' && spec.type <= 'Z') digits = to_upper(digits);
  if (spec.grouping) append_grouped(digits);
  if (percent) digits += '%';
  append_padded(out, spec, sign_of(spec, std::signbit(value) && !std::isnan(value)), digits, '>');
}

inline void append_text(MeteredText& out, const FormatSpec& spec, std::string text, char default_align) {
  if (spec.precision >= 0) text.resize(character_offset(text, spec.precision));
  append_padded(out, spec, "", text, default_align);
}

// A non-negative number at the start of s, which it is taken from; -1: none.
inline index_t take_number(std::string_view& s) {
  index_t value = -1;
  for (; !s.empty() && s[0] >= '0' && s[0] <= '9'; s.remove_prefix(1)) {
    value = std::max<index_t>(value, 0) * 10 + (s[0] - '0');
    if (value > 1'000'000'000) error("a number in a format is too large");
  }
  return value;
}

}  // namespace detail

HEADWISE_INLINE std::string percent_format(const std::string& format, const Value& value, Meter& meter) {
  MeteredText out(meter);
  const bool tuple = value.is_list() && value.sequence() == Sequence::tuple;
  std::size_t used = 0;
  const auto next = [&]() -> Value {
    if (!tuple && used++ == 0) return value;
    if (tuple && used < value.items().size()) return value.items()[used++];
    error("there are fewer values than % in the format");
  };
  bool named = false;
  for (std::string_view s = format; !s.empty();) {
    const std::size_t plain = std::min(s.find('%'), s.size());
    out += s.substr(0, plain);
    s.remove_prefix(plain);
    if (s.empty()) break;
    s.remove_prefix(1);
    detail::FormatSpec spec;
    const Value* item = nullptr;
    if (s.starts_with('(')) {
      const std::size_t close = s.find(')');
      if (close == std::string_view::npos) error("a format has '%(' without ')'");
      item = value.find(s.substr(1, close - 1));
      if (!item) error(concat("the format's key ", hw::quoted(s.substr(1, close - 1)), " is missing"));
      s.remove_prefix(close + 1);
      named = true;
    }
    bool zero = false, left = false;
    for (; !s.empty() && std::string_view("-+ #0").find(s[0]) != std::string_view::npos; s.remove_prefix(1)) {
      left |= s[0] == '-';
      zero |= s[0] == '0';
      spec.alternative |= s[0] == '#';
      if (s[0] == '+' || (s[0] == ' ' && spec.sign != '+')) spec.sign = s[0];
    }
    const auto number = [&] {
      if (!s.starts_with('*')) return detail::take_number(s);
      s.remove_prefix(1);
      const Value width = next();
      return integer_argument(&width, 0, "a width in a format");
    };
    spec.width = std::max<index_t>(number(), 0);
    if (s.starts_with('.')) {
      s.remove_prefix(1);
      spec.precision = std::max<index_t>(number(), 0);
    }
    while (!s.empty() && (s[0] == 'h' || s[0] == 'l' || s[0] == 'L')) s.remove_prefix(1);
    if (s.empty()) error("a format ends within %");
    const char type = s[0];
    s.remove_prefix(1);
    if (type == '%') {
      out += '%';
      continue;
    }
    const Value argument = item ? *item : next();
    if (left) spec.align = '<';
    if (type == 's' || type == 'r') {
      MeteredText text(meter);
      type == 's' ? append_str(text, argument, meter) : append_repr(text, argument, meter);
      detail::append_text(out, spec, text.take(), '>');
      continue;
    }
    if (type == 'c') {
      detail::append_text(out, spec, text_argument(argument, "%c"), '>');
      continue;
    }
    if (std::string_view("diuxXoeEfFgG").find(type) == std::string_view::npos)
      error(concat("a format has the unknown type ", hw::quoted(std::string_view(&type, 1))));
    if (!argument.is_number()) error(concat("%", std::string_view(&type, 1), " needs a number, found a value of type ", argument.type()));
    if (zero && !left) spec.fill = "0", spec.align = '=';
    spec.type = type;
    if (std::string_view("eEfFgG").find(type) != std::string_view::npos) {
      detail::append_real(out, spec, argument.as_real());
    } else {
      if (type == 'i' || type == 'u') spec.type = 'd';
      if (argument.is(Kind::real) && !(std::fabs(argument.real()) < 9e18)) error("a number in a format needs more than 64 bits");
      detail::append_integer(out, spec, argument.is_integral() ? argument.as_integer() : static_cast<std::int64_t>(argument.real()));
    }
  }
  if (!named && !value.is_dict() && used < (tuple ? value.items().size() : 1)) error("there are more values than % in the format");
  return out.take();
}

namespace detail {

inline void append_formatted(MeteredText& out, const Value& value, std::string_view s, Meter& meter) {
  if (s.empty()) return append_str(out, value, meter);
  FormatSpec spec;
  const std::size_t n = character_bytes(s);
  if (s.size() > n && std::string_view("<>^=").find(s[n]) != std::string_view::npos) {
    spec.fill = std::string(s.substr(0, n));
    spec.align = s[n];
    s.remove_prefix(n + 1);
  } else if (std::string_view("<>^=").find(s[0]) != std::string_view::npos) {
    spec.align = s[0];
    s.remove_prefix(1);
  }
  if (!s.empty() && (s[0] == '+' || s[0] == '-' || s[0] == ' ')) spec.sign = s[0], s.remove_prefix(1);
  if (s.starts_with('#')) spec.alternative = true, s.remove_prefix(1);
  if (s.starts_with('0')) {
    if (!spec.align) spec.fill = "0", spec.align = '=';
    s.remove_prefix(1);
  }
  spec.width = std::max<index_t>(take_number(s), 0);
  if (s.starts_with(',')) spec.grouping = true, s.remove_prefix(1);
  if (s.starts_with('.')) {
    s.remove_prefix(1);
    spec.precision = take_number(s);
    if (spec.precision < 0) error("a format has '.' without a number");
  }
  if (!s.empty()) spec.type = s[0], s.remove_prefix(1);
  if (!s.empty()) error("a format specification is too long");
  const bool real_type = spec.type && std::string_view("eEfFgG%").find(spec.type) != std::string_view::npos;
  const bool integer_type = spec.type && std::string_view("dxXob").find(spec.type) != std::string_view::npos;
  if (spec.type && !real_type && !integer_type && spec.type != 's')
    error(concat("a format has the unknown type ", hw::quoted(std::string_view(&spec.type, 1))));
  if (value.is_number() ? spec.type == 's' || (value.is(Kind::real) && integer_type) : real_type || integer_type)
    error(concat("the format type ", hw::quoted(std::string_view(&spec.type, 1)), " does not take a value of type ", value.type()));
  if (!value.is_number())
    append_text(out, spec, str(value, meter), '<');
  else if (value.is(Kind::real) || real_type)
    append_real(out, spec, value.as_real());
  else
    append_integer(out, spec, value.as_integer());
}

// "0.name[key]": what a field of a format refers to.
inline Value field_value(std::string_view field, const Arguments& arguments, std::size_t& automatic, Meter& meter) {
  const std::size_t head = std::min(field.find_first_of(".["), field.size());
  std::string_view first = field.substr(0, head);
  Value value;
  const bool empty = first.empty();
  const index_t index = empty ? static_cast<index_t>(automatic++) : take_number(first);
  if (empty || (index >= 0 && first.empty())) {
    if (index >= static_cast<index_t>(arguments.positional.size())) error("a format refers to an argument that was not given");
    value = arguments.positional[static_cast<std::size_t>(index)];
  } else {
    const auto found =
        std::find_if(arguments.named.begin(), arguments.named.end(), [&](const auto& n) { return n.first == field.substr(0, head); });
    if (found == arguments.named.end()) error(concat("a format refers to ", hw::quoted(field.substr(0, head)), ", which was not given"));
    value = found->second;
  }
  for (field.remove_prefix(head); !field.empty();) {
    const bool item = field[0] == '[';
    field.remove_prefix(1);
    const std::size_t end = std::min(item ? field.find(']') : field.find_first_of(".["), field.size());
    const std::string_view name = field.substr(0, end);
    std::string_view digits = name;
    const index_t number = item ? take_number(digits) : -1;
    value = !item ? attribute_of(value, name) : item_of(value, number >= 0 && digits.empty() ? Value(number) : Value(name), meter);
    field.remove_prefix(std::min(field.size(), item ? end + 1 : end));
  }
  return value;
}

}  // namespace detail

HEADWISE_INLINE std::string brace_format(const std::string& format, const Arguments& arguments, Meter& meter) {
  MeteredText out(meter);
  std::size_t automatic = 0;
  for (std::string_view s = format; !s.empty();) {
    const std::size_t brace = std::min(s.find_first_of("{}"), s.size());
    out += s.substr(0, brace);
    s.remove_prefix(brace);
    if (s.empty()) break;
    if (s.size() > 1 && s[0] == s[1]) {
      out += s[0];
      s.remove_prefix(2);
      continue;
    }
    const std::size_t close = s.find('}');
    if (s[0] == '}' || close == std::string_view::npos) error("a format has a single brace");
    std::string_view field = s.substr(1, close - 1), spec;
    s.remove_prefix(close + 1);
    if (field.find('{') != std::string_view::npos) error("fields within fields of a format are not supported");
    const std::size_t colon = std::min(field.find(':'), field.size());
    if (colon < field.size()) spec = field.substr(colon + 1);
    field = field.substr(0, colon);
    char conversion = '\0';
    if (const std::size_t mark = field.find('!'); mark != std::string_view::npos) {
      conversion = mark + 2 == field.size() ? field[mark + 1] : '?';
      if (conversion != 'r' && conversion != 's') error("a format has an unknown conversion after '!'");
      field = field.substr(0, mark);
    }
    Value value = detail::field_value(field, arguments, automatic, meter);
    if (conversion == 's') value = make_string(str(value, meter), meter);
    if (conversion == 'r') {
      MeteredText text(meter);
      append_repr(text, value, meter);
      value = make_string(std::move(text));
    }
    detail::append_formatted(out, value, spec, meter);
  }
  return out.take();
}

}  // namespace hw::jinja
