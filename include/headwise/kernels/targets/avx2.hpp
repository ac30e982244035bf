#pragma once
// The vocabulary (see scalar.hpp) for AVX2, FMA and F16C: 8 lanes.

#include "headwise/kernels/targets/region.hpp"

#if HEADWISE_X86
HEADWISE_BEGIN_AVX2

inline constexpr int kLanes = 8;
inline constexpr int kUnroll = 32;  // at most as many rounds of a loop over registers become straight code
struct Vf { __m256 v; };
struct Vi { __m256i v; };
struct Vm { __m256 v; };

alignas(64) inline constexpr std::int32_t kFirstLanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
HEADWISE_HOT __m256i first_lanes(int n) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kFirstLanes + 8 - n)); }

HEADWISE_HOT Vf splat(float x) { return {_mm256_set1_ps(x)}; }
HEADWISE_HOT Vf zero() { return {_mm256_setzero_ps()}; }
HEADWISE_HOT Vf load(const float* p) { return {_mm256_loadu_ps(p)}; }
HEADWISE_HOT Vf load(const float* p, int n) { return {_mm256_maskload_ps(p, first_lanes(n))}; }
HEADWISE_HOT void store(float* p, Vf a) { _mm256_storeu_ps(p, a.v); }
HEADWISE_HOT void store(float* p, Vf a, int n) { _mm256_maskstore_ps(p, first_lanes(n), a.v); }

HEADWISE_HOT Vf add(Vf a, Vf b) { return {_mm256_add_ps(a.v, b.v)}; }
HEADWISE_HOT Vf sub(Vf a, Vf b) { return {_mm256_sub_ps(a.v, b.v)}; }
HEADWISE_HOT Vf mul(Vf a, Vf b) { return {_mm256_mul_ps(a.v, b.v)}; }
HEADWISE_HOT Vf div(Vf a, Vf b) { return {_mm256_div_ps(a.v, b.v)}; }
HEADWISE_HOT Vf fma(Vf a, Vf b, Vf c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
HEADWISE_HOT Vf fnma(Vf a, Vf b, Vf c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
HEADWISE_HOT float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
HEADWISE_HOT Vf min(Vf a, Vf b) { return {_mm256_min_ps(a.v, b.v)}; }
HEADWISE_HOT Vf max(Vf a, Vf b) { return {_mm256_max_ps(a.v, b.v)}; }
HEADWISE_HOT Vf abs(Vf a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
HEADWISE_HOT Vf sqrt(Vf a) { return {_mm256_sqrt_ps(a.v)}; }
HEADWISE_HOT Vf round(Vf a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }

HEADWISE_HOT Vm less(Vf a, Vf b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
HEADWISE_HOT Vm equal(Vf a, Vf b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
HEADWISE_HOT Vm is_nan(Vf a) { return {_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q)}; }
HEADWISE_HOT Vf select(Vm m, Vf yes, Vf no) { return {_mm256_blendv_ps(no.v, yes.v, m.v)}; }
HEADWISE_HOT bool any(Vm m) { return _mm256_movemask_ps(m.v) != 0; }

HEADWISE_HOT Vm mask_of(std::uint32_t bits) {
  const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<std::int32_t>(bits)), lane), lane))};
}
HEADWISE_HOT Vf copy_sign(Vf a, Vf sign) {
  const __m256 minus = _mm256_set1_ps(-0.0f);
  return {_mm256_or_ps(_mm256_and_ps(minus, sign.v), _mm256_andnot_ps(minus, a.v))};
}
HEADWISE_HOT Vf lane_numbers() { return {_mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7)}; }
HEADWISE_HOT Vf middle_swapped(__m256 a) { return {_mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(a), 0xD8))}; }
HEADWISE_HOT void unzip(Vf a, Vf b, Vf& even, Vf& odd) {
  even = middle_swapped(_mm256_shuffle_ps(a.v, b.v, 0x88));
  odd = middle_swapped(_mm256_shuffle_ps(a.v, b.v, 0xDD));
}
HEADWISE_HOT void zip(Vf even, Vf odd, Vf& a, Vf& b) {
  const __m256 low = _mm256_unpacklo_ps(even.v, odd.v), high = _mm256_unpackhi_ps(even.v, odd.v);
  a = {_mm256_permute2f128_ps(low, high, 0x20)};
  b = {_mm256_permute2f128_ps(low, high, 0x31)};
}

