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

// What a vector of the state is multiplied with for a token: d points at the token's factors, `key` and `column` say which of them.
template <Decay D, bool Whole>
HEADWISE_HOT Vf decayed(const Scan& s, Vf state, const float* d, index_t key, index_t column, int n) {
  if constexpr (D == Decay::none) return state;
  if constexpr (D == Decay::token) return mul(state, splat(*d));
  if constexpr (D == Decay::key) return mul(state, splat(d[key]));
  if constexpr (D == Decay::value) return mul(state, load_lanes<Whole>(d + column, n));
  return mul(state, exp(mul(load_lanes<Whole>(d + column, n), load_lanes<Whole>(s.rates + key * s.state_stride + column, n))));
}

// One token for V vectors of columns, all keys: for few tokens, whose cost is to read and to write the state.
template <Decay D, int V, bool Whole>
HEADWISE_HOT void scan_token(const Scan& s, index_t t, index_t column, int n) {
  const float *const k = s.k + t * s.k_stride, *const q = s.q + t * s.q_stride, *const d = s.decay + t * s.decay_stride;
  const float* const from = t == 0 ? s.from : s.to;
  Vf v[V], sum[V];
  HEADWISE_UNROLL
  for (int j = 0; j < V; ++j) {
    v[j] = load_lanes<Whole>(s.v + t * s.v_stride + column + j * kLanes, n);
    sum[j] = zero();
  }
  for (index_t key = 0; key < s.keys; ++key) HEADWISE_UNROLL
  for (int j = 0; j < V; ++j) {
    const index_t at = key * s.state_stride + column + j * kLanes;
    const Vf state = fma(splat(k[key]), v[j], decayed<D, Whole>(s, load_lanes<Whole>(from + at, n), d, key, column + j * kLanes, n));
    sum[j] = fma(splat(q[key]), state, sum[j]);
    store_lanes<Whole>(s.to + at, state, n);
  }
  HEADWISE_UNROLL
  for (int j = 0; j < V; ++j) store_lanes<Whole>(s.out + t * s.out_stride + column + j * kLanes, sum[j], n);
}

inline constexpr index_t kFewTokens = 3;
inline constexpr index_t kScanTokens = 16, kScanKeys = 128;               // at a time
inline constexpr int kScanVectors = kLanes == 16 ? 4 : 2, kScanTile = 4;  // a tile's registers

// Some tokens' rows for some keys and columns, next to one another: rows of all heads lie so far apart that few of them fit a cache's set.
struct ScanRows {
  float q[kScanTokens * kScanKeys], k[kScanTokens * kScanKeys], decay[kScanTokens * kScanKeys];
  float v[kScanTokens * kScanVectors * kLanes], out[kScanTokens * kScanVectors * kLanes];
};

struct ScanChunk {
  index_t first, tokens, key, keys;  // of the call
};

// A row for each token of a chunk.
struct ScanPart {
  const float* at;
  index_t stride;
};
struct ScanKeys {
  ScanPart q, k, decay;
};

// Rows that are near to one another stay where they are.
HEADWISE_HOT ScanPart gather_rows(const float* from, index_t stride, ScanChunk c, float* to) {
  from += c.first * stride + c.key;
  if (stride <= 2 * kScanKeys) return {from, stride};
  for (index_t t = 0; t < c.tokens; ++t, from += stride) {
    float* const row = to + t * kScanKeys;
    index_t i = 0;
    for (; i + 4 * kLanes <= c.keys; i += 4 * kLanes) HEADWISE_UNROLL
    for (int j = 0; j < 4; ++j) store(row + i + j * kLanes, load(from + i + j * kLanes));
    for (; i < c.keys; ++i) row[i] = from[i];
  }
  return {to, kScanKeys};
}

template <Decay D>
HEADWISE_KERNEL ScanKeys gather_keys(Scan s, ScanChunk c, ScanRows& rows) {
  ScanKeys out{gather_rows(s.q, s.q_stride, c, rows.q),
               gather_rows(s.k, s.k_stride, c, rows.k),
               {s.decay + c.first * s.decay_stride, s.decay_stride}};
  if constexpr (D == Decay::key) {
    out.decay = gather_rows(s.decay, s.decay_stride, c, rows.decay);
    out.decay.at -= c.key;
  }
  return out;
}

