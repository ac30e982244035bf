#pragma once
// Scalar conversions between float and the 16-bit types; exact up, round-to-nearest-even down.

#include <bit>

#include "headwise/core/config.hpp"

namespace hw {

struct f16 { std::uint16_t bits; };   // IEEE 754 binary16
struct bf16 { std::uint16_t bits; };  // the upper half of a binary32

constexpr float to_float(bf16 v) noexcept { return std::bit_cast<float>(static_cast<std::uint32_t>(v.bits) << 16); }

constexpr float to_float(f16 v) noexcept {
  const std::uint32_t sign = (v.bits & 0x8000u) << 16;
  const std::uint32_t exponent = (v.bits >> 10) & 31u;
  const std::uint32_t mantissa = v.bits & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | mantissa << 13);
  if (exponent == 0) {
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

constexpr bf16 to_bf16(float v) noexcept {
  const auto u = std::bit_cast<std::uint32_t>(v);
  if ((u & 0x7FFFFFFFu) > 0x7F800000u) return {static_cast<std::uint16_t>(u >> 16 | 0x40u)};
  return {static_cast<std::uint16_t>((u + 0x7FFFu + (u >> 16 & 1u)) >> 16)};
}

constexpr f16 to_f16(float v) noexcept {
  const auto u = std::bit_cast<std::uint32_t>(v);
  const auto sign = static_cast<std::uint16_t>(u >> 16 & 0x8000u);
  const std::uint32_t a = u & 0x7FFFFFFFu;
  if (a > 0x7F800000u) return {static_cast<std::uint16_t>(sign | 0x7E00u)};
  if (a >= 0x477FF000u) return {static_cast<std::uint16_t>(sign | 0x7C00u)};  // rounds to infinity
  if (a < 0x38800000u) {  // subnormal: a multiple of 2^-24, rounded by adding 0.5 (ulp 2^-24 there)
    const float shifted = std::bit_cast<float>(a) + 0.5f;
    return {static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000u))};
  }
  const std::uint32_t rounded = a + 0xFFFu + (a >> 13 & 1u);
  return {static_cast<std::uint16_t>(sign | (rounded - 0x38000000u) >> 13)};
}

}  // namespace hw
