#pragma once
// What the numbers of a file mean: every storage type, value by value.
//
// The block types are those of GGUF. A block of 32 has one f16 scale d (MXFP4: a power of two), and the types *_1 an f16 minimum m; a
// block of 256 ("K") has groups with small integer scales of their own. Products of a scale and a quant are exact in f32, so each value is
// rounded at most once.

#include <cmath>
#include <cstdint>
#include <cstring>

#include "headwise/core/dtype.hpp"
#include "headwise/core/half.hpp"

namespace hw::ref {

namespace detail {

inline unsigned byte_at(const std::byte* p, index_t i) { return static_cast<unsigned>(p[i]); }
inline int signed_at(const std::byte* p, index_t i) { return static_cast<std::int8_t>(p[i]); }

template <class T>
T number_at(const std::byte* p, index_t i) {
  T value;
  std::memcpy(&value, p + i * static_cast<index_t>(sizeof(T)), sizeof(T));
  return value;
}

inline float half_at(const std::byte* p) { return to_float(f16{number_at<std::uint16_t>(p, 0)}); }

// Value i of a block of 32: the low nibbles of 16 bytes are the first half, the high nibbles the second.
inline int nibble_at(const std::byte* quants, int i) {
  return static_cast<int>(i < 16 ? byte_at(quants, i) & 15u : byte_at(quants, i - 16) >> 4);
}

// 6-bit scale and minimum of group j of 8 in the 12 bytes of Q4_K and Q5_K: groups 0-3 in the low 6 bits of bytes 0-3 and 4-7; groups 4-7
// have their low nibbles in bytes 8-11 and their upper two bits on top of bytes 0-7.
struct ScaleAndMinimum {
  int scale, minimum;
};
inline ScaleAndMinimum scale_and_minimum(const std::byte* s, int j) {
  if (j < 4) return {static_cast<int>(byte_at(s, j) & 63u), static_cast<int>(byte_at(s, j + 4) & 63u)};
  return {static_cast<int>((byte_at(s, j + 4) & 15u) | (byte_at(s, j - 4) >> 6) << 4),
          static_cast<int>((byte_at(s, j + 4) >> 4) | (byte_at(s, j) >> 6) << 4)};
}

// 6-bit scale of group j of 16 in the 12 bytes of Q3_K, stored + 32: a nibble each in bytes 0-7 (0-7 low, 8-15 high), the upper two bits in
// bytes 8-11, at bits 2 (j / 4).
inline int scale_of_q3(const std::byte* s, int j) {
  const unsigned low = j < 8 ? byte_at(s, j) & 15u : byte_at(s, j - 8) >> 4;
  const unsigned high = byte_at(s, 8 + j % 4) >> 2 * (j / 4) & 3u;
  return static_cast<int>(low | high << 4) - 32;
}

// Value i of block b (given as the block's bytes).
inline float q4_0(const std::byte* b, int i) { return half_at(b) * static_cast<float>(nibble_at(b + 2, i) - 8); }

inline float q4_1(const std::byte* b, int i) { return half_at(b) * static_cast<float>(nibble_at(b + 4, i)) + half_at(b + 2); }

inline float q5_0(const std::byte* b, int i) {
  const int fifth = static_cast<int>(byte_at(b, 2 + i / 8) >> i % 8 & 1u);
  return half_at(b) * static_cast<float>((nibble_at(b + 6, i) | fifth << 4) - 16);
}

inline float q5_1(const std::byte* b, int i) {
  const int fifth = static_cast<int>(byte_at(b, 4 + i / 8) >> i % 8 & 1u);
  return half_at(b) * static_cast<float>(nibble_at(b + 8, i) | fifth << 4) + half_at(b + 2);
}

inline float q8_0(const std::byte* b, int i) { return half_at(b) * static_cast<float>(signed_at(b, 2 + i)); }

// Q2_K: 16 bytes of scale | minimum << 4 (groups of 16), 64 bytes of 2-bit quants, d, dmin. Values 128 h + 32 s + l are bits 2s of byte
// 32 h + l.
inline float q2_k(const std::byte* b, int i) {
  const unsigned s = byte_at(b, i / 16);
  const unsigned q = byte_at(b, 16 + 32 * (i / 128) + i % 32) >> 2 * (i % 128 / 32) & 3u;
  const float d = half_at(b + 80), dmin = half_at(b + 82);
  return d * static_cast<float>(s & 15u) * static_cast<float>(q) - dmin * static_cast<float>(s >> 4);
}

// Q3_K: 32 bytes with the third bit (byte i % 32, bit i / 32; 0 means minus 4), 64 bytes of 2-bit quants as in Q2_K, 12 bytes of scales
// (groups of 16), d.
inline float q3_k(const std::byte* b, int i) {
  const int low = static_cast<int>(byte_at(b, 32 + 32 * (i / 128) + i % 32) >> 2 * (i % 128 / 32) & 3u);
  const int third = static_cast<int>(byte_at(b, i % 32) >> i / 32 & 1u);
  return half_at(b + 108) * static_cast<float>(scale_of_q3(b + 96, i / 16)) * static_cast<float>(low - (third ? 0 : 4));
}

// Q4_K: d, dmin, 12 bytes of scales and minimums (groups of 32), 128 bytes of nibbles: values 64 c + l low and 64 c + 32 + l high in byte
// 32 c + l.
inline float q4_k(const std::byte* b, int i) {
  const ScaleAndMinimum s = scale_and_minimum(b + 4, i / 32);
  const unsigned q = byte_at(b, 16 + 32 * (i / 64) + i % 32) >> 4 * (i % 64 / 32) & 15u;
  return half_at(b) * static_cast<float>(s.scale) * static_cast<float>(q) - half_at(b + 2) * static_cast<float>(s.minimum);
}

// Q5_K: as Q4_K, with 32 bytes of fifth bits (byte i % 32, bit i / 32) before the nibbles.
inline float q5_k(const std::byte* b, int i) {
  const ScaleAndMinimum s = scale_and_minimum(b + 4, i / 32);
  const unsigned low = byte_at(b, 48 + 32 * (i / 64) + i % 32) >> 4 * (i % 64 / 32) & 15u;
  const unsigned fifth = byte_at(b, 16 + i % 32) >> i / 32 & 1u;
  return half_at(b) * static_cast<float>(s.scale) * static_cast<float>(low | fifth << 4) - half_at(b + 2) * static_cast<float>(s.minimum);
}

// Q6_K: 128 bytes of nibbles (value 128 h + l, l < 64: low in byte 64 h + l; 64 <= l: high in byte 64 h + l - 64), 64 bytes of upper bit
// pairs (byte 32 h + l % 32, bits 2 (l / 32)), 16 signed byte scales (groups of 16), d.
inline float q6_k(const std::byte* b, int i) {
  const int h = i / 128, l = i % 128;
  const unsigned low = byte_at(b, 64 * h + l % 64) >> 4 * (l / 64) & 15u;
  const unsigned high = byte_at(b, 128 + 32 * h + l % 32) >> 2 * (l / 32) & 3u;
  return half_at(b + 208) * static_cast<float>(signed_at(b, 192 + i / 16)) * static_cast<float>(static_cast<int>(low | high << 4) - 32);
}

// MXFP4: a byte e, the scale 2^(e - 127), and nibbles of a sign, two bits of exponent and one of mantissa: 0, 0.5, 1, 1.5, 2, 3, 4, 6.
// OCP Microscaling Formats 1.0, 5.3 (where e = 255 is NaN; in GGUF it is not)
inline float mxfp4(const std::byte* b, int i) {
  const int code = nibble_at(b + 1, i), exponent = code >> 1 & 3, mantissa = code & 1;
  const int halves = exponent == 0 ? mantissa : (2 + mantissa) << (exponent - 1);
  return std::ldexp(static_cast<float>(code & 8 ? -halves : halves), static_cast<int>(byte_at(b, 0)) - 128);
}

template <class Value>
void each_value(const std::byte* row, index_t n, DType type, float* out, Value value) {
  const BlockSize block = block_size(type);
  for (index_t i = 0; i < n; ++i) out[i] = value(row + i / block.elements * block.bytes, static_cast<int>(i % block.elements));
}

}  // namespace detail

/// out[i] = value i of a row of `n` values stored as `type`; n is a multiple of the type's block. The row may lie at any address. Values of
/// F64 and I64 are rounded to the nearest float.
inline void dequantise_row(DType type, const std::byte* row, index_t n, float* out) {
  using namespace detail;
  const auto plain = [&](auto value) {
    for (index_t i = 0; i < n; ++i) out[i] = value(i);
  };
  switch (type) {
    case DType::f64: return plain([&](index_t i) { return static_cast<float>(number_at<double>(row, i)); });
    case DType::f32: return plain([&](index_t i) { return number_at<float>(row, i); });
    case DType::f16: return plain([&](index_t i) { return to_float(f16{number_at<std::uint16_t>(row, i)}); });
    case DType::bf16: return plain([&](index_t i) { return to_float(bf16{number_at<std::uint16_t>(row, i)}); });
    case DType::i8: return plain([&](index_t i) { return static_cast<float>(signed_at(row, i)); });
    case DType::i16: return plain([&](index_t i) { return static_cast<float>(number_at<std::int16_t>(row, i)); });
    case DType::i32: return plain([&](index_t i) { return static_cast<float>(number_at<std::int32_t>(row, i)); });
    case DType::i64: return plain([&](index_t i) { return static_cast<float>(number_at<std::int64_t>(row, i)); });
    case DType::u8: case DType::boolean: return plain([&](index_t i) { return static_cast<float>(byte_at(row, i)); });
    case DType::q4_0: return each_value(row, n, type, out, q4_0);
    case DType::q4_1: return each_value(row, n, type, out, q4_1);
    case DType::q5_0: return each_value(row, n, type, out, q5_0);
    case DType::q5_1: return each_value(row, n, type, out, q5_1);
    case DType::q8_0: return each_value(row, n, type, out, q8_0);
    case DType::q2_k: return each_value(row, n, type, out, q2_k);
    case DType::q3_k: return each_value(row, n, type, out, q3_k);
    case DType::q4_k: return each_value(row, n, type, out, q4_k);
    case DType::q5_k: return each_value(row, n, type, out, q5_k);
    case DType::q6_k: return each_value(row, n, type, out, q6_k);
    case DType::mxfp4: return each_value(row, n, type, out, mxfp4);
  }
}

}  // namespace hw::ref
