#pragma once
// The vocabulary (see scalar.hpp) for AVX-512 F, BW, DQ and VL: 16 lanes.

#include "headwise/kernels/targets/region.hpp"

#if HEADWISE_X86
HEADWISE_BEGIN_AVX512

inline constexpr int kLanes = 16;
inline constexpr int kUnroll = 32;  // at most as many rounds of a loop over registers become straight code
struct Vf { __m512 v; };
struct Vi { __m512i v; };
struct Vm { __mmask16 v; };

HEADWISE_HOT __mmask16 first_lanes(int n) { return static_cast<__mmask16>((1u << n) - 1u); }

HEADWISE_HOT Vf splat(float x) { return {_mm512_set1_ps(x)}; }
HEADWISE_HOT Vf zero() { return {_mm512_setzero_ps()}; }
HEADWISE_HOT Vf load(const float* p) { return {_mm512_loadu_ps(p)}; }
HEADWISE_HOT Vf load(const float* p, int n) { return {_mm512_maskz_loadu_ps(first_lanes(n), p)}; }
HEADWISE_HOT void store(float* p, Vf a) { _mm512_storeu_ps(p, a.v); }
HEADWISE_HOT void store(float* p, Vf a, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), a.v); }

HEADWISE_HOT Vf add(Vf a, Vf b) { return {_mm512_add_ps(a.v, b.v)}; }
HEADWISE_HOT Vf sub(Vf a, Vf b) { return {_mm512_sub_ps(a.v, b.v)}; }
HEADWISE_HOT Vf mul(Vf a, Vf b) { return {_mm512_mul_ps(a.v, b.v)}; }
HEADWISE_HOT Vf div(Vf a, Vf b) { return {_mm512_div_ps(a.v, b.v)}; }
HEADWISE_HOT Vf fma(Vf a, Vf b, Vf c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
HEADWISE_HOT Vf fnma(Vf a, Vf b, Vf c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
HEADWISE_HOT float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
HEADWISE_HOT Vf min(Vf a, Vf b) { return {_mm512_min_ps(a.v, b.v)}; }
HEADWISE_HOT Vf max(Vf a, Vf b) { return {_mm512_max_ps(a.v, b.v)}; }
HEADWISE_HOT Vf abs(Vf a) { return {_mm512_abs_ps(a.v)}; }
HEADWISE_HOT Vf sqrt(Vf a) { return {_mm512_sqrt_ps(a.v)}; }
HEADWISE_HOT Vf round(Vf a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }

HEADWISE_HOT Vm less(Vf a, Vf b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
HEADWISE_HOT Vm equal(Vf a, Vf b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
HEADWISE_HOT Vm is_nan(Vf a) { return {_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q)}; }
HEADWISE_HOT Vf select(Vm m, Vf yes, Vf no) { return {_mm512_mask_blend_ps(m.v, no.v, yes.v)}; }
HEADWISE_HOT bool any(Vm m) { return m.v != 0; }

HEADWISE_HOT Vm mask_of(std::uint32_t bits) { return {static_cast<__mmask16>(bits)}; }
HEADWISE_HOT Vf copy_sign(Vf a, Vf sign) {
  const __m512i minus = _mm512_set1_epi32(INT32_MIN);
  return {_mm512_castsi512_ps(_mm512_ternarylogic_epi32(minus, _mm512_castps_si512(sign.v), _mm512_castps_si512(a.v), 0xCA))};
}
HEADWISE_HOT Vf lane_numbers() { return {_mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)}; }
HEADWISE_HOT void unzip(Vf a, Vf b, Vf& even, Vf& odd) {
  const __m512i e = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  even = {_mm512_permutex2var_ps(a.v, e, b.v)};
  odd = {_mm512_permutex2var_ps(a.v, _mm512_add_epi32(e, _mm512_set1_epi32(1)), b.v)};
}
HEADWISE_HOT void zip(Vf even, Vf odd, Vf& a, Vf& b) {
  const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  a = {_mm512_permutex2var_ps(even.v, low, odd.v)};
  b = {_mm512_permutex2var_ps(even.v, _mm512_add_epi32(low, _mm512_set1_epi32(8)), odd.v)};
}

HEADWISE_HOT Vi splat_int(std::int32_t x) { return {_mm512_set1_epi32(x)}; }
HEADWISE_HOT Vf to_float(Vi a) { return {_mm512_cvtepi32_ps(a.v)}; }
HEADWISE_HOT Vi to_int(Vf a) { return {_mm512_cvtps_epi32(a.v)}; }
HEADWISE_HOT Vf scale(Vf a, Vf n) { return {_mm512_scalef_ps(a.v, n.v)}; }

HEADWISE_HOT Vi add(Vi a, Vi b) { return {_mm512_add_epi32(a.v, b.v)}; }
HEADWISE_HOT Vi sub(Vi a, Vi b) { return {_mm512_sub_epi32(a.v, b.v)}; }
HEADWISE_HOT Vi and_int(Vi a, std::int32_t bits) { return {_mm512_and_si512(a.v, _mm512_set1_epi32(bits))}; }
template <int N>
HEADWISE_HOT Vi shift_left_int(Vi a) { return {_mm512_slli_epi32(a.v, N)}; }
template <int N>
HEADWISE_HOT Vi shift_right_int(Vi a) { return {_mm512_srli_epi32(a.v, N)}; }
HEADWISE_HOT std::int32_t sum(Vi a) { return _mm512_reduce_add_epi32(a.v); }
HEADWISE_HOT Vi load_bytes_as_int(const void* p) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p)))};
}
HEADWISE_HOT void store_narrow(std::int8_t* p, Vi a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a.v));
}

