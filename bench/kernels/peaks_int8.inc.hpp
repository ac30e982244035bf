// A loop of int8 dot products in registers; included once for each target, VNNI among them.

HEADWISE_KERNEL int dot_loop(long rounds, int seed) {
  Vi acc[kPeakChains];
  HEADWISE_UNROLL
  for (int i = 0; i < kPeakChains; ++i) acc[i] = splat_int(seed + i);
  const std::int32_t bits = seed | 0x01020304;
  Vb a = splat_quad(&bits);
  for (long r = 0; r < rounds; ++r)
    HEADWISE_UNROLL
    for (int i = 0; i < kPeakChains; ++i) {
#if HEADWISE_X86
      __asm__("" : "+x"(a.v));  // for all that the compiler knows, not the same as before
#endif
      acc[i] = dot<true>(acc[i], a, a);
    }
  int out = 0;
  HEADWISE_UNROLL
  for (int i = 0; i < kPeakChains; ++i) out ^= sum(acc[i]);
  return out;
}