// The n-th line of what the next chunk reads and writes for a token. Each row is in a page of its own, where no hardware looks ahead; the
// lines are asked for one by one while this chunk computes, as more at once would stop it.
template <Decay D>
HEADWISE_HOT ScanPart line_ahead(const Scan& s, ScanChunk c, index_t n, const float* none) {
  const index_t keys = (c.keys + 15) / 16, values = (s.values + 15) / 16, next = c.first + c.tokens;
  if (c.key > 0 || next + c.tokens > s.tokens) return {none, 0};
  if (n < keys) return {s.q + next * s.q_stride + n * 16, s.q_stride};
  n -= keys;
  if (n < keys) return {s.k + next * s.k_stride + n * 16, s.k_stride};
  n -= keys;
  if constexpr (D == Decay::key) {
    if (n < keys) return {s.decay + next * s.decay_stride + n * 16, s.decay_stride};
    n -= keys;
  }
  if (n < values) return {s.v + next * s.v_stride + n * 16, s.v_stride};
  n -= values;
  if (n < values) return {s.out + next * s.out_stride + n * 16, s.out_stride};
  return {none, 0};
}

// Keys keys of V vectors of columns over the chunk's tokens, in registers. What earlier keys added to the outputs is there already.
template <Decay D, int Keys, int V, bool Whole>
HEADWISE_HOT void scan_tile(const Scan& s, ScanChunk c, const ScanKeys& in, ScanRows& rows, index_t key, index_t column, int n,
                            ScanPart ahead) {
  const float* const from = c.first == 0 ? s.from : s.to;
  Vf state[Keys][V];
  HEADWISE_UNROLL
  for (int i = 0; i < Keys; ++i) HEADWISE_UNROLL
  for (int j = 0; j < V; ++j) state[i][j] = load_lanes<Whole>(from + (c.key + key + i) * s.state_stride + column + j * kLanes, n);
  const float *k = in.k.at + key, *q = in.q.at + key, *d = in.decay.at;
  float *v = rows.v, *out = rows.out;
  for (index_t t = 0; t < c.tokens; ++t) {
    prefetch_l2(ahead.at);
    Vf sum[V];
    HEADWISE_UNROLL
    for (int j = 0; j < V; ++j) sum[j] = load(out + j * kLanes);
    HEADWISE_UNROLL
    for (int i = 0; i < Keys; ++i) HEADWISE_UNROLL
    for (int j = 0; j < V; ++j) {
      state[i][j] = fma(splat(k[i]), load(v + j * kLanes), decayed<D, Whole>(s, state[i][j], d, c.key + key + i, column + j * kLanes, n));
      sum[j] = fma(splat(q[i]), state[i][j], sum[j]);
    }
    HEADWISE_UNROLL
    for (int j = 0; j < V; ++j) store(out + j * kLanes, sum[j]);
    k += in.k.stride, q += in.q.stride, d += in.decay.stride, ahead.at += ahead.stride;
    v += kScanVectors * kLanes, out += kScanVectors * kLanes;
  }
  HEADWISE_UNROLL
  for (int i = 0; i < Keys; ++i) HEADWISE_UNROLL
  for (int j = 0; j < V; ++j) store_lanes<Whole>(s.to + (c.key + key + i) * s.state_stride + column + j * kLanes, state[i][j], n);
}

// The chunk's keys for V vectors of columns.
template <Decay D, int V, bool Whole>
HEADWISE_HOT void scan_chunk(const Scan& s, ScanChunk c, const ScanKeys& in, ScanRows& rows, index_t column, int n) {
  for (index_t t = 0; t < c.tokens; ++t) HEADWISE_UNROLL
  for (int j = 0; j < V; ++j) {
    const index_t at = column + j * kLanes, to = (t * kScanVectors + j) * kLanes;
    store(rows.v + to, load_lanes<Whole>(s.v + (c.first + t) * s.v_stride + at, n));
    store(rows.out + to, c.key > 0 ? load_lanes<Whole>(s.out + (c.first + t) * s.out_stride + at, n) : zero());
  }
  index_t key = 0, line = column / (V * kLanes) * (c.keys / kScanTile);
  for (; key + kScanTile <= c.keys; key += kScanTile)
    scan_tile<D, kScanTile, V, Whole>(s, c, in, rows, key, column, n, line_ahead<D>(s, c, line++, rows.q));
  for (; key < c.keys; ++key) scan_tile<D, 1, V, Whole>(s, c, in, rows, key, column, n, {rows.q, 0});
  for (index_t t = 0; t < c.tokens; ++t) HEADWISE_UNROLL
  for (int j = 0; j < V; ++j)
    store_lanes<Whole>(s.out + (c.first + t) * s.out_stride + column + j * kLanes, load(rows.out + (t * kScanVectors + j) * kLanes), n);
}