HEADWISE_HOT __m256 upper_half(__m512 a) { return _mm512_extractf32x8_ps(a, 1); }
HEADWISE_HOT float sum(Vf a) {
  const __m256 y = _mm256_add_ps(_mm512_castps512_ps256(a.v), upper_half(a.v));
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}
HEADWISE_HOT float max_lane(Vf a) {
  const __m256 y = _mm256_max_ps(_mm512_castps512_ps256(a.v), upper_half(a.v));
  __m128 x = _mm_max_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
  x = _mm_max_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)));
}

HEADWISE_HOT __m256i load_16bit(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
HEADWISE_HOT __m256i load_16bit(const void* p, int n) { return _mm256_maskz_loadu_epi16(first_lanes(n), p); }
HEADWISE_HOT Vf widen_f16(__m256i bits) { return {_mm512_cvtph_ps(bits)}; }
HEADWISE_HOT Vf widen_bf16(__m256i bits) { return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))}; }
HEADWISE_HOT Vf load(const f16* p) { return widen_f16(load_16bit(p)); }
HEADWISE_HOT Vf load(const f16* p, int n) { return widen_f16(load_16bit(p, n)); }
HEADWISE_HOT Vf load(const bf16* p) { return widen_bf16(load_16bit(p)); }
HEADWISE_HOT Vf load(const bf16* p, int n) { return widen_bf16(load_16bit(p, n)); }
HEADWISE_HOT Vf load(const std::int8_t* p) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
}
HEADWISE_HOT Vf load(const std::int8_t* p, int n) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(first_lanes(n), p)))};
}
HEADWISE_HOT __m256i narrow_f16(Vf a) { return _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
HEADWISE_HOT __m256i narrow_bf16(Vf a) {  // to nearest even; a NaN keeps its upper half and becomes quiet
  const __m512i u = _mm512_castps_si512(a.v), high = _mm512_srli_epi32(u, 16);
  const __m512i odd = _mm512_and_si512(high, _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF))), 16);
  return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(rounded, is_nan(a).v, high, _mm512_set1_epi32(0x40)));
}
HEADWISE_HOT void store(f16* p, Vf a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow_f16(a)); }
HEADWISE_HOT void store(bf16* p, Vf a) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrow_bf16(a)); }
HEADWISE_HOT void store(f16* p, Vf a, int n) { _mm256_mask_storeu_epi16(p, first_lanes(n), narrow_f16(a)); }
HEADWISE_HOT void store(bf16* p, Vf a, int n) { _mm256_mask_storeu_epi16(p, first_lanes(n), narrow_bf16(a)); }
HEADWISE_HOT void prefetch(const void* p) { __builtin_prefetch(p, 0, 3); }
HEADWISE_HOT void prefetch_l2(const void* p) { __builtin_prefetch(p, 0, 2); }

#include "headwise/kernels/targets/avx512_bytes.inc.hpp"

// As on AVX2.
inline constexpr bool kLargeIsSigned = true;
template <bool Small>
HEADWISE_HOT Vi dot(Vi acc, Vb w, Vb x) {
  if constexpr (Small) {
    acc.v = _mm512_add_epi32(acc.v, _mm512_madd_epi16(_mm512_maddubs_epi16(w.v, x.v), _mm512_set1_epi16(1)));
  } else {
    const __m512i w_signed = _mm512_xor_si512(w.v, _mm512_set1_epi8(-128));
    const __m512i x_signed = _mm512_mask_sub_epi8(x.v, _mm512_movepi8_mask(w_signed), _mm512_setzero_si512(), x.v);
    const __m512i pairs = _mm512_maddubs_epi16(_mm512_abs_epi8(w_signed), x_signed);
    acc.v = _mm512_add_epi32(acc.v, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
  }
  __asm__("" : "+v"(acc.v));  // or the compiler makes one wide sum of a tile's many terms, which does not fit the registers
  return acc;
}

inline constexpr int kTileVectors = 2;
constexpr int byte_vectors(int) { return 2; }
using SmallTiles = std::integer_sequence<int, 1, 4, 8>;
using TallTiles = std::integer_sequence<int, 4, 8, 12>;
using FusedTiles = std::integer_sequence<int, 1, 4>;
using WideTiles = std::integer_sequence<int, 1, 4, 7>;
inline constexpr std::array<DType, 0> kFusedTypes{};

HEADWISE_END_TARGET
#endif
