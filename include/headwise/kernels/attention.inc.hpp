// Attention over blocks and segments; included once for each target, after attention_tile.inc.hpp and attention_page.inc.hpp.

inline constexpr index_t kGroupRows = 64;  // rows that share a pass over the blocks

// Up to 64 query rows on their way over the blocks, in the caller's scratch.
struct Group {
  index_t rows;
  index_t padded;   // rows of whole tiles; those behind `rows` see nothing
  EntryRange seen;  // by any row
  float* q;         // per tile of R rows: (key_dim, R)
  float* out;       // (64, value_stride) of the running segment, not yet divided
  float* total;     // of the segments before it
  float* sums;      // (64, kLanes)
  float* scores;  // (8, 64)
  float* block;   // keys and values of the block at hand, where they are not stored as floats
  float max[kGroupRows], total_max[kGroupRows], total_sum[kGroupRows], sum[kGroupRows];
  QueryRow row[kGroupRows];
};

// The rows of the tile that begins at `first`: 8, or the least of 1, 2, 4, 8 that holds the rest.
HEADWISE_HOT int tile_rows(index_t first, index_t rows) {
  const index_t rest = rows - first;
  return rest > 4 ? 8 : rest > 2 ? 4 : rest > 1 ? 2 : 1;
}

HEADWISE_HOT void pack_rows(const QueryRow* row, int count, int tile, index_t key_dim, float* q) {
  for (int r = 0; r < tile; ++r)
    for (index_t d = 0; d < key_dim; ++d) q[d * tile + r] = r < count ? row[r].q[d] : 0.0f;
}

HEADWISE_HOT QueryRow query_row(const Attend& a, index_t token, index_t head) {
  return {token, a.first_head + head, a.query_entry != nullptr ? a.query_entry[token] : 0,
          a.q + token * a.q_token_stride + head * a.q_head_stride};
}

HEADWISE_KERNEL void start_group(const Attend& a, index_t first, index_t rows, float* scratch, Group& g) {
  const index_t key_dim = a.layout.key_dim, stride = a.layout.value_stride();
  g.rows = rows;
  g.q = scratch;
  g.out = g.q + kGroupRows * key_dim;
  g.total = g.out + kGroupRows * stride;
  g.sums = g.total + kGroupRows * stride;
  g.scores = g.sums + kGroupRows * 16;
  g.block = g.scores + kTileRows * kKeyBlock;
  g.seen = {};
  for (index_t i = 0; i < rows; ++i) {
    g.row[i] = query_row(a, (first + i) / a.heads, (first + i) % a.heads);
    const EntryRange range = a.visible[g.row[i].token];
    if (range.begin >= range.end) continue;
    if (g.seen.begin >= g.seen.end) g.seen = range;
    if (range.begin < g.seen.begin) g.seen.begin = range.begin;
    if (range.end > g.seen.end) g.seen.end = range.end;
  }
  for (index_t i = 0; i < rows;) {
    const int tile = tile_rows(i, rows);
    pack_rows(g.row + i, static_cast<int>(rows - i < tile ? rows - i : tile), tile, key_dim, g.q + i * key_dim);
    g.padded = i += tile;
  }
}

// `next`: the page that is read after it, or null.
HEADWISE_HOT Block block_of(const Attend& a, index_t number, index_t kv_head, const std::byte* next, float* scratch) {
  const std::byte* page = a.pages[number - a.first_block];
  Block out{number, &a.layout, {}, nullptr, nullptr, scratch, 0, 0};
  out.whole();
  if (page == nullptr) return out;  // no row sees it
  out.stream = stream_of(a.layout, page, next, kv_head);
  if (a.layout.type == DType::f32) {
    out.keys = reinterpret_cast<const float*>(out.stream.page);
    out.values = reinterpret_cast<const float*>(out.stream.page + a.layout.keys_bytes());
  }
  return out;
}

// Widens all of a block that a row sees.
HEADWISE_HOT void widen_block(Block& block) {
  if (block.keys != nullptr) return;
  float* values = block.scratch + block.layout->key_dim * kKeyBlock;
  widen_keys(*block.layout, block.stream, 0, block.layout->key_dim, block.scratch);
  widen_values(*block.layout, block.stream, 0, kKeyBlock, values);
  block.keys = block.scratch;
  block.values = values;
}

