#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "headwise/core/half.hpp"
#include "headwise/io/convert.hpp"

namespace hw {
namespace detail {

inline void store_half(std::byte* out, float value) {
  const std::uint16_t bits = to_f16(value).bits;
  std::memcpy(out, &bits, 2);
}

inline void quantise_q8_0(const float* x, std::byte* out) {
  float amax = 0;
  bool nan = false;
  for (int i = 0; i < 32; ++i) {
    amax = std::max(amax, std::abs(x[i]));
    nan = nan || std::isnan(x[i]);
  }
  const float d = nan ? std::numeric_limits<float>::quiet_NaN() : amax / 127.0f;  // not a silent zero
  const float inverse = d == 0.0f ? 0.0f : 1.0f / d;
  store_half(out, d);
  for (int i = 0; i < 32; ++i) {
    const float q = std::round(x[i] * inverse);
    out[2 + i] = static_cast<std::byte>(static_cast<std::int8_t>(q >= -127.0f && q <= 127.0f ? q : 0.0f));
  }
}

inline void quantise_q4_0(const float* x, std::byte* out) {
  float extreme = 0;
  bool nan = false;
  for (int i = 0; i < 32; ++i) {
    if (std::abs(x[i]) > std::abs(extreme)) extreme = x[i];
    nan = nan || std::isnan(x[i]);
  }
  const float d = nan ? std::numeric_limits<float>::quiet_NaN() : extreme / -8.0f;
  const float inverse = d == 0.0f ? 0.0f : 1.0f / d;
  store_half(out, d);
  const auto quant = [&](int i) {
    const float q = x[i] * inverse + 8.5f;
    return q > 0.0f ? std::min(static_cast<unsigned>(std::min(q, 15.0f)), 15u) : 0u;
  };
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