// The delta rule of V vectors of columns: what the state answers to k is needed before it changes, so all keys go through a token
// together. One pass a token: while it writes what the token adds, it decays that for the next token and asks for its answer. Several
// vectors, because the sums over the keys are chains.
template <Decay D, int V, bool Whole>
HEADWISE_HOT void scan_delta(const Scan& s, index_t column, int n) {
  Vf answer[V], sum[V], v[V];
  HEADWISE_UNROLL
  for (int j = 0; j < V; ++j) answer[j] = zero();
  for (index_t key = 0; key < s.keys; ++key) HEADWISE_UNROLL
  for (int j = 0; j < V; ++j) {
    const index_t at = key * s.state_stride + column + j * kLanes;
    Vf state = load_lanes<Whole>(s.from + at, n);
    if (s.tokens > 0) {
      state = decayed<D, Whole>(s, state, s.decay, key, column + j * kLanes, n);
      answer[j] = fma(splat(s.k[key]), state, answer[j]);
    }
    store_lanes<Whole>(s.to + at, state, n);
  }
  for (index_t t = 0; t < s.tokens; ++t) {
    const float *const k = s.k + t * s.k_stride, *const q = s.q + t * s.q_stride, *const next = k + s.k_stride;
    HEADWISE_UNROLL
    for (int j = 0; j < V; ++j) {
      v[j] = mul(splat(s.beta[t * s.beta_stride]), sub(load_lanes<Whole>(s.v + t * s.v_stride + column + j * kLanes, n), answer[j]));
      answer[j] = sum[j] = zero();
    }
    const bool last = t + 1 == s.tokens;
    for (index_t key = 0; key < s.keys; ++key) HEADWISE_UNROLL
    for (int j = 0; j < V; ++j) {
      float* const p = s.to + key * s.state_stride + column + j * kLanes;
      Vf state = fma(splat(k[key]), v[j], load_lanes<Whole>(p, n));
      sum[j] = fma(splat(q[key]), state, sum[j]);
      if (!last) {
        state = decayed<D, Whole>(s, state, s.decay + (t + 1) * s.decay_stride, key, column + j * kLanes, n);
        answer[j] = fma(splat(next[key]), state, answer[j]);
      }
      store_lanes<Whole>(p, state, n);
    }
    HEADWISE_UNROLL
    for (int j = 0; j < V; ++j) store_lanes<Whole>(s.out + t * s.out_stride + column + j * kLanes, sum[j], n);
  }
}

// Runs `Part` over all columns: V vectors at a time, then one, then what is left of one.
template <template <int, bool> class Part, int V, class... Args>
HEADWISE_HOT void over_columns(const Scan& s, Args&&... args) {
  index_t column = 0;
  for (; column + V * kLanes <= s.values; column += V * kLanes) Part<V, true>::run(s, column, kLanes, args...);
  for (; column + kLanes <= s.values; column += kLanes) Part<1, true>::run(s, column, kLanes, args...);
  if (column < s.values) Part<1, false>::run(s, column, static_cast<int>(s.values - column), args...);
}

template <Decay D>
struct ScanParts {
  template <int V, bool Whole>
  struct Delta {
    HEADWISE_HOT static void run(const Scan& s, index_t column, int n) { scan_delta<D, V, Whole>(s, column, n); }
  };
  template <int V, bool Whole>
  struct Token {
    HEADWISE_HOT static void run(const Scan& s, index_t column, int n, index_t t) { scan_token<D, V, Whole>(s, t, column, n); }
  };
  template <int V, bool Whole>
  struct Chunk {
    HEADWISE_HOT static void run(const Scan& s, index_t column, int n, ScanChunk c, const ScanKeys& in, ScanRows& rows) {
      scan_chunk<D, V, Whole>(s, c, in, rows, column, n);
    }
  };
};

template <Decay D>
HEADWISE_HOT void scan_with(const Scan& s) {
  using Parts = ScanParts<D>;
  if (s.beta != nullptr) return over_columns<Parts::template Delta, 4>(s);
  if (s.tokens <= kFewTokens) {
    if (s.tokens == 0)
      for (index_t key = 0; key < s.keys; ++key) std::copy_n(s.from + key * s.state_stride, s.values, s.to + key * s.state_stride);
    for (index_t t = 0; t < s.tokens; ++t) over_columns<Parts::template Token, 4>(s, t);
    return;
  }
  ScanRows rows;
  for (index_t first = 0; first < s.tokens; first += kScanTokens)
    for (index_t key = 0; key < s.keys; key += kScanKeys) {
      const ScanChunk c{first, std::min(kScanTokens, s.tokens - first), key, std::min(kScanKeys, s.keys - key)};
      const ScanKeys in = gather_keys<D>(s, c, rows);
      over_columns<Parts::template Chunk, kScanVectors>(s, c, in, rows);
    }
}

HEADWISE_KERNEL void scan(const Scan& call) {
  const Scan s = call;  // a copy that no store of floats can change
  switch (s.kind) {
    case Decay::none: return scan_with<Decay::none>(s);
    case Decay::token: return scan_with<Decay::token>(s);
    case Decay::key: return scan_with<Decay::key>(s);
    case Decay::value: return scan_with<Decay::value>(s);
    case Decay::cell: return scan_with<Decay::cell>(s);
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