HEADWISE_HOT Vi splat_int(std::int32_t x) { return {_mm256_set1_epi32(x)}; }
HEADWISE_HOT Vf to_float(Vi a) { return {_mm256_cvtepi32_ps(a.v)}; }
HEADWISE_HOT Vi to_int(Vf a) { return {_mm256_cvtps_epi32(a.v)}; }
// In two factors, so that results down to the denormals are right.
HEADWISE_HOT Vf scale(Vf a, Vf n) {
  const __m256 m = _mm256_min_ps(_mm256_max_ps(n.v, _mm256_set1_ps(-252.0f)), _mm256_set1_ps(254.0f));
  const __m256i e = _mm256_cvtps_epi32(m), half = _mm256_srai_epi32(e, 1), bias = _mm256_set1_epi32(127);
  const __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i second = _mm256_slli_epi32(_mm256_add_epi32(_mm256_sub_epi32(e, half), bias), 23);
  return {_mm256_mul_ps(_mm256_mul_ps(a.v, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second))};
}

HEADWISE_HOT Vi add(Vi a, Vi b) { return {_mm256_add_epi32(a.v, b.v)}; }
HEADWISE_HOT Vi sub(Vi a, Vi b) { return {_mm256_sub_epi32(a.v, b.v)}; }
HEADWISE_HOT Vi and_int(Vi a, std::int32_t bits) { return {_mm256_and_si256(a.v, _mm256_set1_epi32(bits))}; }
template <int N>
HEADWISE_HOT Vi shift_left_int(Vi a) { return {_mm256_slli_epi32(a.v, N)}; }
template <int N>
HEADWISE_HOT Vi shift_right_int(Vi a) { return {_mm256_srli_epi32(a.v, N)}; }
HEADWISE_HOT std::int32_t sum(Vi a) {
  __m128i x = _mm_add_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
  x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(x, _mm_shuffle_epi32(x, 0xB1)));
}
HEADWISE_HOT Vi load_bytes_as_int(const void* p) {
  return {_mm256_cvtepu8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p)))};
}
HEADWISE_HOT void store_narrow(std::int8_t* p, Vi a) {
  const __m128i x = _mm_packs_epi32(_mm256_castsi256_si128(a.v), _mm256_extracti128_si256(a.v, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(x, x));
}

HEADWISE_HOT float sum(Vf a) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
HEADWISE_HOT float max_lane(Vf a) {
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}

HEADWISE_HOT __m128i load_16bit(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
HEADWISE_HOT __m128i load_16bit(const void* p, int n) {
  __m128i out = _mm_setzero_si128();
  std::memcpy(&out, p, static_cast<std::size_t>(n) * 2);
  return out;
}
HEADWISE_HOT Vf widen_f16(__m128i bits) { return {_mm256_cvtph_ps(bits)}; }
HEADWISE_HOT Vf widen_bf16(__m128i bits) { return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16))}; }
HEADWISE_HOT Vf load(const f16* p) { return widen_f16(load_16bit(p)); }
HEADWISE_HOT Vf load(const f16* p, int n) { return widen_f16(load_16bit(p, n)); }
HEADWISE_HOT Vf load(const bf16* p) { return widen_bf16(load_16bit(p)); }
HEADWISE_HOT Vf load(const bf16* p, int n) { return widen_bf16(load_16bit(p, n)); }
HEADWISE_HOT Vf load(const std::int8_t* p) {
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))))};
}
HEADWISE_HOT Vf load(const std::int8_t* p, int n) {
  std::int8_t copy[8] = {};
  std::memcpy(copy, p, static_cast<std::size_t>(n));
  return load(copy);
}
HEADWISE_HOT __m128i narrow_f16(Vf a) { return _mm256_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
HEADWISE_HOT __m128i narrow_bf16(Vf a) {  // to nearest even; a NaN keeps its upper half and becomes quiet
  const __m256i u = _mm256_castps_si256(a.v), high = _mm256_srli_epi32(u, 16);
  const __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF))), 16);
  const __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
  const __m256i x = _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(is_nan(a).v));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(x, x), 0x08);
  return _mm256_castsi256_si128(packed);
}
HEADWISE_HOT void store(f16* p, Vf a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), narrow_f16(a)); }
HEADWISE_HOT void store(bf16* p, Vf a) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), narrow_bf16(a)); }
HEADWISE_HOT void store(f16* p, Vf a, int n) {
  const __m128i x = narrow_f16(a);
  std::memcpy(p, &x, static_cast<std::size_t>(n) * 2);
}
HEADWISE_HOT void store(bf16* p, Vf a, int n) {
  const __m128i x = narrow_bf16(a);
  std::memcpy(p, &x, static_cast<std::size_t>(n) * 2);
}
HEADWISE_HOT void prefetch(const void* p) { __builtin_prefetch(p, 0, 3); }
HEADWISE_HOT void prefetch_l2(const void* p) { __builtin_prefetch(p, 0, 2); }

