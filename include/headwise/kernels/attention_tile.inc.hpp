// One step of attention: a tile of up to 8 query rows against a block of 64 entries. Included once for each target.
//
// The arithmetic of a row is the same in tiles of 1, 2, 4 and 8 rows: scores and outputs are chains of fma over the key dimension and
// over the entries, both ascending, in lanes of entries and of value columns. An entry that a row does not see has the weight 0 and
// adds nothing to any chain, so entries that no row of the tile sees are left out.

inline constexpr int kTileRows = 8;
inline constexpr int kRegisterRows = kLanes == 16 ? 8 : 4;  // rows whose accumulators fit the registers
inline constexpr int kAccumulators = kLanes == 16 ? 16 : 8;
inline constexpr int kKeyVectors = kKeyBlock / kLanes;
inline constexpr std::uint64_t kAllKeys = ~std::uint64_t{0};
inline constexpr float kLowest = -std::numeric_limits<float>::max();

// ---- products ----

// c[r][j] = scale sum_d a[r][d] b[d][j], or c[r][j] + sum_d, for R rows and N vectors of columns. a[r][d] is at a + r RowStep + d Step.
// With Fetch, what lies `ahead` of b in memory is fetched meanwhile.
template <int R, int N, int RowStep, int Step, bool Accumulate, bool Fetch>
HEADWISE_HOT void product(const float* a, const float* b, index_t b_stride, index_t depth, float* c, index_t c_stride, Vf scale,
                          [[maybe_unused]] index_t ahead) {
  Vf acc[R][N];
  HEADWISE_UNROLL
  for (int r = 0; r < R; ++r) {
    HEADWISE_UNROLL
    for (int n = 0; n < N; ++n) acc[r][n] = Accumulate ? load(c + r * c_stride + n * kLanes) : zero();
  }
  for (index_t d = 0; d < depth; ++d) {
    Vf x[N];
    HEADWISE_UNROLL
    for (int n = 0; n < N; ++n) x[n] = load(b + n * kLanes);
    if constexpr (Fetch) {
      HEADWISE_UNROLL
      for (int n = 0; n < N; ++n) prefetch_l2(b + ahead + n * kLanes);
    }
    HEADWISE_UNROLL
    for (int r = 0; r < R; ++r) {
      const Vf y = splat(a[r * RowStep]);
      HEADWISE_UNROLL
      for (int n = 0; n < N; ++n) acc[r][n] = fma(y, x[n], acc[r][n]);
    }
    a += Step;
    b += b_stride;
  }
  HEADWISE_UNROLL
  for (int r = 0; r < R; ++r) {
    HEADWISE_UNROLL
    for (int n = 0; n < N; ++n) store(c + r * c_stride + n * kLanes, Accumulate ? acc[r][n] : mul(acc[r][n], scale));
  }
}

// Columns [0, cols), a multiple of kLanes, in strips of N vectors, then of fewer.
template <int R, int N, int RowStep, int Step, bool Accumulate, bool Fetch>
HEADWISE_HOT void strips(const float* a, const float* b, index_t b_stride, index_t depth, float* c, index_t c_stride, index_t cols,
                         Vf scale, index_t ahead) {
  index_t j = 0;
  for (; j + N * kLanes <= cols; j += N * kLanes)
    product<R, N, RowStep, Step, Accumulate, Fetch>(a, b + j, b_stride, depth, c + j, c_stride, scale, ahead);
  if constexpr (N > 1) {
    if (j < cols) strips<R, N / 2, RowStep, Step, Accumulate, Fetch>(a, b + j, b_stride, depth, c + j, c_stride, cols - j, scale, ahead);
  }
}

template <int R>
inline constexpr int kStrip = kAccumulators / R < kKeyVectors ? kAccumulators / R : kKeyVectors;

// Entries [begin, end) of a block.
struct Span {
  int begin, end;
};
HEADWISE_HOT Span span_of(std::uint64_t mask) { return {std::countr_zero(mask), 64 - std::countl_zero(mask)}; }

// scores (R, 64) = scale q k where the span is; q is packed (key_dim, R), keys (key_dim, 64).
template <int R, bool Fetch>
HEADWISE_KERNEL void dot_scores(const float* q, const float* keys, index_t key_dim, Span span, float scale, float* scores, index_t ahead) {
  constexpr int rows = R < kRegisterRows ? R : kRegisterRows;
  const int begin = span.begin / kLanes * kLanes, end = (span.end + kLanes - 1) / kLanes * kLanes;
  for (int r = 0; r < R; r += rows)
    strips<rows, kStrip<rows>, 1, R, false, Fetch>(q + r, keys + begin, kKeyBlock, key_dim, scores + r * kKeyBlock + begin, kKeyBlock,
                                                   end - begin, splat(scale), ahead);
}

