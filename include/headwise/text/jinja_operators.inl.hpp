#pragma once
#include <charconv>
#include <cmath>
#include <limits>

#include "headwise/text/jinja_objects.hpp"
#include "headwise/text/jinja_text.inl.hpp"

namespace hw::jinja {
namespace detail {

// Integers have 64 bits here, where Python's have any number: more is an error, never another number.
[[noreturn]] inline void overflow() { error("the result of an integer operation needs more than 64 bits"); }

inline std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  while (exponent > 0) {
    if (exponent & 1)
      if (__builtin_mul_overflow(result, base, &result)) overflow();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) overflow();
  }
  return result;
}

inline Value integers(Op op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool over = false;
  switch (op) {
    case Op::add: over = __builtin_add_overflow(a, b, &result); break;
    case Op::subtract: over = __builtin_sub_overflow(a, b, &result); break;
    case Op::multiply: over = __builtin_mul_overflow(a, b, &result); break;
    case Op::floor_divide:
      if (b == 0) error("integer division by zero");
      if (b == -1) {
        over = __builtin_sub_overflow(std::int64_t{0}, a, &result);
      } else {
        result = a / b - (a % b != 0 && (a < 0) != (b < 0));
      }
      break;
    case Op::modulo:
      if (b == 0) error("integer modulo by zero");
      if (b != -1) {
        result = a % b;
        if (result != 0 && (result < 0) != (b < 0)) result += b;
      }
      break;
    default: result = integer_power(a, b); break;  // power, b >= 0
  }
  if (over) overflow();
  return result;
}

inline double reals(Op op, double a, double b) {
  const auto nonzero = [&] {
    if (b == 0) error("division by zero");
  };
  switch (op) {
    case Op::add: return a + b;
    case Op::subtract: return a - b;
    case Op::multiply: return a * b;
    case Op::divide: return nonzero(), a / b;
    case Op::floor_divide: return nonzero(), std::floor(a / b);
    case Op::modulo: {
      nonzero();
      const double r = std::fmod(a, b);
      return r != 0 && (r < 0) != (b < 0) ? r + b : r;
    }
    default: {
      if (a == 0 && b < 0) error("zero to a negative power");
      const double r = std::pow(a, b);
      if (!std::isfinite(r) && std::isfinite(a) && std::isfinite(b)) error("the result of a power is no finite real number");
      return r;
    }
  }
}

inline Value repeated(const Value& value, std::int64_t count, Meter& meter) {
  if (value.is_string()) {
    MeteredText out(meter);
    out.repeat(value.text(), count);
    return make_string(std::move(out));
  }
  Value::List items;
  const Value::List& piece = value.items();
  if (count > 0 && !piece.empty()) {
    meter.bytes(count, static_cast<index_t>(piece.size() * sizeof(Value)));
    items.reserve(piece.size() * static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i) items.insert(items.end(), piece.begin(), piece.end());
  }
  return Value::list(std::move(items), value.sequence());
}

inline bool repeats(const Value& v) {
  return v.is_string() || (v.is_list() && (v.sequence() == Sequence::list || v.sequence() == Sequence::tuple));
}

// Steps for looking for `needle` everywhere in `text`, at worst.
inline void spend_search(std::string_view text, std::string_view needle, Meter& meter) {
  meter.step(static_cast<index_t>((text.size() / 16 + 1) * (needle.size() / 16 + 1)));
}

}  // namespace detail

HEADWISE_INLINE Value arithmetic(Op op, const Value& a, const Value& b, Meter& meter) {
  if (a.is_undefined()) a.use();
  if (op == Op::modulo && a.is_string()) return make_string(percent_format(a.text(), b, meter), meter);
  if (b.is_undefined()) b.use();
  if (a.is_number() && b.is_number()) {
    const bool whole = a.is_integral() && b.is_integral() && op != Op::divide && !(op == Op::power && b.as_integer() < 0);
    return whole ? detail::integers(op, a.as_integer(), b.as_integer()) : Value(detail::reals(op, a.as_real(), b.as_real()));
  }
  if (op == Op::add && a.is_string() && b.is_string()) {
    MeteredText out(meter);
    (out += a.text()) += b.text();
    return make_string(std::move(out));
  }
  if (op == Op::add && a.is_list() && b.is_list() && a.sequence() == b.sequence() && detail::repeats(a)) {
    meter.bytes(static_cast<index_t>((a.items().size() + b.items().size()) * sizeof(Value)));
    Value::List items = a.items();
    items.insert(items.end(), b.items().begin(), b.items().end());
    return Value::list(std::move(items), a.sequence());
  }
  if (op == Op::multiply && detail::repeats(a) && b.is_integral()) return detail::repeated(a, b.as_integer(), meter);
  if (op == Op::multiply && detail::repeats(b) && a.is_integral()) return detail::repeated(b, a.as_integer(), meter);
  constexpr std::string_view kSigns[] = {"+", "-", "*", "/", "//", "%", "**"};
  error(concat("the operator ", kSigns[static_cast<int>(op) - static_cast<int>(Op::add)], " does not take values of types ", a.type(),
               " and ", b.type()));
}