// ---- one segment ----

// Do all rows of the tile see all entries of its span?
HEADWISE_HOT bool sees_alike(const Tile& t) {
  const Span span = span_of(t.some);
  bool alike = (t.some >> span.begin) == kAllKeys >> (kKeyBlock - (span.end - span.begin));
  for (int r = 0; r < t.count; ++r) alike = alike && t.mask[r] == t.some;
  return alike;
}

template <int R, class Score, class Normaliser>
HEADWISE_KERNEL void step(const Attend& a, const Score& score, const Normaliser& normaliser, Group& g, index_t first, Tile& t,
                          Block& block) {
  const index_t stride = a.layout.value_stride();
  float* out = g.out + first * stride;
  score_tile<R>(a, score, t, block);
  for (int r = 0; r < R; ++r) mask_row(t.scores + r * kKeyBlock, t.mask[r]);
  if constexpr (std::is_same_v<Normaliser, Softmax>) {
    absorb_softmax(R, t.scores, g.max + first, g.sums + first * kLanes, out, stride);
  } else {
    for (int r = 0; r < R; ++r) {
      OnlineRow row{g.max[first + r], g.sum[first + r]};
      const float factor = normaliser.absorb(row, t.scores + r * kKeyBlock);
      if (factor != 1.0f) multiply_row(out + r * stride, stride, factor);
      g.max[first + r] = row.max;
      g.sum[first + r] = row.sum;
    }
  }
  // Rows that do not see all of the span weigh the rest by 0, and 0 times NaN or infinity is NaN.
  const bool alike = sees_alike(t);
  if (!alike && block.finite < 0) block.finite = all_finite(block.values, kKeyBlock * stride);
  if (alike || block.finite > 0) {
    weigh_values<R>(t.scores, block, span_of(t.some), out);
  } else {
    for (int r = 0; r < t.count; ++r) weigh_visible(t.scores + r * kKeyBlock, t.mask[r], block.values, stride, out + r * stride);
  }
  block.whole();
}

// max, sum and out of the group's rows over the entries of one segment.
template <class Score, class Normaliser>
HEADWISE_KERNEL void run_segment(const Attend& a, const Score& score, const Normaliser& normaliser, Group& g, index_t segment) {
  const index_t stride = a.layout.value_stride();
  for (index_t i = 0; i < g.padded; ++i) g.max[i] = kLowest, g.sum[i] = 0.0f;
  for (index_t i = 0; i < g.padded * kLanes; i += kLanes) store(g.sums + i, zero());
  for (index_t i = 0; i < g.padded * stride; i += kLanes) store(g.out + i, zero());

  constexpr index_t blocks = kKeySegment / kKeyBlock;
  const index_t first_seen = g.seen.begin / kKeyBlock, last_seen = (g.seen.end + kKeyBlock - 1) / kKeyBlock;
  const index_t begin = segment * blocks > first_seen ? segment * blocks : first_seen;
  const index_t end = (segment + 1) * blocks < last_seen ? (segment + 1) * blocks : last_seen;
  for (index_t b = begin; b < end; ++b) {
    Block block = block_of(a, b, a.kv_head, b + 1 < end ? a.pages[b + 1 - a.first_block] : nullptr, g.block);
    block.in_parts();
    index_t token = -1;
    std::uint64_t mask = 0;
    for (index_t i = 0; i < g.rows;) {
      const int tile = tile_rows(i, g.rows);
      Tile t{g.row + i, static_cast<int>(g.rows - i < tile ? g.rows - i : tile), g.q + i * a.layout.key_dim, g.scores, {}, 0};
      for (int r = 0; r < t.count; ++r) {
        if (t.row[r].token != token) mask = visible_keys(a, token = t.row[r].token, b);
        t.mask[r] = mask;
        t.some |= mask;
      }
      if (t.some != 0) {  // a row that sees nothing here would add zeros: leaving out the tile changes no bit
        // Only a tile that comes alone reads a block once.
        if (!std::is_same_v<Score, DotScore> || a.adjust != nullptr || tile < g.padded || !sees_alike(t)) widen_block(block);
        switch (tile) {
          case 1: step<1>(a, score, normaliser, g, i, t, block); break;
          case 2: step<2>(a, score, normaliser, g, i, t, block); break;
          case 4: step<4>(a, score, normaliser, g, i, t, block); break;
          default: step<8>(a, score, normaliser, g, i, t, block); break;
        }
      }
      i += tile;
    }
  }
  if constexpr (std::is_same_v<Normaliser, Softmax>) {
    for (index_t i = 0; i < g.rows; ++i) g.sum[i] = sum(load(g.sums + i * kLanes));
  }
}

