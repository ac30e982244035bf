// Loops that do nothing but multiply and add, or read; included once for each target.

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

// The sum of n floats, n a multiple of 128.
HEADWISE_KERNEL float read_loop(const float* p, index_t n) {
  Vf acc[4] = {zero(), zero(), zero(), zero()};
  for (index_t i = 0; i < n; i += 4 * kLanes)
    HEADWISE_UNROLL
    for (int j = 0; j < 4; ++j) acc[j] = add(acc[j], load(p + i + j * kLanes));
  return sum(add(add(acc[0], acc[1]), add(acc[2], acc[3])));
}