HEADWISE_INLINE Value negated(const Value& value) {
  if (value.is_undefined()) value.use();
  if (value.is(Kind::real)) return -value.real();
  if (!value.is_integral()) error(concat("a value of type ", value.type(), " has no negative"));
  return detail::integers(Op::subtract, 0, value.as_integer());
}

HEADWISE_INLINE bool contains(const Value& container, const Value& item, Meter& meter) {
  switch (container.kind()) {
    case Kind::undefined: return false;
    case Kind::string:
      if (!item.is_string()) error(concat("only a string can be in a string, found a value of type ", item.type()));
      detail::spend_search(container.text(), item.text(), meter);
      return container.text().find(item.text()) != std::string::npos;
    case Kind::dict: return container.find(item) != nullptr;
    case Kind::list:
      for (const Value& candidate : container.items())
        if (equal(candidate, item, meter)) return true;
      return false;
    default: error(concat("nothing can be in a value of type ", container.type()));
  }
}

HEADWISE_INLINE bool compare(Compare which, const Value& a, const Value& b, Meter& meter) {
  switch (which) {
    case Compare::eq: return equal(a, b, meter);
    case Compare::ne: return !equal(a, b, meter);
    case Compare::lt: return less(a, b, meter);
    case Compare::gt: return less(b, a, meter);
    // Not the negation of the opposite: NaN.
    case Compare::le: return less(a, b, meter) || equal(a, b, meter);
    case Compare::ge: return less(b, a, meter) || equal(a, b, meter);
    case Compare::in: return contains(b, a, meter);
    case Compare::not_in: return !contains(b, a, meter);
  }
  return false;
}

HEADWISE_INLINE Value slice_of(const Value& value, const Value& start, const Value& stop, const Value& step, Meter& meter) {
  if (value.is_undefined()) value.use();
  if (!value.is_list() && !value.is_string()) error(concat("a value of type ", value.type(), " cannot be sliced"));
  spend_look(value, meter);
  const auto bound = [&](const Value& v, index_t fallback) {
    return integer_argument(v.is_none() ? nullptr : &v, fallback, "a bound of a slice");
  };
  const index_t by = bound(step, 1);
  if (by == 0) error("the step of a slice cannot be zero");
  std::vector<std::string_view> characters;
  if (value.is_string())
    for (std::string_view rest = value.text(); !rest.empty(); rest.remove_prefix(character_bytes(rest))) {
      meter.bytes(sizeof(std::string_view));
      characters.push_back(rest.substr(0, character_bytes(rest)));
    }
  const index_t size = value.is_list() ? static_cast<index_t>(value.items().size()) : static_cast<index_t>(characters.size());
  // Python's slice.indices(size)
  const index_t lowest = by < 0 ? -1 : 0, highest = by < 0 ? size - 1 : size;
  const auto place = [&](const Value& v, index_t fallback) {
    index_t i = bound(v, fallback);
    if (v.is_none()) return i;
    if (i < 0) i = i < -size ? lowest : i + size;
    return std::min(std::max(i, lowest), highest);
  };
  const index_t from = place(start, by < 0 ? highest : lowest), to = place(stop, by < 0 ? lowest : highest);
  MeteredText text(meter);
  Value::List items;
  for (index_t i = from; by > 0 ? i < to : i > to;) {
    meter.step();
    if (value.is_list())
      items.push_back(value.items()[static_cast<std::size_t>(i)]);
    else
      text += characters[static_cast<std::size_t>(i)];
    if (__builtin_add_overflow(i, by, &i)) break;
  }
  if (value.is_string()) return make_string(std::move(text));
  return make_list(std::move(items), meter, value.sequence() == Sequence::tuple ? Sequence::tuple : Sequence::list);
}

HEADWISE_INLINE double rounded(double value, index_t digits) {
  if (!std::isfinite(value) || digits > 300) return value;
  if (digits < -300) return 0;
  if (digits < 0) {
    const double unit = std::pow(10.0, static_cast<double>(-digits));
    return std::nearbyint(value / unit) * unit;
  }
  char text[700];  // exact digits, rounded to even, whatever the locale
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, static_cast<int>(digits)).ptr;
  double result = value;
  std::from_chars(text, end, result);
  return result;
}

}  // namespace hw::jinja
