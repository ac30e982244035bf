#pragma once
// The vocabulary of kernel bodies, on the compiler's portable vectors: no intrinsics, correct on every CPU.
//
// Every target defines these names. Vf: kLanes floats, Vi: kLanes int32, Vm: a mask of kLanes, Vb: 4 * kLanes bytes (int8.hpp).
// `n` counts leading lanes, 0 <= n <= kLanes: the others load as zero and are not stored; memory behind them is not touched.
// min, max: a < b ? a : b and a > b ? a : b, so b when either is NaN. fma may round twice here; it does not on the other targets.
// sum, max_lane: over all lanes, in an order that is fixed per target.

#include "headwise/kernels/targets/region.hpp"

HEADWISE_BEGIN_SCALAR

inline constexpr int kLanes = 4;
inline constexpr int kUnroll = 4;  // at most as many rounds of a loop over registers become straight code
typedef float FloatLanes __attribute__((vector_size(16)));
typedef std::int32_t IntLanes __attribute__((vector_size(16)));
typedef std::uint32_t UintLanes __attribute__((vector_size(16)));
struct Vf { FloatLanes v; };
struct Vi { IntLanes v; };
struct Vm { IntLanes v; };

HEADWISE_HOT Vf splat(float x) { return {FloatLanes{x, x, x, x}}; }
HEADWISE_HOT Vf zero() { return splat(0.0f); }
HEADWISE_HOT Vf load(const float* p) {
  Vf out;
  std::memcpy(&out, p, sizeof out);
  return out;
}
HEADWISE_HOT void store(float* p, Vf a) { std::memcpy(p, &a, sizeof a); }
HEADWISE_HOT Vf load(const float* p, int n) {
  Vf out = zero();
  for (int i = 0; i < n; ++i) out.v[i] = p[i];
  return out;
}
HEADWISE_HOT void store(float* p, Vf a, int n) {
  for (int i = 0; i < n; ++i) p[i] = a.v[i];
}

HEADWISE_HOT Vf add(Vf a, Vf b) { return {a.v + b.v}; }
HEADWISE_HOT Vf sub(Vf a, Vf b) { return {a.v - b.v}; }
HEADWISE_HOT Vf mul(Vf a, Vf b) { return {a.v * b.v}; }
HEADWISE_HOT Vf div(Vf a, Vf b) { return {a.v / b.v}; }
HEADWISE_HOT Vf fma(Vf a, Vf b, Vf c) { return {a.v * b.v + c.v}; }    // a b + c, not contracted in this region
HEADWISE_HOT Vf fnma(Vf a, Vf b, Vf c) { return {c.v - a.v * b.v}; }   // c - a b
HEADWISE_HOT float fma(float a, float b, float c) { return a * b + c; }
HEADWISE_HOT Vf min(Vf a, Vf b) { return {a.v < b.v ? a.v : b.v}; }
HEADWISE_HOT Vf max(Vf a, Vf b) { return {a.v > b.v ? a.v : b.v}; }
HEADWISE_HOT Vf abs(Vf a) { return std::bit_cast<Vf>(std::bit_cast<IntLanes>(a) & 0x7FFFFFFF); }
HEADWISE_HOT Vf sqrt(Vf a) {
  HEADWISE_UNROLL
  for (int i = 0; i < kLanes; ++i) a.v[i] = __builtin_sqrtf(a.v[i]);
  return a;
}
HEADWISE_HOT Vf round(Vf a) {  // to nearest even
  HEADWISE_UNROLL
  for (int i = 0; i < kLanes; ++i) a.v[i] = __builtin_nearbyintf(a.v[i]);
  return a;
}

HEADWISE_HOT Vm less(Vf a, Vf b) { return {a.v < b.v}; }
HEADWISE_HOT Vm equal(Vf a, Vf b) { return {a.v == b.v}; }
HEADWISE_HOT Vm is_nan(Vf a) { return {a.v != a.v}; }
HEADWISE_HOT Vf select(Vm m, Vf yes, Vf no) { return {m.v ? yes.v : no.v}; }
HEADWISE_HOT bool any(Vm m) { return (m.v[0] | m.v[1] | m.v[2] | m.v[3]) != 0; }