// ---- merging and the end ----

HEADWISE_HOT float exp_of(float x) {
  float out[kLanes];
  store(out, exp(splat(x)));
  return out[0];
}

// row, out <- both, where `later` is the later segment. What holds no entry (lowest, 0, zeros) changes no bit.
template <class Normaliser>
HEADWISE_KERNEL void merge_row(const Normaliser& normaliser, OnlineRow& row, float* out, const OnlineRow& later, const float* later_out,
                               index_t stride) {
  float before = 1.0f, after = 1.0f;
  if constexpr (std::is_same_v<Normaliser, Softmax>) {
    const float most = later.max > row.max ? later.max : row.max;
    before = exp_of(row.max - most);
    after = exp_of(later.max - most);
    row = {most, fma(row.sum, before, later.sum * after)};
  } else {
    before = normaliser.merge(row, later, after);
  }
  const Vf x = splat(before), y = splat(after);
  for (index_t j = 0; j < stride; j += kLanes) store(out + j, fma(load(out + j), x, mul(load(later_out + j), y)));
}

// Divides and writes one row. Adding zero makes -0 (which blocks that were left out may leave behind) +0.
template <class Normaliser>
HEADWISE_KERNEL void finish_row(const Attend& a, const Normaliser& normaliser, const QueryRow& q, const OnlineRow& row, const float* out) {
  float factor = 0.0f;
  if constexpr (std::is_same_v<Normaliser, Softmax>) {
    if (a.sink != nullptr) {
      const float sink = a.sink[q.head - a.first_head], most = sink > row.max ? sink : row.max;
      const float before = exp_of(row.max - most);
      factor = before / fma(row.sum, before, exp_of(sink - most));
      if (row.sum == 0.0f) factor = 0.0f;
    } else if (row.sum != 0.0f) {
      factor = 1.0f / row.sum;
    }
  } else {
    factor = normaliser.finish(row);
  }
  float* y = a.out + q.token * a.out_token_stride + (q.head - a.first_head) * a.out_head_stride;
  const Vf f = splat(factor);
  for (index_t j = 0; j < a.layout.value_dim; j += kLanes) {
    const int n = static_cast<int>(a.layout.value_dim - j < kLanes ? a.layout.value_dim - j : kLanes);
    store(y + j, add(mul(load(out + j), f), zero()), n);
  }
}

// All of `a`; see Attend.
template <class Score, class Normaliser>
HEADWISE_KERNEL void attend(const Attend& a, const Score& score, const Normaliser& normaliser, float* scratch) {
  const index_t rows = a.tokens * a.heads, stride = a.layout.value_stride();
  Group g;
  for (index_t first = 0; first < rows; first += kGroupRows) {
    start_group(a, first, rows - first < kGroupRows ? rows - first : kGroupRows, scratch, g);
    const EntryRange segments = segments_of(g.seen);
    for (index_t s = segments.begin; s < segments.end; ++s) {
      run_segment(a, score, normaliser, g, s);
      if (s == segments.begin) {  // merging with nothing
        std::swap(g.out, g.total);
        for (index_t i = 0; i < g.rows; ++i) g.total_max[i] = g.max[i], g.total_sum[i] = g.sum[i];
        continue;
      }
      for (index_t i = 0; i < g.rows; ++i) {
        OnlineRow row{g.total_max[i], g.total_sum[i]};
        merge_row(normaliser, row, g.total + i * stride, {g.max[i], g.sum[i]}, g.out + i * stride, stride);
        g.total_max[i] = row.max;
        g.total_sum[i] = row.sum;
      }
    }
    if (segments.begin == segments.end) {
      for (index_t i = 0; i < g.rows; ++i) g.total_max[i] = kLowest, g.total_sum[i] = 0.0f;
      for (index_t i = 0; i < g.rows * stride; i += kLanes) store(g.total + i, zero());
    }
    for (index_t i = 0; i < g.rows; ++i) finish_row(a, normaliser, g.row[i], {g.total_max[i], g.total_sum[i]}, g.total + i * stride);
  }
}