// out (R, stride) += weights (R, 64) values (64, stride), entries of the span
template <int R, bool Fetch>
HEADWISE_KERNEL void weigh_values(const float* weights, const float* values, Span span, index_t stride, float* out, index_t ahead) {
  constexpr int rows = R < kRegisterRows ? R : kRegisterRows;
  for (int r = 0; r < R; r += rows)
    strips<rows, kStrip<rows>, kKeyBlock, 1, true, Fetch>(weights + r * kKeyBlock + span.begin, values + span.begin * stride, stride,
                                                          span.end - span.begin, out + r * stride, stride, stride, zero(), ahead);
}

// The same for one row and the entries in `mask`, so that a NaN or an infinity of another entry (0 times NaN) stays out.
HEADWISE_KERNEL void weigh_visible(const float* weights, std::uint64_t mask, const float* values, index_t stride, float* out) {
  for (; mask != 0; mask &= mask - 1) {
    const int key = std::countr_zero(mask);
    const Vf w = splat(weights[key]);
    for (index_t j = 0; j < stride; j += kLanes) store(out + j, fma(w, load(values + key * stride + j), load(out + j)));
  }
}

HEADWISE_KERNEL bool all_finite(const float* x, index_t n) {
  Vf acc[2] = {zero(), zero()};
  for (index_t i = 0; i < n; i += 2 * kLanes) {
    acc[0] = fma(load(x + i), zero(), acc[0]);
    acc[1] = fma(load(x + i + kLanes), zero(), acc[1]);
  }
  return !any(is_nan(add(acc[0], acc[1])));
}

// ---- scores ----

// A block of entries as the rows of a tile see it.
struct Block {
  index_t number;
  const float* keys;
  const float* values;
  index_t ahead = 0;  // floats from here to the same place of the block that comes next, which the first tile fetches
  int finite = -1;    // whether all values are: not known yet, no, yes
};

// Fetching ahead makes decode from memory 1.1 (2 rows) to 1.8 times (8 rows, k 128) as quick on a Zen 5, and one of 3 rows from a cache
// 17 % slower (paired runs, medians); contexts that matter come from memory. A single row has no load slots to spare: there it
// doubled the time from a cache.
template <int R>
HEADWISE_HOT bool fetches(const Block& block) {
  return R > 1 && block.ahead != 0;
}

// R rows of a tile; rows behind `count` are padding that sees nothing.
struct Tile {
  const QueryRow* row;
  int count;
  const float* q;  // (key_dim, R)
  float* scores;   // (R, 64)
  std::uint64_t mask[kTileRows];
  std::uint64_t some;  // what any row sees; not 0
};

HEADWISE_HOT std::uint64_t visible_keys(const Attend& a, index_t token, index_t block) {
  const EntryRange range = a.visible[token];
  const index_t first = block * kKeyBlock;
  const index_t begin = range.begin > first ? range.begin - first : 0;
  const index_t end = range.end - first < kKeyBlock ? range.end - first : kKeyBlock;
  if (begin >= end) return 0;
  const std::uint64_t mask = kAllKeys >> (kKeyBlock - (end - begin)) << begin;
  return a.sees != nullptr ? mask & (*a.sees)(token, block) : mask;
}

HEADWISE_KERNEL void cap_scores(float* scores, int rows, float cap) {
  const Vf c = splat(cap), inverse = splat(1.0f / cap);
  for (int i = 0; i < rows * kKeyBlock; i += kLanes) store(scores + i, mul(c, tanh(mul(load(scores + i), inverse))));
}

HEADWISE_KERNEL void add_alibi(float* scores, float slope, index_t distance) {
  const Vf m = splat(slope);
  for (int j = 0; j < kKeyBlock; j += kLanes) {
    const Vf d = add(splat(static_cast<float>(distance + j)), lane_numbers());
    store(scores + j, fma(m, d, load(scores + j)));
  }
}

// Reads the bias from the first to the last visible entry only.
HEADWISE_KERNEL void add_bias(float* scores, const float* bias, std::uint64_t mask) {
  if (mask == 0) return;
  const Span span = span_of(mask);
  for (int j = span.begin; j < span.end; j += kLanes) {
    const int n = span.end - j < kLanes ? span.end - j : kLanes;
    store(scores + j, add(load(scores + j, n), load(bias + j, n)), n);
  }
}

