#pragma once
// Errors about numbers among a driver's options.

#include <charconv>
#include <cmath>
#include <span>
#include <string>

#include "headwise/core/error.hpp"

namespace hw::detail {

inline std::string number_text(float value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

inline void require(bool holds, std::string_view argument, std::string_view range, float value) {
  if (!holds) fail(argument, range, number_text(value));
}

inline void require_count(std::string_view argument, index_t value, index_t least) {
  if (value < least) fail(argument, concat("a count of at least ", least), concat(value));
}

inline void require_ids(std::string_view argument, std::span<const std::int32_t> ids, index_t vocab_size) {
  for (const std::int32_t id : ids)
    if (id < 0 || id >= vocab_size) fail(argument, concat("ids from 0 to ", vocab_size - 1), concat(id));
}

}  // namespace hw::detail
