#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "headwise/core/half.hpp"
#include "headwise/io/convert.hpp"

namespace hw {
namespace detail {

inline void store_half(std::byte* out, float value) {
  const std::uint16_t bits = to_f16(value).bits;
  std::memcpy(out, &bits, 2);
}

// The bits of the largest |x| of a block. They are in the order of the numbers, infinity above all of them and NaN above infinity.
inline std::uint32_t largest_magnitude(const float* x) {
  std::uint32_t largest = 0;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::bit_cast<std::uint32_t>(x[i]) & 0x7FFFFFFFu);
  return largest;
}

// 1 / d, or 0 where that is no number to multiply by: the block is all zeros, too small for its f16 scale, or not finite.
inline float inverse_of(float d) {
  const float inverse = 1.0f / d;
  return d != 0.0f && std::isfinite(d) && std::isfinite(inverse) ? inverse : 0.0f;
}

inline void quantise_q8_0(const float* x, std::byte* out) {
  const float d = std::bit_cast<float>(largest_magnitude(x)) / 127.0f;
  const float inverse = inverse_of(d);
  store_half(out, d);
  if (inverse == 0.0f) return static_cast<void>(std::fill(out + 2, out + 34, std::byte{0}));
  for (int i = 0; i < 32; ++i) {
    const float scaled = x[i] * inverse;
    const int whole = static_cast<int>(scaled);
    const float rest = scaled - static_cast<float>(whole);  // exact
    out[2 + i] = static_cast<std::byte>(whole + (rest >= 0.5f) - (rest <= -0.5f));
  }
}

inline void quantise_q4_0(const float* x, std::byte* out) {
  const std::uint32_t largest = largest_magnitude(x);
  float extreme = std::bit_cast<float>(largest);
  for (int i = 31; i >= 0; --i)
    if ((std::bit_cast<std::uint32_t>(x[i]) & 0x7FFFFFFFu) == largest) extreme = x[i];  // the first of them
  const float d = extreme / -8.0f;
  const float inverse = inverse_of(d);
  store_half(out, d);
  if (inverse == 0.0f) return static_cast<void>(std::fill(out + 2, out + 18, std::byte{0x88}));
  const auto quant = [&](int i) { return std::min(static_cast<int>(x[i] * inverse + 8.5f), 15); };  // 0.5 <= sum <= 16.5
  for (int i = 0; i < 16; ++i) out[2 + i] = static_cast<std::byte>(quant(i) | quant(i + 16) << 4);
}

}  // namespace detail

HEADWISE_INLINE DType quantise_target(std::string_view name, std::string_view where) {
  for (const DType type : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0})
    if (name_of(type) == name) return type;
  fail(where, "f32, f16, bf16, q8_0 or q4_0", hw::quoted(name));
}

HEADWISE_INLINE void quantise_row(DType type, const float* row, index_t n, std::byte* out) {
  switch (type) {
    case DType::f32: std::memcpy(out, row, static_cast<std::size_t>(n) * 4); return;
    case DType::f16:
      for (index_t i = 0; i < n; ++i) detail::store_half(out + 2 * i, row[i]);
      return;
    case DType::bf16:
      for (index_t i = 0; i < n; ++i) {
        const std::uint16_t bits = to_bf16(row[i]).bits;
        std::memcpy(out + 2 * i, &bits, 2);
      }
      return;
    case DType::q8_0:
      for (index_t i = 0; i < n / 32; ++i) detail::quantise_q8_0(row + 32 * i, out + 34 * i);
      return;
    case DType::q4_0:
      for (index_t i = 0; i < n / 32; ++i) detail::quantise_q4_0(row + 32 * i, out + 18 * i);
      return;
    default: fail("quantise_row", "f32, f16, bf16, q8_0 or q4_0", name_of(type));
  }
}

}  // namespace hw
