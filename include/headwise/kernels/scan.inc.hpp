// Bodies of the scan kernels; included once for each target (targets/region.hpp).

// n leading lanes, all of them where `Whole`.
template <bool Whole>
HEADWISE_HOT Vf load_lanes(const float* p, int n) {
  if constexpr (Whole) return load(p);
  return load(p, n);
}
template <bool Whole>
HEADWISE_HOT void store_lanes(float* p, Vf a, int n) {
  if constexpr (Whole) return store(p, a);
  store(p, a, n);
}

// What the state's vector at (key, column) is multiplied with for token t.
template <Decay D, bool Whole>
HEADWISE_HOT Vf decayed(const Scan& s, Vf state, index_t t, index_t key, index_t column, int n) {
  if constexpr (D == Decay::none) return state;
  const float* const d = s.decay + t * s.decay_stride;
  if constexpr (D == Decay::token) return mul(state, splat(*d));
  if constexpr (D == Decay::key) return mul(state, splat(d[key]));
  if constexpr (D == Decay::value) return mul(state, load_lanes<Whole>(d + column, n));
  return mul(state, exp(mul(load_lanes<Whole>(d + column, n), load_lanes<Whole>(s.rates + key * s.state_stride + column, n))));
}

// Keys keys of one vector of columns over all tokens, in registers. What earlier keys added to the outputs is there already.
template <Decay D, int Keys, bool Whole>
HEADWISE_HOT void scan_tile(const Scan& s, index_t key, index_t column, int n) {
  Vf state[Keys];
  HEADWISE_UNROLL
  for (int i = 0; i < Keys; ++i) state[i] = load_lanes<Whole>(s.from + (key + i) * s.state_stride + column, n);
  for (index_t t = 0; t < s.tokens; ++t) {
    const Vf v = load_lanes<Whole>(s.v + t * s.v_stride + column, n);
    const float *const k = s.k + t * s.k_stride + key, *const q = s.q + t * s.q_stride + key;
    float* const out = s.out + t * s.out_stride + column;
    Vf sum = key > 0 ? load_lanes<Whole>(out, n) : zero();
    HEADWISE_UNROLL
    for (int i = 0; i < Keys; ++i) {
      state[i] = fma(splat(k[i]), v, decayed<D, Whole>(s, state[i], t, key + i, column, n));
      sum = fma(splat(q[i]), state[i], sum);
    }
    store_lanes<Whole>(out, sum, n);
  }
  HEADWISE_UNROLL
  for (int i = 0; i < Keys; ++i) store_lanes<Whole>(s.to + (key + i) * s.state_stride + column, state[i], n);
}

// The delta rule of one vector of columns: what the state answers to k is needed before it changes, so all keys go through a token
// together.
template <Decay D, bool Whole>
HEADWISE_HOT void scan_delta(const Scan& s, index_t column, int n) {
  for (index_t key = 0; key < s.keys; ++key)
    store_lanes<Whole>(s.to + key * s.state_stride + column, load_lanes<Whole>(s.from + key * s.state_stride + column, n), n);
  for (index_t t = 0; t < s.tokens; ++t) {
    const float *const k = s.k + t * s.k_stride, *const q = s.q + t * s.q_stride;
    Vf answer = zero(), sum = zero();
    for (index_t key = 0; key < s.keys; ++key) {
      float* const p = s.to + key * s.state_stride + column;
      const Vf state = decayed<D, Whole>(s, load_lanes<Whole>(p, n), t, key, column, n);
      answer = fma(splat(k[key]), state, answer);
      store_lanes<Whole>(p, state, n);
    }
    const Vf v = mul(splat(s.beta[t * s.beta_stride]), sub(load_lanes<Whole>(s.v + t * s.v_stride + column, n), answer));
    for (index_t key = 0; key < s.keys; ++key) {
      float* const p = s.to + key * s.state_stride + column;
      const Vf state = fma(splat(k[key]), v, load_lanes<Whole>(p, n));
      sum = fma(splat(q[key]), state, sum);
      store_lanes<Whole>(p, state, n);
    }
    store_lanes<Whole>(s.out + t * s.out_stride + column, sum, n);
  }
}

template <Decay D, bool Whole>
HEADWISE_HOT void scan_column(const Scan& s, index_t column, int n) {
  if (s.beta != nullptr) return scan_delta<D, Whole>(s, column, n);
  index_t key = 0;
  for (; key + 8 <= s.keys; key += 8) scan_tile<D, 8, Whole>(s, key, column, n);
  for (; key < s.keys; ++key) scan_tile<D, 1, Whole>(s, key, column, n);
}

template <Decay D>
HEADWISE_HOT void scan_columns(const Scan& s) {
  index_t column = 0;
  for (; column + kLanes <= s.values; column += kLanes) scan_column<D, true>(s, column, kLanes);
  if (column < s.values) scan_column<D, false>(s, column, static_cast<int>(s.values - column));
}

HEADWISE_KERNEL void scan(const Scan& s) {
  switch (s.kind) {
    case Decay::none: return scan_columns<Decay::none>(s);
    case Decay::token: return scan_columns<Decay::token>(s);
    case Decay::key: return scan_columns<Decay::key>(s);
    case Decay::value: return scan_columns<Decay::value>(s);
    case Decay::cell: return scan_columns<Decay::cell>(s);
  }
}

HEADWISE_KERNEL void convolve(const CausalConvolution& c) {
  for (index_t t = c.first; t < c.last; ++t)
    for (index_t column = 0; column < c.channels; column += kLanes) {
      const int n = static_cast<int>(c.channels - column < kLanes ? c.channels - column : kLanes);
      Vf sum = c.bias == nullptr ? zero() : load(c.bias + column, n);
      for (index_t j = 0; j < c.taps; ++j) {
        const index_t row = t + j - (c.taps - 1);
        const float* const x = row < 0 ? c.tail + (row + c.taps - 1) * c.channels : c.x + row * c.x_stride;
        sum = fma(load(c.weight + j * c.channels + column, n), load(x + column, n), sum);
      }
      store(c.y + t * c.y_stride + column, sum, n);
    }
}

inline constexpr ScanKernels kScan{.scan = scan, .convolve = convolve};
