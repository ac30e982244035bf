#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/text/jinja_filters.inl.hpp"
#include "headwise/text/jinja_objects.hpp"

namespace hw::jinja {
namespace detail {

inline void append_json_string(MeteredText& out, std::string_view s, bool ascii) {
  constexpr char kHex[] = "0123456789abcdef";
  const auto unit = [&](char32_t u) {
    const char text[] = {'\\', 'u', kHex[u >> 12 & 15], kHex[u >> 8 & 15], kHex[u >> 4 & 15], kHex[u & 15]};
    out += std::string_view(text, sizeof text);
  };
  out += '"';
  for_each_character(s, [&](char32_t c, std::string_view piece, auto) {
    constexpr std::string_view kShort = "\"\\\n\r\t\b\f", kLetters = "\"\\nrtbf";
    const std::size_t k = c < 0x80 ? kShort.find(static_cast<char>(c)) : std::string_view::npos;
    if (k != std::string_view::npos) {
      (out += '\\') += kLetters[k];
    } else if (c < 0x20) {
      unit(c);
    } else if (piece.size() == 1 && c >= 0x80) {  // not UTF-8
      ascii ? unit(0xFFFD) : void(out += "\xEF\xBF\xBD");
    } else if (!ascii || c < 0x80) {
      out += piece;
    } else if (c < 0x10000) {
      unit(c);
    } else {
      unit(0xD800 + ((c - 0x10000) >> 10));
      unit(0xDC00 + ((c - 0x10000) & 0x3FF));
    }
  });
  out += '"';
}

inline void append_json_at(MeteredText& out, const Value& value, const JsonLayout& layout, index_t level, Meter& meter) {
  meter.step();
  const auto new_line = [&](index_t depth) {
    if (!layout.lines) return;
    out += '\n';
    out.repeat(layout.indent, depth);
  };
  switch (value.kind()) {
    case Kind::none: out += "null"; return;
    case Kind::boolean: out += value.boolean() ? "true" : "false"; return;
    case Kind::integer: out += std::to_string(value.integer()); return;
    case Kind::real: {
      const double r = value.real();
      out += std::isnan(r) ? "NaN" : std::isinf(r) ? (r < 0 ? "-Infinity" : "Infinity") : real_repr(r);
      return;
    }
    case Kind::string: append_json_string(out, value.text(), layout.ascii); return;
    case Kind::list: {
      if (value.sequence() != Sequence::list && value.sequence() != Sequence::tuple && value.sequence() != Sequence::group) break;
      out += '[';
      for (bool first = true; const Value& item : value.items()) {
        if (!first) out += layout.item_separator;
        first = false;
        new_line(level + 1);
        append_json_at(out, item, layout, level + 1, meter);
      }
      if (!value.items().empty()) new_line(level);
      out += ']';
      return;
    }
    case Kind::dict: {
      std::vector<std::size_t> order;
      if (layout.sorted) {
        Value::List keys;
        for (const auto& entry : value.entries()) keys.push_back(entry.first);
        order = sorted_order(keys, false, meter);
      }
      out += '{';
      for (std::size_t i = 0; i < value.entries().size(); ++i) {
        const auto& [key, item] = value.entries()[layout.sorted ? order[i] : i];
        if (i) out += layout.item_separator;
        new_line(level + 1);
        if (key.is_string()) {
          append_json_string(out, key.text(), layout.ascii);
        } else {
          out += '"';
          append_json_at(out, key, layout, level + 1, meter);
          out += '"';
        }
        out += layout.key_separator;
        append_json_at(out, item, layout, level + 1, meter);
      }
      if (!value.entries().empty()) new_line(level);
      out += '}';
      return;
    }
    default: break;
  }
  if (value.is_undefined()) value.use();
  error(concat("a value of type ", value.type(), " cannot be written as JSON"));
}

}  // namespace detail

HEADWISE_INLINE void append_json(MeteredText& out, const Value& value, const JsonLayout& layout, Meter& meter) {
  detail::append_json_at(out, value, layout, 0, meter);
}

}  // namespace hw::jinja
