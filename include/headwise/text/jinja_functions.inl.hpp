#pragma once
#include <ctime>

#include "headwise/text/jinja_machine.hpp"

namespace hw::jinja {
namespace detail {

constexpr index_t kMaxRange = 100'000;

inline Value range(const Arguments& arguments, Meter& meter) {
  const Value::List& given = arguments.positional;
  if (given.empty() || given.size() > 3 || !arguments.named.empty()) error("range takes 1 to 3 arguments");
  const auto number = [&](std::size_t i, index_t fallback) {
    return integer_argument(i < given.size() ? &given[i] : nullptr, fallback, "an argument of range");
  };
  const index_t start = given.size() > 1 ? number(0, 0) : 0, stop = number(given.size() > 1, 0), step = number(2, 1);
  if (step == 0) error("the step of range cannot be zero");
  // In unsigned arithmetic the difference of any two integers fits.
  const auto gap = step > 0 ? static_cast<std::uint64_t>(stop) - static_cast<std::uint64_t>(start)
                            : static_cast<std::uint64_t>(start) - static_cast<std::uint64_t>(stop);
  const auto by = step > 0 ? static_cast<std::uint64_t>(step) : std::uint64_t{0} - static_cast<std::uint64_t>(step);
  const std::uint64_t count = (step > 0 ? start < stop : start > stop) ? (gap - 1) / by + 1 : 0;
  if (count > static_cast<std::uint64_t>(kMaxRange)) error(concat("a range has at most ", kMaxRange, " numbers, found ", count));
  meter.step(static_cast<index_t>(count / 8));
  Value::List items;
  index_t value = start;
  for (std::uint64_t i = 0; i < count; ++i) {
    items.push_back(value);
    if (i + 1 < count) value += step;
  }
  return make_list(std::move(items), meter, Sequence::range);
}

inline Value make_dict(const Arguments& arguments, Meter& meter) {
  Value::Entries entries;
  if (arguments.positional.size() > 1) error("dict takes at most 1 positional argument");
  for (const Value& from : arguments.positional) {
    if (from.is_dict()) {
      meter.bytes(static_cast<index_t>(from.entries().size()), 2 * sizeof(Value));
      entries = from.entries();
      continue;
    }
    const Value pairs = iterate(from, meter);
    for (const Value& item : pairs.items()) {
      const Value pair = iterate(item, meter);
      if (pair.items().size() != 2) error("dict needs pairs");
      meter.bytes(2 * sizeof(Value));
      entries.emplace_back(pair.items()[0], pair.items()[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) entries.emplace_back(name, value);
  return Value::dict(std::move(entries));
}

// strftime in the C locale; what it does not know stays as it is written.
inline std::string formatted_time(std::string_view format, const std::tm& t, Meter& meter) {
  constexpr std::string_view kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
  constexpr std::string_view kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                          "July",    "August",   "September", "October", "November", "December"};
  MeteredText out(meter);
  const auto number = [&](int value, int digits, char fill = '0') {
    const std::string text = std::to_string(value);
    out.repeat(std::string_view(&fill, 1), digits - static_cast<int>(text.size()));
    out += text;
  };
  const int hour12 = t.tm_hour % 12 == 0 ? 12 : t.tm_hour % 12;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    const bool bare = format[i + 1] == '-' && i + 2 < format.size();  // glibc: no zeros in front
    const char c = format[i += bare ? 2 : 1];
    const int two = bare ? 1 : 2;
    switch (c) {
      case 'Y': number(t.tm_year + 1900, 1); break;
      case 'y': number(t.tm_year % 100, two); break;
      case 'm': number(t.tm_mon + 1, two); break;
      case 'd': number(t.tm_mday, two); break;
      case 'e': number(t.tm_mday, two, ' '); break;
      case 'H': number(t.tm_hour, two); break;
      case 'I': number(hour12, two); break;
      case 'M': number(t.tm_min, two); break;
      case 'S': number(t.tm_sec, two); break;
      case 'j': number(t.tm_yday + 1, bare ? 1 : 3); break;
      case 'f': out += "000000"; break;
      case 'u': number(t.tm_wday == 0 ? 7 : t.tm_wday, 1); break;
      case 'w': number(t.tm_wday, 1); break;
      case 'A': out += kDays[t.tm_wday]; break;
      case 'a': out += kDays[t.tm_wday].substr(0, 3); break;
      case 'B': out += kMonths[t.tm_mon]; break;
      case 'b':
      case 'h': out += kMonths[t.tm_mon].substr(0, 3); break;
      case 'p': out += t.tm_hour < 12 ? "AM" : "PM"; break;
      case 'F': out += formatted_time("%Y-%m-%d", t, meter); break;
      case 'T': out += formatted_time("%H:%M:%S", t, meter); break;
      case 'R': out += formatted_time("%H:%M", t, meter); break;
      case 'D':
      case 'x': out += formatted_time("%m/%d/%y", t, meter); break;
      case 'X': out += formatted_time("%H:%M:%S", t, meter); break;
      case 'c': out += formatted_time("%a %b %e %H:%M:%S %Y", t, meter); break;
      case 'n': out += '\n'; break;
      case 't': out += '\t'; break;
      case '%': out += '%'; break;
      case 'z':
      case 'Z': break;  // a naive time has no zone
      default: (out += bare ? "%-" : "%") += c;
    }
  }
  return out.take();
}

inline Value strftime_now(const Arguments& arguments, Meter& meter, std::chrono::system_clock::time_point now) {
  const auto [format] = arguments.bind<1>({"format"}, 1);
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm local{};
#if defined(_WIN32)
  localtime_s(&local, &seconds);
#else
  localtime_r(&seconds, &local);
#endif
  return make_string(formatted_time(text_argument(*format, "a format"), local, meter), meter);
}

struct Cycler : Object, std::enable_shared_from_this<Cycler> {
  std::string_view type() const override { return "Cycler"; }
  Value attribute(std::string_view name) const override {
    const auto self = std::const_pointer_cast<Cycler>(shared_from_this());
    if (name == "current") return items[at];
    if (name == "next" || name == "reset")
      return Value::object(std::make_shared<Function>([self, next = name == "next"](const Arguments& arguments, Meter&) {
        arguments.none();
        const Value current = next ? self->items[self->at] : Value();
        self->at = next ? (self->at + 1) % self->items.size() : 0;
        return current;
      }));
    return Object::attribute(name);
  }
  Value::List items;
  std::size_t at = 0;
};

inline Value make_cycler(const Arguments& arguments, Meter& meter) {
  if (arguments.positional.empty()) error("cycler needs something to cycle through");
  meter.bytes(static_cast<index_t>(arguments.positional.size() * sizeof(Value)) + 64);
  auto cycler = std::make_shared<Cycler>();
  cycler->items = arguments.positional;
  return Value::object(std::move(cycler));
}

inline Value make_joiner(const Arguments& arguments, Meter& meter) {
  const auto [separator] = arguments.bind<1>({"sep"});
  meter.bytes(128);
  const Value between = separator ? *separator : Value(", ");
  return Value::object(std::make_shared<Function>([between, used = false](const Arguments& none, Meter&) mutable {
    none.none();
    return std::exchange(used, true) ? between : Value("");
  }));
}

}  // namespace detail

HEADWISE_INLINE std::vector<std::pair<std::string_view, Value>> builtin_functions(std::chrono::system_clock::time_point now) {
  const auto function = [](Function::Body body) { return Value::object(std::make_shared<Function>(std::move(body))); };
  return {
      {"range", function(detail::range)},
      {"dict", function(detail::make_dict)},
      {"cycler", function(detail::make_cycler)},
      {"joiner", function(detail::make_joiner)},
      {"lipsum", function([](const Arguments&, Meter&) -> Value { error("lipsum is not supported"); })},
      {"raise_exception", function([](const Arguments& arguments, Meter& meter) -> Value {
         const auto [message] = arguments.bind<1>({"message"}, 1);
         error(str(*message, meter));
       })},
      {"strftime_now", function([now](const Arguments& arguments, Meter& meter) { return detail::strftime_now(arguments, meter, now); })},
  };
}

}  // namespace hw::jinja