HEADWISE_HOT Vm mask_of(std::uint32_t bits) {  // lane i: bit i; higher bits are ignored
  const IntLanes lane = {1, 2, 4, 8};
  const auto all = static_cast<std::int32_t>(bits);
  return {(IntLanes{all, all, all, all} & lane) == lane};
}
HEADWISE_HOT Vf copy_sign(Vf a, Vf sign) {
  return std::bit_cast<Vf>((std::bit_cast<IntLanes>(a) & 0x7FFFFFFF) | (std::bit_cast<IntLanes>(sign) & INT32_MIN));
}
HEADWISE_HOT Vf lane_numbers() { return {FloatLanes{0, 1, 2, 3}}; }
// a and b joined, as their even and their odd lanes; and back.
HEADWISE_HOT void unzip(Vf a, Vf b, Vf& even, Vf& odd) {
  even = {FloatLanes{a.v[0], a.v[2], b.v[0], b.v[2]}};
  odd = {FloatLanes{a.v[1], a.v[3], b.v[1], b.v[3]}};
}
HEADWISE_HOT void zip(Vf even, Vf odd, Vf& a, Vf& b) {
  a = {FloatLanes{even.v[0], odd.v[0], even.v[1], odd.v[1]}};
  b = {FloatLanes{even.v[2], odd.v[2], even.v[3], odd.v[3]}};
}

HEADWISE_HOT Vi splat_int(std::int32_t x) { return {IntLanes{x, x, x, x}}; }
HEADWISE_HOT Vf to_float(Vi a) { return {__builtin_convertvector(a.v, FloatLanes)}; }
// To nearest even; the value must fit (or else the result is any number).
HEADWISE_HOT Vi to_int(Vf a) {
  Vi out;
  HEADWISE_UNROLL
  for (int i = 0; i < kLanes; ++i) {
    const float x = __builtin_nearbyintf(a.v[i]);
    out.v[i] = x >= -2147483648.0f && x < 2147483648.0f ? static_cast<std::int32_t>(x) : INT32_MIN;
  }
  return out;
}
// a 2^n for integral n; out of range: infinity or (denormals are kept or flushed, as the target can) towards zero.
// In two factors, so that results down to the denormals are right.
HEADWISE_HOT Vf scale(Vf a, Vf n) {
  n = Vf{n.v > -252.0f ? n.v : splat(-252.0f).v};
  n = Vf{n.v < 254.0f ? n.v : splat(254.0f).v};
  const IntLanes e = __builtin_convertvector(n.v, IntLanes), half = e >> 1;
  const FloatLanes first = std::bit_cast<FloatLanes>((half + 127) << 23), second = std::bit_cast<FloatLanes>((e - half + 127) << 23);
  return {a.v * first * second};
}

HEADWISE_HOT Vi add(Vi a, Vi b) { return {a.v + b.v}; }
HEADWISE_HOT Vi sub(Vi a, Vi b) { return {a.v - b.v}; }
HEADWISE_HOT Vi and_int(Vi a, std::int32_t bits) { return {a.v & bits}; }
template <int N>
HEADWISE_HOT Vi shift_left_int(Vi a) { return std::bit_cast<Vi>(std::bit_cast<UintLanes>(a.v) << N); }
template <int N>
HEADWISE_HOT Vi shift_right_int(Vi a) { return std::bit_cast<Vi>(std::bit_cast<UintLanes>(a.v) >> N); }
HEADWISE_HOT std::int32_t sum(Vi a) { return a.v[0] + a.v[1] + a.v[2] + a.v[3]; }
HEADWISE_HOT Vi load_bytes_as_int(const void* p) {
  std::uint8_t b[4];
  std::memcpy(b, p, 4);
  return {IntLanes{b[0], b[1], b[2], b[3]}};
}
HEADWISE_HOT void store_narrow(std::int8_t* p, Vi a) {  // values of int8
  for (int i = 0; i < kLanes; ++i) p[i] = static_cast<std::int8_t>(a.v[i]);
}

