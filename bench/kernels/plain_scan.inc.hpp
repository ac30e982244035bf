// One token of one head as a vectorised loop over the head's whole matrix, which is in s.to; included once for each target. Sums stay in
// registers, four vectors of columns at a time.

HEADWISE_KERNEL void plain_scan_step(const Scan& s, index_t t) {
  constexpr int kVectors = 4;
  const float *const k = s.k + t * s.k_stride, *const q = s.q + t * s.q_stride, *const d = s.decay + t * s.decay_stride;
  for (index_t column = 0; column < s.values; column += kVectors * kLanes) {
    float* const state = s.to + column;
    Vf v[kVectors], sum[kVectors];
    HEADWISE_UNROLL
    for (int j = 0; j < kVectors; ++j) v[j] = load(s.v + t * s.v_stride + column + j * kLanes), sum[j] = zero();
    if (s.beta != nullptr) {
      for (index_t i = 0; i < s.keys; ++i) {
        const Vf factor = splat(s.kind == Decay::token ? d[0] : d[i]), key = splat(k[i]);
        HEADWISE_UNROLL
        for (int j = 0; j < kVectors; ++j) {
          float* const p = state + i * s.state_stride + j * kLanes;
          const Vf x = mul(load(p), factor);
          sum[j] = fma(key, x, sum[j]);
          store(p, x);
        }
      }
      HEADWISE_UNROLL
      for (int j = 0; j < kVectors; ++j) v[j] = mul(splat(s.beta[t * s.beta_stride]), sub(v[j], sum[j])), sum[j] = zero();
    }
    for (index_t i = 0; i < s.keys; ++i) {
      const Vf factor = splat(s.beta != nullptr ? 1.0f : s.kind == Decay::token ? d[0] : d[i]), key = splat(k[i]), query = splat(q[i]);
      HEADWISE_UNROLL
      for (int j = 0; j < kVectors; ++j) {
        float* const p = state + i * s.state_stride + j * kLanes;
        const Vf x = fma(key, v[j], mul(load(p), factor));
        sum[j] = fma(query, x, sum[j]);
        store(p, x);
      }
    }
    HEADWISE_UNROLL
    for (int j = 0; j < kVectors; ++j) store(s.out + t * s.out_stride + column + j * kLanes, sum[j]);
  }
}