// The scores of a tile, all but the mask.
template <int R, class Score>
HEADWISE_HOT void score_tile(const Attend& a, const Score& score, const Tile& t, const Block& block) {
  const index_t entry = block.number * kKeyBlock;
  const ScoreTile view{t.scores, t.count, t.row, entry, block.keys, a.layout.key_dim};
  if constexpr (requires { score.tile(view); }) {
    score.tile(view);
    for (int i = t.count * static_cast<int>(kKeyBlock); i < R * kKeyBlock; ++i) t.scores[i] = 0.0f;
  } else {
    const Span span = span_of(t.some);
    if (fetches<R>(block)) {
      dot_scores<R, true>(t.q, block.keys, a.layout.key_dim, span, a.scale, t.scores, block.ahead);
    } else {
      dot_scores<R, false>(t.q, block.keys, a.layout.key_dim, span, a.scale, t.scores, 0);
    }
  }
  if (a.soft_cap != 0.0f) cap_scores(t.scores, R, a.soft_cap);
  if (a.alibi != nullptr) {
    for (int r = 0; r < t.count; ++r) add_alibi(t.scores + r * kKeyBlock, a.alibi[t.row[r].head - a.first_head], entry - t.row[r].entry);
  }
  if (a.bias != nullptr) {
    for (int r = 0; r < t.count; ++r) {
      const QueryRow& q = t.row[r];
      const float* bias = a.bias + q.token * a.bias_token_stride + (q.head - a.first_head) * a.bias_head_stride + entry;
      add_bias(t.scores + r * kKeyBlock, bias, t.mask[r]);
    }
  }
  if (a.adjust != nullptr) (*a.adjust)(view);
  if constexpr (requires { score.modify(view); }) score.modify(view);
}

HEADWISE_HOT void mask_row(float* scores, std::uint64_t mask) {
  if (mask == kAllKeys) return;
  const Vf unseen = splat(-std::numeric_limits<float>::infinity());
  for (int j = 0; j < kKeyBlock; j += kLanes) {
    store(scores + j, select(mask_of(static_cast<std::uint32_t>(mask >> j)), load(scores + j), unseen));
  }
}

// ---- softmax ----

HEADWISE_HOT void multiply_row(float* x, index_t n, float factor) {
  const Vf f = splat(factor);
  for (index_t j = 0; j < n; j += kLanes) store(x + j, mul(load(x + j), f));
}

// Replaces scores by weights e^(s - max) and adds them, lane by lane, to sums (rows, kLanes). When no maximum grows, the factors of sums
// and outputs are exactly 1 and left out.
HEADWISE_KERNEL void absorb_softmax(int rows, float* scores, float* maxima, float* sums, float* out, index_t out_stride) {
  float most[kTileRows], now[kTileRows], factor[kTileRows];
  for (int r = 0; r < rows; ++r) {
    Vf m = load(scores + r * kKeyBlock);
    HEADWISE_UNROLL
    for (int j = 1; j < kKeyVectors; ++j) m = max(load(scores + r * kKeyBlock + j * kLanes), m);
    most[r] = max_lane(m);
  }
  bool grows = false;
  for (int r = 0; r < rows; ++r) {
    now[r] = most[r] > maxima[r] ? most[r] : maxima[r];
    grows |= now[r] != maxima[r];
  }
  if (grows) {
    for (int r = 0; r < rows; r += kLanes) {
      const int n = rows - r < kLanes ? rows - r : kLanes;
      store(factor + r, exp(sub(load(maxima + r, n), load(now + r, n))), n);
    }
    for (int r = 0; r < rows; ++r) {
      maxima[r] = now[r];
      multiply_row(sums + r * kLanes, kLanes, factor[r]);
      multiply_row(out + r * out_stride, out_stride, factor[r]);
    }
  }
  for (int r = 0; r < rows; ++r) {
    const Vf m = splat(maxima[r]);
    Vf total = zero();
    HEADWISE_UNROLL
    for (int j = 0; j < kKeyVectors; ++j) {
      const Vf w = exp(sub(load(scores + r * kKeyBlock + j * kLanes), m));
      store(scores + r * kKeyBlock + j * kLanes, w);
      total = add(total, w);
    }
    store(sums + r * kLanes, add(load(sums + r * kLanes), total));
  }
}