HEADWISE_HOT float sum(Vf a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
HEADWISE_HOT float max_lane(Vf a) {
  const float x = a.v[0] > a.v[2] ? a.v[0] : a.v[2], y = a.v[1] > a.v[3] ? a.v[1] : a.v[3];
  return x > y ? x : y;
}

HEADWISE_HOT Vf load(const f16* p, int n = kLanes) {
  Vf out = zero();
  for (int i = 0; i < n; ++i) out.v[i] = to_float(p[i]);
  return out;
}
HEADWISE_HOT Vf load(const bf16* p, int n = kLanes) {
  Vf out = zero();
  for (int i = 0; i < n; ++i) out.v[i] = to_float(p[i]);
  return out;
}
HEADWISE_HOT Vf load(const std::int8_t* p, int n = kLanes) {
  Vf out = zero();
  for (int i = 0; i < n; ++i) out.v[i] = static_cast<float>(p[i]);
  return out;
}
HEADWISE_HOT void store(f16* p, Vf a, int n = kLanes) {
  for (int i = 0; i < n; ++i) p[i] = to_f16(a.v[i]);
}
HEADWISE_HOT void store(bf16* p, Vf a, int n = kLanes) {
  for (int i = 0; i < n; ++i) p[i] = to_bf16(a.v[i]);
}
HEADWISE_HOT void prefetch(const void* p) { __builtin_prefetch(p, 0, 3); }      // into L1
HEADWISE_HOT void prefetch_l2(const void* p) { __builtin_prefetch(p, 0, 2); }

// Bytes: 4 * kLanes of them, one quad for each lane.
typedef std::uint8_t ByteLanes __attribute__((vector_size(16)));
typedef std::uint16_t HalfLanes __attribute__((vector_size(16)));
typedef std::int16_t ShortLanes __attribute__((vector_size(16)));
struct Vb { ByteLanes v; };
HEADWISE_HOT Vb load_bytes(const void* p) {
  Vb out;
  std::memcpy(&out, p, sizeof out);
  return out;
}
HEADWISE_HOT void store_bytes(void* p, Vb a) { std::memcpy(p, &a, sizeof a); }
HEADWISE_HOT Vb and_byte(Vb a, int bits) { return {a.v & static_cast<std::uint8_t>(bits)}; }
HEADWISE_HOT Vb add_byte(Vb a, int x) { return {a.v + static_cast<std::uint8_t>(x)}; }
HEADWISE_HOT Vb or_bytes(Vb a, Vb b) { return {a.v | b.v}; }
// Shifts pairs of bytes left by N, right by -N: the bits that cross a byte's edge are for the caller to mask.
template <int N>
HEADWISE_HOT Vb shift_bits(Vb a) {
  const HalfLanes x = std::bit_cast<HalfLanes>(a);
  if constexpr (N >= 0)
    return std::bit_cast<Vb>(x << N);
  else
    return std::bit_cast<Vb>(x >> -N);
}
HEADWISE_HOT Vb look_up(const std::uint8_t* table, Vb nibbles) {  // table[nibble], 16 entries at a multiple of 16 bytes
  for (int i = 0; i < 4 * kLanes; ++i) nibbles.v[i] = table[nibbles.v[i]];
  return nibbles;
}
HEADWISE_HOT Vb splat_quad(const void* p) {  // 4 bytes to every lane
  std::int32_t x;
  std::memcpy(&x, p, 4);
  return std::bit_cast<Vb>(IntLanes{x, x, x, x});
}
// acc + the sum of the four products of each lane: unsigned w, signed x. Small: every w < 64. If not Small and kLargeIsSigned, w stands
// for w - 128.
inline constexpr bool kLargeIsSigned = false;
template <bool Small>
HEADWISE_HOT Vi dot(Vi acc, Vb w, Vb x) {  // products fit 16 bits: 255 * 127
  const ShortLanes w_pairs = std::bit_cast<ShortLanes>(w), x_pairs = std::bit_cast<ShortLanes>(x);
  const IntLanes even = std::bit_cast<IntLanes>((w_pairs & 255) * (x_pairs << 8 >> 8));
  const IntLanes odd = std::bit_cast<IntLanes>((w_pairs >> 8 & 255) * (x_pairs >> 8));
  return {acc.v + (even << 16 >> 16) + (even >> 16) + (odd << 16 >> 16) + (odd >> 16)};
}

// Shapes of tiles: registers of outputs, and the numbers of rows that they are compiled for (matmul_*.inc.hpp).
inline constexpr int kTileVectors = 2;
constexpr int byte_vectors(int) { return 2; }
using SmallTiles = std::integer_sequence<int, 1>;
using TallTiles = std::integer_sequence<int, 4>;
using FusedTiles = std::integer_sequence<int, 1>;
using WideTiles = std::integer_sequence<int, 1>;
inline constexpr std::array<DType, 0> kFusedTypes{};

HEADWISE_END_SCALAR
