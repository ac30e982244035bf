#pragma once
// A number that tells models apart, so that a saved state finds its own.

#include <bit>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <variant>

#include "headwise/core/fields.hpp"

namespace hw {

/// A hash of values in their order: FNV-1a over 64-bit words, the same on every machine and with every compiler. Finds accidents, not
/// malice.
class Fingerprint {
 public:
  std::uint64_t value() const noexcept { return hash_; }

  /// Numbers, enumerations, strings, optionals, variants, tuples, containers, and structs of these, field by field: what a part's Config is
  /// made of. A type with private members takes part if it has `void fingerprint(Fingerprint&) const`. What has no value that could be
  /// compared (functions, pointers, other classes) does not count.
  template <class T>
  void add(const T& value) {
    if constexpr (requires { value.fingerprint(*this); }) {
      value.fingerprint(*this);
    } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      word(static_cast<std::uint64_t>(value));
    } else if constexpr (std::is_floating_point_v<T>) {
      word(std::bit_cast<std::uint64_t>(static_cast<double>(value)));
    } else if constexpr (std::is_pointer_v<T> && !std::is_convertible_v<T, std::string_view>) {
      // an address says nothing about a model
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
      const std::string_view text = value;
      word(text.size());
      for (const char c : text) word(static_cast<unsigned char>(c));
    } else if constexpr (requires { value.has_value(), *value; }) {
      word(value.has_value());
      if (value.has_value()) add(*value);
    } else if constexpr (requires { std::variant_size<T>::value; }) {
      word(value.index());
      std::visit([&](const auto& held) { add(held); }, value);
    } else if constexpr (requires { value.begin(), value.end(), value.size(); }) {
      word(value.size());
      for (const auto& item : value) add(item);
    } else if constexpr (requires { std::tuple_size<T>::value; }) {
      std::apply([&](const auto&... item) { (add(item), ...); }, value);
    } else if constexpr (PlainStruct<T>) {
      each_field(value, [&](const auto& field) { add(field); });
    }
  }

 private:
  void word(std::uint64_t v) noexcept { hash_ = (hash_ ^ v) * 0x100000001b3u; }

  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

}  // namespace hw