template <class Score, class Normaliser>
HEADWISE_KERNEL void attend_segment(const Attend& a, const Score& score, const Normaliser& normaliser, index_t segment, float* partials,
                                    float* scratch) {
  const index_t rows = a.tokens * a.heads, stride = a.layout.value_stride();
  Group g;
  for (index_t first = 0; first < rows; first += kGroupRows) {
    start_group(a, first, rows - first < kGroupRows ? rows - first : kGroupRows, scratch, g);
    run_segment(a, score, normaliser, g, segment);
    for (index_t i = 0; i < g.rows; ++i, partials += partial_size(a.layout)) {
      std::memcpy(partials, g.out + i * stride, static_cast<std::size_t>(stride) * sizeof(float));
      partials[stride] = g.max[i];
      partials[stride + 1] = g.sum[i];
    }
  }
}

template <class Normaliser>
HEADWISE_KERNEL void merge_segments(const Attend& a, const Normaliser& normaliser, float* partials, index_t segments) {
  const index_t rows = a.tokens * a.heads, stride = a.layout.value_stride(), size = partial_size(a.layout);
  for (index_t i = 0; i < rows; ++i, partials += size) {
    OnlineRow row;
    if (segments > 0) {
      row = {partials[stride], partials[stride + 1]};
    } else {
      for (index_t j = 0; j < stride; ++j) partials[j] = 0.0f;
    }
    for (index_t s = 1; s < segments; ++s) {
      const float* later = partials + s * rows * size;
      merge_row(normaliser, row, partials, {later[stride], later[stride + 1]}, later, stride);
    }
    finish_row(a, normaliser, query_row(a, i / a.heads, i % a.heads), row, partials);
  }
}

// ---- whole rows ----

template <int R, class Score>
HEADWISE_KERNEL void score_rows(const Attend& a, const Score& score, Tile& t, const Block& block, float* rows, index_t row_stride) {
  score_tile<R>(a, score, t, block);
  for (int r = 0; r < t.count; ++r) {
    mask_row(t.scores + r * kKeyBlock, t.mask[r]);
    std::memcpy(rows + r * row_stride, t.scores + r * kKeyBlock, kKeyBlock * sizeof(float));
  }
}

// Softmax of whole rows; see SoftmaxRows.
HEADWISE_KERNEL void softmax_rows(const Attend& a, const ScoreRows& rows) {
  for (index_t h = 0; h < rows.heads; ++h) {
    float* x = rows.row(h);
    Vf most = splat(a.sink != nullptr && a.sink[h] > kLowest ? a.sink[h] : kLowest), total = zero();
    for (index_t j = 0; j < rows.count; j += kLanes) most = max(load(x + j), most);
    const float m = max_lane(most);
    for (index_t j = 0; j < rows.count; j += kLanes) {
      const Vf e = exp(sub(load(x + j), splat(m)));
      store(x + j, e);
      total = add(total, e);
    }
    const float all = sum(total) + (a.sink != nullptr ? exp_of(a.sink[h] - m) : 0.0f);
    multiply_row(x, rows.count, all != 0.0f ? 1.0f / all : 0.0f);
  }
}