struct Vb { __m256i v; };
HEADWISE_HOT Vb load_bytes(const void* p) { return {_mm256_loadu_si256(static_cast<const __m256i*>(p))}; }
HEADWISE_HOT void store_bytes(void* p, Vb a) { _mm256_storeu_si256(static_cast<__m256i*>(p), a.v); }
HEADWISE_HOT Vb and_byte(Vb a, int bits) { return {_mm256_and_si256(a.v, _mm256_set1_epi8(static_cast<char>(bits)))}; }
HEADWISE_HOT Vb add_byte(Vb a, int x) { return {_mm256_add_epi8(a.v, _mm256_set1_epi8(static_cast<char>(x)))}; }
HEADWISE_HOT Vb or_bytes(Vb a, Vb b) { return {_mm256_or_si256(a.v, b.v)}; }
template <int N>
HEADWISE_HOT Vb shift_bits(Vb a) {
  if constexpr (N >= 0)
    return {_mm256_slli_epi16(a.v, N)};
  else
    return {_mm256_srli_epi16(a.v, -N)};
}
HEADWISE_HOT Vb look_up(const std::uint8_t* table, Vb nibbles) {
  return {_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table))), nibbles.v)};
}
HEADWISE_HOT Vb splat_quad(const void* p) {
  std::int32_t x;
  std::memcpy(&x, p, 4);
  return {_mm256_set1_epi32(x)};
}
// maddubs adds two products in int16, which large weights would overflow: those are read as w - 128.
inline constexpr bool kLargeIsSigned = true;
template <bool Small>
HEADWISE_HOT Vi dot(Vi acc, Vb w, Vb x) {
  if constexpr (Small) {
    acc.v = _mm256_add_epi32(acc.v, _mm256_madd_epi16(_mm256_maddubs_epi16(w.v, x.v), _mm256_set1_epi16(1)));
  } else {  // |w - 128| by x with the sign of w - 128: sums of two stay below 2^15
    const __m256i w_signed = _mm256_xor_si256(w.v, _mm256_set1_epi8(-128));
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w_signed), _mm256_sign_epi8(x.v, w_signed));
    acc.v = _mm256_add_epi32(acc.v, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  __asm__("" : "+x"(acc.v));  // or the compiler makes one wide sum of a tile's many terms, which does not fit the registers
  return acc;
}

inline constexpr int kTileVectors = 2;
constexpr int byte_vectors(int rows) { return rows == 1 ? 4 : rows == 2 ? 2 : 1; }
using SmallTiles = std::integer_sequence<int, 1, 4>;
using TallTiles = std::integer_sequence<int, 4, 6>;
using FusedTiles = std::integer_sequence<int, 1, 2>;
using WideTiles = std::integer_sequence<int, 1, 2, 6>;
inline constexpr std::array<DType, 3> kFusedTypes{DType::q4_0, DType::q4_1, DType::mxfp4};

HEADWISE_END_TARGET
#endif
