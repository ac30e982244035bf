// Loops that do nothing but multiply and add in registers; included once for each target.

inline constexpr int kPeakChains = 12;

HEADWISE_KERNEL float multiply_add_loop(long rounds, float seed) {
  Vf acc[kPeakChains];
  HEADWISE_UNROLL
  for (int i = 0; i < kPeakChains; ++i) acc[i] = splat(seed + static_cast<float>(i));
  const Vf a = splat(0.5f), b = splat(0.25f);
  for (long r = 0; r < rounds; ++r)
    HEADWISE_UNROLL
    for (int i = 0; i < kPeakChains; ++i) acc[i] = fma(acc[i], a, b);
  float out = 0;
  HEADWISE_UNROLL
  for (int i = 0; i < kPeakChains; ++i) out += sum(acc[i]);
  return out;
}

HEADWISE_KERNEL int dot_loop(long rounds, int seed) {
  Vi acc[kPeakChains];
  HEADWISE_UNROLL
  for (int i = 0; i < kPeakChains; ++i) acc[i] = splat_int(seed + i);
  const std::int32_t bits = seed | 0x01020304;
  const Vb a = splat_quad(&bits);
  for (long r = 0; r < rounds; ++r)
    HEADWISE_UNROLL
    for (int i = 0; i < kPeakChains; ++i) acc[i] = dot<true>(acc[i], a, a);
  int out = 0;
  HEADWISE_UNROLL
  for (int i = 0; i < kPeakChains; ++i) out ^= sum(acc[i]);
  return out;
}