// All heads of each token: kv_heads groups of a.heads query heads; `rows` holds kv_heads * a.heads * (entries seen, in whole blocks).
template <class Score, class Normaliser>
HEADWISE_KERNEL void attend_rows(const Attend& a, index_t kv_heads, const Score& score, const Normaliser& normaliser, float* rows,
                                 float* scratch) {
  const index_t stride = a.layout.value_stride();
  float *q = scratch, *scores = q + kTileRows * a.layout.key_dim, *out = scores + kTileRows * kKeyBlock, *wide = out + kTileRows * stride;
  for (index_t token = 0; token < a.tokens; ++token) {
    const EntryRange range = a.visible[token];
    const index_t begin = range.begin / kKeyBlock, end = range.begin < range.end ? (range.end + kKeyBlock - 1) / kKeyBlock : begin;
    const ScoreRows view{.scores = rows,
                         .heads = kv_heads * a.heads,
                         .count = (end - begin) * kKeyBlock,
                         .begin = begin * kKeyBlock,
                         .token = token,
                         .entry = a.query_entry != nullptr ? a.query_entry[token] : 0,
                         .q = a.q + token * a.q_token_stride,
                         .q_head_stride = a.q_head_stride};
    for (int pass = 0; pass < 2; ++pass) {  // scores, then outputs
      if (pass == 1) {
        if constexpr (detail::is_softmax_rows<Normaliser>) softmax_rows(a, view);
        if constexpr (requires { normaliser.look(view); }) normaliser.look(view);
        if constexpr (requires { normaliser.rows(view); }) normaliser.rows(view);
      }
      for (index_t head = 0; head < view.heads;) {
        const index_t kv_head = head / a.heads, group_end = (kv_head + 1) * a.heads;
        QueryRow row[kTileRows];
        const int tile = tile_rows(head, group_end);
        Tile t{row, static_cast<int>(group_end - head < tile ? group_end - head : tile), q, scores, {}, 0};
        for (int r = 0; r < t.count; ++r) row[r] = query_row(a, token, head + r);
        if (pass == 0) pack_rows(row, t.count, tile, a.layout.key_dim, q);
        for (index_t i = 0; i < t.count * stride; i += kLanes) store(out + i, zero());
        for (index_t b = begin; b < end; ++b) {
          const std::uint64_t mask = visible_keys(a, token, b);
          float* part = view.row(head) + (b - begin) * kKeyBlock;
          if (mask == 0) {
            for (int r = 0; r < t.count; ++r) std::fill_n(part + r * view.count, kKeyBlock, -std::numeric_limits<float>::infinity());
            continue;
          }
          Block block = block_of(a, b, a.kv_head + kv_head, nullptr, wide);
          widen_block(block);
          if (pass == 1) {
            for (int r = 0; r < t.count; ++r) weigh_visible(part + r * view.count, mask, block.values, stride, out + r * stride);
            continue;
          }
          for (int r = 0; r < t.count; ++r) t.mask[r] = mask;
          t.some = mask;
          switch (tile) {
            case 1: score_rows<1>(a, score, t, block, part, view.count); break;
            case 2: score_rows<2>(a, score, t, block, part, view.count); break;
            case 4: score_rows<4>(a, score, t, block, part, view.count); break;
            default: score_rows<8>(a, score, t, block, part, view.count); break;
          }
        }
        for (int r = 0; pass == 1 && r < t.count; ++r) {
          float* y = a.out + token * a.out_token_stride + (head + r) * a.out_head_stride;
          std::memcpy(y, out + r * stride, static_cast<std::size_t>(a.layout.value_dim) * sizeof(float));
        }
        head += t.count;
      }
    }
  }
}

// ---- the table ----

HEADWISE_KERNEL void attend_stock(const Attend& a, float* scratch) { attend(a, DotScore{}, Softmax{}, scratch); }
HEADWISE_KERNEL void attend_segment_stock(const Attend& a, index_t segment, float* partials, float* scratch) {
  attend_segment(a, DotScore{}, Softmax{}, segment, partials, scratch);
}
HEADWISE_KERNEL void merge_segments_stock(const Attend& a, float* partials, index_t segments) {
  merge_segments(a, Softmax{}, partials, segments);
}

inline constexpr AttentionKernels kAttention{
    .append = append,
    .attend = attend_stock,
    .attend_segment = attend_segment_stock,
    .merge_segments = merge_segments_stock,
};
