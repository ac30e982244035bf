// Bytes (see scalar.hpp) for the AVX-512 targets; each of them has its own Vb, so that its own dot() is found.

struct Vb { __m512i v; };
HEADWISE_HOT Vb load_bytes(const void* p) { return {_mm512_loadu_si512(p)}; }
HEADWISE_HOT void store_bytes(void* p, Vb a) { _mm512_storeu_si512(p, a.v); }
HEADWISE_HOT Vb and_byte(Vb a, int bits) { return {_mm512_and_si512(a.v, _mm512_set1_epi8(static_cast<char>(bits)))}; }
HEADWISE_HOT Vb add_byte(Vb a, int x) { return {_mm512_add_epi8(a.v, _mm512_set1_epi8(static_cast<char>(x)))}; }
HEADWISE_HOT Vb or_bytes(Vb a, Vb b) { return {_mm512_or_si512(a.v, b.v)}; }
template <int N>
HEADWISE_HOT Vb shift_bits(Vb a) {
  if constexpr (N >= 0)
    return {_mm512_slli_epi16(a.v, N)};
  else
    return {_mm512_srli_epi16(a.v, -N)};
}
HEADWISE_HOT Vb look_up(const std::uint8_t* table, Vb nibbles) {
  return {_mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(table))), nibbles.v)};
}
HEADWISE_HOT Vb splat_quad(const void* p) {
  std::int32_t x;
  std::memcpy(&x, p, 4);
  return {_mm512_set1_epi32(x)};
}
