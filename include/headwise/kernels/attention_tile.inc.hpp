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

// c[r][j] = scale sum_d a[r][d] b[d][j] for R rows and N vectors of columns; a[r][d] is at a + r RowStep + d Step. The chain of fma goes
// on from what c holds unless `fresh`, so that it may be calculated in parts. With Fetch, as many bytes as are read of b are fetched.
template <int R, int N, int RowStep, int Step, bool Fetch>
HEADWISE_HOT void product(const float* a, const float* b, index_t b_stride, index_t depth, float* c, index_t c_stride, bool fresh, Vf scale,
                          [[maybe_unused]] const std::byte* fetch) {
  Vf acc[R][N];
  HEADWISE_UNROLL
  for (int r = 0; r < R; ++r) {
    HEADWISE_UNROLL
    for (int n = 0; n < N; ++n) acc[r][n] = fresh ? zero() : load(c + r * c_stride + n * kLanes);
  }
  for (index_t d = 0; d < depth; ++d) {
    Vf x[N];
    HEADWISE_UNROLL
    for (int n = 0; n < N; ++n) x[n] = load(b + n * kLanes);
    if constexpr (Fetch) {
      HEADWISE_UNROLL
      for (int n = 0; n < N * kLanes; n += 16) prefetch(fetch + n * 4);
      fetch += N * kLanes * 4;
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
    for (int n = 0; n < N; ++n) store(c + r * c_stride + n * kLanes, mul(acc[r][n], scale));
  }
}

// Columns [0, cols), a multiple of kLanes, in strips of N vectors, then of fewer.
template <int R, int N, int RowStep, int Step, bool Fetch>
HEADWISE_HOT void strips(const float* a, const float* b, index_t b_stride, index_t depth, float* c, index_t c_stride, index_t cols,
                         bool fresh, Vf scale, const std::byte* fetch) {
  index_t j = 0;
  for (; j + N * kLanes <= cols; j += N * kLanes)
    product<R, N, RowStep, Step, Fetch>(a, b + j, b_stride, depth, c + j, c_stride, fresh, scale, fetch + j * depth * 4);
  if constexpr (N > 1) {
    if (j < cols)
      strips<R, N / 2, RowStep, Step, Fetch>(a, b + j, b_stride, depth, c + j, c_stride, cols - j, fresh, scale, fetch + j * depth * 4);
  }
}

template <int R>
inline constexpr int kStrip = kAccumulators / R < kKeyVectors ? kAccumulators / R : kKeyVectors;

// Entries [begin, end) of a block.
struct Span {
  int begin, end;
};
HEADWISE_HOT Span span_of(std::uint64_t mask) { return {std::countr_zero(mask), 64 - std::countl_zero(mask)}; }

// A block of entries as the rows of a tile see it.
struct Block {
  index_t number;
  const KvLayout* layout;
  Stream stream;
  const float* keys;    // (key_dim, 64), or null: stored as another type, and widened a part at a time
  const float* values;  // (64, value_stride), likewise
  float* scratch;       // for that
  // Rows of keys and values that are read at once: what is fetched comes strip by strip, so parts keep it near to the order of memory,
  // and what is widened stays in L1. Later tiles of a group find the block in a cache and read all of it at once.
  index_t key_rows, value_rows;
  int finite = -1;  // whether all values are: not known yet, no, yes

  HEADWISE_HOT void in_parts() {
    key_rows = 64;
    value_rows = std::max<index_t>(16, 2048 / layout->value_stride());
  }
  HEADWISE_HOT void whole() {
    key_rows = layout->key_dim;
    value_rows = kKeyBlock;
  }
  HEADWISE_HOT const float* key_part(index_t begin, index_t n) const {
    if (keys != nullptr) return keys + begin * kKeyBlock;
    widen_keys(*layout, stream, begin, n, scratch);
    return scratch;
  }
  HEADWISE_HOT const float* value_part(index_t begin, index_t n) const {
    if (values != nullptr) return values + begin * layout->value_stride();
    widen_values(*layout, stream, begin, n, scratch);
    return scratch;
  }
  // What to fetch while a part is read; what was widened has been fetched.
  HEADWISE_HOT const std::byte* ahead(const float* part) const {
    if (part == scratch) return reinterpret_cast<const std::byte*>(scratch);
    return stream.ahead(reinterpret_cast<const std::byte*>(part) - stream.page);
  }
};

// A single row has no load slots to spare: there, fetching doubled the time from a cache.
template <int R>
inline constexpr bool kFetches = R > 1;

// scores (R, 64) = scale q k where the span is; q is packed (key_dim, R).
template <int R>
HEADWISE_KERNEL void dot_scores(const float* q, const Block& block, Span span, float scale, float* scores) {
  constexpr int rows = R < kRegisterRows ? R : kRegisterRows;
  const int begin = span.begin / kLanes * kLanes, end = (span.end + kLanes - 1) / kLanes * kLanes;
  const index_t key_dim = block.layout->key_dim;
  for (index_t d = 0, n; d < key_dim; d += n) {
    n = std::min(block.key_rows, key_dim - d);
    const float* keys = block.key_part(d, n);
    const std::byte* fetch = block.ahead(keys);
    const Vf factor = splat(d + n < key_dim ? 1.0f : scale);
    for (int r = 0; r < R; r += rows)
      strips<rows, kStrip<rows>, 1, R, kFetches<R>>(q + d * R + r, keys + begin, kKeyBlock, n, scores + r * kKeyBlock + begin, kKeyBlock,
                                                    end - begin, d == 0, factor, fetch);
  }
}

// out (R, stride) += weights (R, 64) values (64, stride), entries of the span
template <int R>
HEADWISE_KERNEL void weigh_values(const float* weights, const Block& block, Span span, float* out) {
  constexpr int rows = R < kRegisterRows ? R : kRegisterRows;
  const index_t stride = block.layout->value_stride();
  for (index_t e = span.begin, n; e < span.end; e += n) {
    n = std::min(block.value_rows, span.end - e);
    const float* values = block.value_part(e, n);
    const std::byte* fetch = block.ahead(values);
    for (int r = 0; r < R; r += rows)
      strips<rows, kStrip<rows>, kKeyBlock, 1, kFetches<R>>(weights + r * kKeyBlock + e, values, stride, n, out + r * stride, stride,
                                                            stride, false, splat(1.0f), fetch);
  }
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
    dot_scores<R>(t.q, block, span_of(t.some), a.scale, t.scores);
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
