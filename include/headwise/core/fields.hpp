#pragma once
// The fields of a plain struct, one after the other, without naming them.

#include <cstddef>
#include <type_traits>

#include "headwise/core/config.hpp"

namespace hw {
namespace detail {

// Stands for a value of any type where only the form of an initialiser counts. Never run; it has a body because clang looks for one where
// the type is in an unnamed namespace and a std::optional of it is asked about.
struct AnyValue {
  template <class T>
  operator T() const {
    __builtin_unreachable();
  }
};
template <class Derived>
struct AnyBase {
  template <class T>
  requires(std::is_base_of_v<T, Derived> && !std::is_same_v<T, Derived>) operator T() const;
};

// The number of fields of T: the longest list that initialises it.
template <class T, class... Values>
consteval std::size_t field_count() {
  if constexpr (requires { T{Values{}..., AnyValue{}}; }) {
    return field_count<T, Values..., AnyValue>();
  } else {
    return sizeof...(Values);
  }
}

}  // namespace detail

/// A struct without constructors and private members.
template <class T>
concept PlainStruct = std::is_aggregate_v<T> && std::is_class_v<T>;

/// f(field) for the fields of `value`, in their order.
template <PlainStruct T, class F>
void each_field(const T& value, F f) {
  static_assert(!requires { T{detail::AnyBase<T>{}}; }, "each_field: give the struct a member instead of a base class");
  constexpr std::size_t n = detail::field_count<T>();
  static_assert(n <= 24, "each_field: a struct has more than 24 fields; put some into a struct of their own");
  const auto all = [&](const auto&... field) { (f(field), ...); };
  // A structured binding names every field, so each number of fields is a line of its own.
#define HEADWISE_FIELDS(count, ...)    \
  if constexpr (n == count) {          \
    const auto& [__VA_ARGS__] = value; \
    all(__VA_ARGS__);                  \
  }
  HEADWISE_FIELDS(1, a)
  HEADWISE_FIELDS(2, a, b)
  HEADWISE_FIELDS(3, a, b, c)
  HEADWISE_FIELDS(4, a, b, c, d)
  HEADWISE_FIELDS(5, a, b, c, d, e)
  HEADWISE_FIELDS(6, a, b, c, d, e, g)
  HEADWISE_FIELDS(7, a, b, c, d, e, g, h)
  HEADWISE_FIELDS(8, a, b, c, d, e, g, h, i)
  HEADWISE_FIELDS(9, a, b, c, d, e, g, h, i, j)
  HEADWISE_FIELDS(10, a, b, c, d, e, g, h, i, j, k)
  HEADWISE_FIELDS(11, a, b, c, d, e, g, h, i, j, k, l)
  HEADWISE_FIELDS(12, a, b, c, d, e, g, h, i, j, k, l, m)
  HEADWISE_FIELDS(13, a, b, c, d, e, g, h, i, j, k, l, m, o)
  HEADWISE_FIELDS(14, a, b, c, d, e, g, h, i, j, k, l, m, o, p)
  HEADWISE_FIELDS(15, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q)
  HEADWISE_FIELDS(16, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r)
  HEADWISE_FIELDS(17, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s)
  HEADWISE_FIELDS(18, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t)
  HEADWISE_FIELDS(19, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u)
  HEADWISE_FIELDS(20, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u, v)
  HEADWISE_FIELDS(21, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u, v, w)
  HEADWISE_FIELDS(22, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u, v, w, x)
  HEADWISE_FIELDS(23, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u, v, w, x, y)
  HEADWISE_FIELDS(24, a, b, c, d, e, g, h, i, j, k, l, m, o, p, q, r, s, t, u, v, w, x, y, z)
#undef HEADWISE_FIELDS
}

}  // namespace hw
