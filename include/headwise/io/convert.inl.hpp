#pragma once
#include <algorithm>
#include <bit>
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

// x = scale q - minimum over 32 values, q in 0..15, minimum >= 0.
struct ScaleAndMinimum {
  float scale = 0, minimum = 0;
};

inline ScaleAndMinimum fit_q4(const float* x) {
  float low = 0, high = x[0], squares = 0, weight[32];
  for (int i = 0; i < 32; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
    squares += x[i] * x[i];
  }
  if (!(high > low)) return {0, -low};  // one number for all
  const float mean = std::sqrt(squares / 32);
  float sum_w = 0, sum_x = 0;
  for (int i = 0; i < 32; ++i) {
    weight[i] = mean + std::fabs(x[i]);
    sum_w += weight[i];
    sum_x += weight[i] * x[i];
  }
  ScaleAndMinimum best{(high - low) / 15, -low};
  float least = std::numeric_limits<float>::infinity();
  for (int attempt = 0; attempt <= 12; ++attempt) {
    const float inverse = (14.0f + 0.15f * static_cast<float>(attempt)) / (high - low);
    float q[32], sum_q = 0, sum_qq = 0, sum_xq = 0;
    for (int i = 0; i < 32; ++i) {
      q[i] = static_cast<float>(static_cast<int>(std::min(std::max(inverse * (x[i] - low), 0.0f), 15.0f) + 0.5f));
      const float wq = weight[i] * q[i];
      sum_q += wq;
      sum_qq += wq * q[i];
      sum_xq += wq * x[i];
    }
    const float determinant = sum_w * sum_qq - sum_q * sum_q;
    if (!(determinant > 0)) continue;
    ScaleAndMinimum fit{(sum_w * sum_xq - sum_x * sum_q) / determinant, (sum_q * sum_xq - sum_qq * sum_x) / determinant};
    if (fit.minimum < 0) fit = {sum_xq / sum_qq, 0};
    float error = 0;
    for (int i = 0; i < 32; ++i) {
      const float off = fit.scale * q[i] - fit.minimum - x[i];
      error += weight[i] * off * off;
    }
    if (fit.scale > 0 && error < least) {
      least = error;
      best = fit;
    }
  }
  return best;
}

inline void quantise_q4_k(const float* x, std::byte* out) {
  std::fill(out, out + 144, std::byte{0});
  for (int i = 0; i < 256; ++i)
    if (!std::isfinite(x[i])) return store_half(out, std::numeric_limits<float>::quiet_NaN());  // of all values
  ScaleAndMinimum fit[8];
  float most = 0, most_minimum = 0;
  for (int g = 0; g < 8; ++g) {
    fit[g] = fit_q4(x + 32 * g);
    most = std::max(most, fit[g].scale);
    most_minimum = std::max(most_minimum, fit[g].minimum);
  }
  store_half(out, most / 63);
  store_half(out + 2, most_minimum / 63);
  std::uint16_t bits[2];
  std::memcpy(bits, out, 4);
  const float d = to_float(f16{bits[0]}), m = to_float(f16{bits[1]});
  if (!std::isfinite(d) || !std::isfinite(m)) return;  // beyond f16, as in the other types
  std::uint8_t scales[12] = {}, quants[256] = {};
  for (int g = 0; g < 8; ++g) {
    const auto six_bits = [](float value, float unit) {
      return unit > 0 ? static_cast<int>(std::min(value / unit, 63.0f) + 0.5f) : 0;
    };
    const int scale = std::min(six_bits(fit[g].scale, d), 63), minimum = std::min(six_bits(fit[g].minimum, m), 63);
    if (g < 4) {
      scales[g] = static_cast<std::uint8_t>(scales[g] | scale);
      scales[g + 4] = static_cast<std::uint8_t>(scales[g + 4] | minimum);
    } else {
      scales[g - 4] = static_cast<std::uint8_t>(scales[g - 4] | scale >> 4 << 6);
      scales[g] = static_cast<std::uint8_t>(scales[g] | minimum >> 4 << 6);
      scales[g + 4] = static_cast<std::uint8_t>((scale & 15) | (minimum & 15) << 4);
    }
    const float unit = d * static_cast<float>(scale), offset = m * static_cast<float>(minimum);
    for (int i = 0; unit > 0 && i < 32; ++i)
      quants[32 * g + i] = static_cast<std::uint8_t>(std::clamp((x[32 * g + i] + offset) / unit, 0.0f, 15.0f) + 0.5f);
  }
  for (int i = 0; i < 12; ++i) out[4 + i] = static_cast<std::byte>(scales[i]);
  for (int c = 0; c < 4; ++c)  // pairs of groups share bytes
    for (int i = 0; i < 32; ++i) out[16 + 32 * c + i] = static_cast<std::byte>(quants[64 * c + i] | quants[64 * c + 32 + i] << 4);
}

}  // namespace detail

HEADWISE_INLINE DType quantise_target(std::string_view name, std::string_view where) {
  for (const DType type : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0, DType::q4_k})
    if (name_of(type) == name) return type;
  fail(where, "f32, f16, bf16, q8_0, q4_0 or q4_k", hw::quoted(name));
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
    case DType::q4_k:
      for (index_t i = 0; i < n / 256; ++i) detail::quantise_q4_k(row + 256 * i, out + 144 * i);
      return;
    default: fail("quantise_row", "f32, f16, bf16, q8_0, q4_0 or q4_k", name_of(type));
  }
}

}  // namespace hw
