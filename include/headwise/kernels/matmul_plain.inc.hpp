// Matrix kernels for f32, f16 and bf16 weights, and the quantiser of activations; included once for each target (targets/region.hpp).
// The target says: kTileVectors, registers of outputs in a tile; SmallTiles, TallTiles, the numbers of rows that
// tiles are compiled for (ascending).

// Runs K::run<R>(...) with the smallest R of the list that holds `rows`, or the last one. Tiles repeat their last row beyond `rows`.
template <class Kernel, int R, int... More, class... Args>
HEADWISE_HOT void with_tile(std::integer_sequence<int, R, More...>, int rows, Args... args) {
  if constexpr (sizeof...(More) == 0)
    Kernel::template run<R>(rows, args...);
  else if (rows <= R)
    Kernel::template run<R>(rows, args...);
  else
    with_tile<Kernel>(std::integer_sequence<int, More...>{}, rows, args...);
}

// A panel's part of y that a tile adds to.
struct TileOutput {
  float* y;
  index_t stride;
  const float* bias;  // of this panel; null: none
  int columns;        // of the panel that exist, 1..32
  bool first, last;   // chunk of k

  HEADWISE_HOT const float* bias_now() const { return last ? bias : nullptr; }
};

// The tiles at the edges, by way of memory: those with fewer rows or columns than registers, or with a bias.
HEADWISE_KERNEL void fetch_tile(float* tile, const TileOutput& out, int tile_rows, int rows, int column, int width) {
  for (int r = 0; r < tile_rows; ++r) {
    const float* y = out.y + std::min(r, rows - 1) * out.stride + column;
    for (int c = 0; c < width; c += kLanes) store(tile + r * width + c, load(y + c, std::clamp(out.columns - column - c, 0, kLanes)));
  }
}
HEADWISE_KERNEL void write_tile(const float* tile, const TileOutput& out, int rows, int column, int width) {
  const float* bias = out.bias_now();
  for (int c = 0; c < width; c += kLanes) {
    const int left = std::clamp(out.columns - column - c, 0, kLanes);
    const Vf more = bias ? load(bias + column + c, left) : zero();
    for (int r = 0; r < rows; ++r) {
      const Vf value = load(tile + r * width + c);
      store(out.y + r * out.stride + column + c, bias ? add(value, more) : value, left);
    }
  }
}

template <int R, int V>
HEADWISE_HOT void begin_tile(Vf (&acc)[R][V], const TileOutput& out, int rows, int column) {
  if (out.first) {
    HEADWISE_UNROLL
    for (int r = 0; r < R; ++r)
      HEADWISE_UNROLL
      for (int v = 0; v < V; ++v) acc[r][v] = zero();
    return;
  }
  float edge[R * V * kLanes];
  const float* from = out.y + column;
  index_t stride = out.stride;
  if (rows < R || column + V * kLanes > out.columns) {
    fetch_tile(edge, out, R, rows, column, V * kLanes);
    from = edge;
    stride = V * kLanes;
  }
  HEADWISE_UNROLL
  for (int r = 0; r < R; ++r)
    HEADWISE_UNROLL
    for (int v = 0; v < V; ++v) acc[r][v] = load(from + r * stride + v * kLanes);
}

template <int R, int V>
HEADWISE_HOT void end_tile(const Vf (&acc)[R][V], const TileOutput& out, int rows, int column) {
  float edge[R * V * kLanes];
  float* to = out.y + column;
  index_t stride = out.stride;
  const bool at_edge = rows < R || column + V * kLanes > out.columns || out.bias_now();
  if (at_edge) {
    to = edge;
    stride = V * kLanes;
  }
  HEADWISE_UNROLL
  for (int r = 0; r < R; ++r)
    HEADWISE_UNROLL
    for (int v = 0; v < V; ++v) store(to + r * stride + v * kLanes, acc[r][v]);
  if (at_edge) write_tile(edge, out, rows, column, V * kLanes);
}

// Weights that are needed soon: every step of a tile brings some lines of them into L2.
struct Ahead {
  const std::byte* next = nullptr;
  const std::byte* end = nullptr;
  index_t lines = 0;  // a step

  HEADWISE_HOT static Ahead of(const void* from, index_t bytes, index_t steps) {
    const auto* next = static_cast<const std::byte*>(from);
    return {next, next + bytes, bytes > 0 && steps > 0 ? (bytes / 64 + steps - 1) / steps : 0};
  }
  HEADWISE_HOT void step() {
    for (index_t i = 0; i < lines; ++i, next += 64) prefetch_l2(next);
  }
  HEADWISE_HOT void after(index_t steps) {  // what a tile, which had a copy, has done
    next += lines * 64 * steps;
    if (next >= end) lines = 0;
  }
};

inline constexpr index_t kPlainStep = 16;  // k for each step of Ahead

// How a storage type is read and multiplied: a word for each output and kStep values of k. Dense: what tall tiles read, widened before.
template <class Word>
struct PlainWeights {
  using Dense = float;
  static constexpr int kStep = 1;
  HEADWISE_HOT static void read(const Word* p, Vf (&w)[1]) { w[0] = load(p); }
  HEADWISE_HOT static Vf multiply_add(Vf x, Vf w, Vf acc) { return fma(x, w, acc); }
};

struct Bf16Pair {
  bf16 even, odd;  // k and k + 1
};
template <>
struct PlainWeights<Bf16Pair> : PlainWeights<float> {
  static constexpr int kStep = 2;
  HEADWISE_HOT static void read(const Bf16Pair* p, Vf (&w)[2]) {
    const Vi both = std::bit_cast<Vi>(load(reinterpret_cast<const float*>(p)));
    w[0] = std::bit_cast<Vf>(shift_left_int<16>(both));
    w[1] = std::bit_cast<Vf>(and_int(both, std::bit_cast<std::int32_t>(0xFFFF0000u)));
  }
};

// R rows by a panel. Packed: x is [k][R] (rows beyond the tile's are padding); else rows of x at x_stride.
template <class Word, bool Packed>
struct PlainTile {
  using Weights = PlainWeights<Word>;
  static constexpr int kStep = Weights::kStep;

  template <int R>
  HEADWISE_KERNEL static void run(int rows, const Word* w, const float* x, index_t x_stride, index_t k, TileOutput out, Ahead ahead) {
    for (int column = 0; column < kPanel && column < out.columns; column += kTileVectors * kLanes) {
      Vf acc[R][kTileVectors];
      begin_tile(acc, out, rows, column);
      const float* row[R];
      HEADWISE_UNROLL
      for (int r = 0; r < R; ++r) row[r] = Packed ? x + r : x + (r < rows ? r : rows - 1) * x_stride;
      const Word* p = w + column;
      index_t i = 0;
      for (; i + kStep <= k; i += kStep, p += kPanel) {
        if constexpr (!Packed) {
          constexpr index_t kAhead = 2048 / static_cast<index_t>(sizeof(Word));
          prefetch(p + kAhead);
          if constexpr (sizeof(Word) == 4) prefetch(p + kAhead + 16);
        } else if (i % kPlainStep == 0) {
          ahead.step();
        }
        step<R, kStep>(p, row, i, acc);
      }
      if constexpr (kStep > 1) {
        if (i < k) step<R, 1>(p, row, i, acc);
      }
      end_tile(acc, out, rows, column);
    }
  }

  // The first Count values of k of the words at p.
  template <int R, int Count>
  HEADWISE_HOT static void step(const Word* p, const float* const (&row)[R], index_t k, Vf (&acc)[R][kTileVectors]) {
    Vf w[kTileVectors][kStep];
    HEADWISE_UNROLL
    for (int v = 0; v < kTileVectors; ++v) Weights::read(p + v * kLanes, w[v]);
    HEADWISE_UNROLL
    for (int s = 0; s < Count; ++s) {
      HEADWISE_UNROLL
      for (int r = 0; r < R; ++r) {
        const Vf value = splat(Packed ? row[r][(k + s) * R] : row[r][k + s]);
        HEADWISE_UNROLL
        for (int v = 0; v < kTileVectors; ++v) acc[r][v] = Weights::multiply_add(value, w[v][s], acc[r][v]);
      }
    }
  }
};

inline constexpr index_t kPlainChunk = 384;  // k of a tall tile's chunk: its weights stream from L2
inline constexpr index_t kPlainBytes = 2 << 20;  // of rows of x at a time: their next tile comes from L3, ahead of need

template <int... R>
constexpr int largest_tile(std::integer_sequence<int, R...>) {
  return std::max({R...});
}
// The tile that with_tile chooses.
template <int... R>
constexpr int tile_size(std::integer_sequence<int, R...> sizes, int rows) {
  int out = largest_tile(sizes);
  ((out = rows <= R && R < out ? R : out), ...);
  return out;
}

inline constexpr index_t kSmallRows = largest_tile(SmallTiles{});
inline constexpr index_t kTallRows = largest_tile(TallTiles{});

// Packs `rows` rows as [chunk of k][tile][k][R].
HEADWISE_KERNEL void pack_tiles(const float* x, index_t stride, index_t rows, index_t k, float* to) {
  const index_t tiles = (rows + kTallRows - 1) / kTallRows;
  for (index_t tile = 0; tile < tiles; ++tile) {
    const int here = static_cast<int>(std::min(kTallRows, rows - tile * kTallRows)), width = tile_size(TallTiles{}, here);
    const float* row[kTallRows];
    for (int r = 0; r < width; ++r) row[r] = x + (tile * kTallRows + std::min(r, here - 1)) * stride;
    for (index_t k0 = 0; k0 < k; k0 += kPlainChunk) {
      const index_t count = std::min(kPlainChunk, k - k0);
      float* out = to + (k0 * tiles + tile * count) * kTallRows;
      for (index_t i = k0; i < k0 + count; ++i, out += width)
        for (int r = 0; r < width; ++r) out[r] = row[r][i];
    }
  }
}

// A chunk of a panel as tall tiles read it.
template <class Word, class Dense = typename PlainWeights<Word>::Dense>
HEADWISE_HOT const Dense* dense_chunk(const Word* from, index_t k, float* scratch) {
  if constexpr (std::is_same_v<Word, Dense>) {
    return from;
  } else {
    constexpr int kStep = PlainWeights<Word>::kStep;
    for (index_t i = 0; i < k; i += kStep, from += kPanel)
      for (index_t n = 0; n < kPanel; n += kLanes) {
        Vf w[kStep];
        PlainWeights<Word>::read(from + n, w);
        HEADWISE_UNROLL
        for (int s = 0; s < kStep; ++s) store(scratch + (i + s) * kPanel + n, w[s]);
      }
    return scratch;
  }
}

// Rows of x at a time, whole tiles.
HEADWISE_HOT index_t plain_block_rows(index_t t, index_t k) {
  const index_t most = std::max(kPlainBytes / 4 / std::max(k, index_t{1}) / kTallRows, index_t{4});
  return std::min(most, (t + kTallRows - 1) / kTallRows) * kTallRows;
}

template <class Word>
HEADWISE_KERNEL void run_plain(const MatmulCall& call) {
  using Dense = typename PlainWeights<Word>::Dense;
  constexpr index_t kStep = PlainWeights<Word>::kStep;
  const index_t k = call.weights.cols, words = (k + kStep - 1) / kStep;  // of an output
  const auto* weights = reinterpret_cast<const Word*>(call.weights.data);
  TileOutput out{nullptr, call.y_stride, nullptr, 0, true, true};
  if (call.t <= kSmallRows) {
    for (index_t panel = call.panel_begin; panel < call.panel_end; ++panel) {
      const index_t n = panel * kPanel;
      out.y = call.y + n;
      out.bias = call.bias ? call.bias + n : nullptr;
      out.columns = static_cast<int>(std::min(kPanel, call.weights.rows - n));
      with_tile<PlainTile<Word, false>>(SmallTiles{}, static_cast<int>(call.t), weights + n * words, call.x, call.x_stride, k, out,
                                                   Ahead{});
    }
    return;
  }
  auto* packed_x = reinterpret_cast<float*>(call.scratch);
  const index_t block = plain_block_rows(call.t, k);
  float* wide = packed_x + block * k;
  for (index_t row = 0; row < call.t; row += block) {
    const index_t rows = std::min(block, call.t - row), tiles = (rows + kTallRows - 1) / kTallRows;
    pack_tiles(call.x + row * call.x_stride, call.x_stride, rows, k, packed_x);
    for (index_t panel = call.panel_begin; panel < call.panel_end; ++panel) {
      const index_t n = panel * kPanel;
      out.bias = call.bias ? call.bias + n : nullptr;
      out.columns = static_cast<int>(std::min(kPanel, call.weights.rows - n));
      for (index_t k0 = 0; k0 < k || k0 == 0; k0 += kPlainChunk) {
        const index_t count = std::min(kPlainChunk, k - k0), steps = (count + kPlainStep - 1) / kPlainStep;
        const Word *chunk = weights + n * words + k0 / kStep * kPanel, *next = chunk + (count + kStep - 1) / kStep * kPanel;
        const index_t left = call.panel_end * kPanel * words - (next - weights);
        Ahead ahead = Ahead::of(next, std::min(left, next - chunk) * static_cast<index_t>(sizeof(Word)), tiles * steps);
        const Dense* w = dense_chunk(chunk, count, wide);
        out.first = k0 == 0;
        out.last = k0 + count == k;
        for (index_t i = 0; i < tiles; ++i) {
          out.y = call.y + (row + i * kTallRows) * call.y_stride + n;
          with_tile<PlainTile<Dense, true>>(TallTiles{}, static_cast<int>(std::min(kTallRows, rows - i * kTallRows)), w,
                                            packed_x + (k0 * tiles + i * count) * kTallRows, index_t{0}, count, out, ahead);
          ahead.after(steps);
        }
      }
    }
  }
}

HEADWISE_HOT index_t plain_scratch_bytes(index_t t, index_t k) {
  return t <= kSmallRows ? 0 : 4 * (plain_block_rows(t, k) * k + kPanel * kPlainChunk);
}

// Rows of bf16 activations for targets without dot products of bf16: floats that were rounded.
HEADWISE_KERNEL void round_rows(const float* x, index_t stride, index_t row_begin, index_t row_end, index_t k, std::byte* out) {
  const index_t width = k + k % 2;
  for (index_t row = row_begin; row < row_end; ++row) {
    auto* to = reinterpret_cast<float*>(out) + row * width;
    for (index_t i = 0; i < k; i += kLanes) {
      const int n = static_cast<int>(k - i < kLanes ? k - i : kLanes);
      bf16 rounded[kLanes];
      store(rounded, load(x + row * stride + i, n));
      store(to + i, load(rounded), n);
    }
  }
}

HEADWISE_KERNEL void quantise_rows(const float* x, index_t stride, index_t row_begin, index_t row_end, index_t k, std::byte* out) {
  constexpr int kVectors = 32 / kLanes;
  const index_t blocks = k / 32;
  for (index_t row = row_begin; row < row_end; ++row) {
    auto* to = reinterpret_cast<QuantisedBlock*>(out) + row * blocks;
    const float* from = x + row * stride;
    for (index_t b = 0; b < blocks; ++b, from += 32, ++to) {
      Vf value[kVectors], largest = zero(), poison = zero();
      HEADWISE_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        value[v] = load(from + v * kLanes);
        largest = max(largest, abs(value[v]));
        poison = fma(value[v], zero(), poison);  // NaN if any is not finite
      }
      const float most = max_lane(largest);
      const bool finite = !any(is_nan(poison));
      if (!finite || most < 0x1p-100f) {
        *to = {};
        if (!finite) to->scale = to->scaled_sum = std::numeric_limits<float>::quiet_NaN();
        continue;
      }
      const Vf inverse = splat(127.0f / most);
      Vi sums = splat_int(0);  // of values 0..15 in the low halves, of 16..31 in the high halves
      HEADWISE_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const Vi q = to_int(mul(value[v], inverse));
        store_narrow(to->values + v * kLanes, q);
        sums = add(sums, v * kLanes < 16 ? q : shift_left_int<16>(q));
      }
      const std::int32_t both = sum(sums), low = static_cast<std::int16_t>(both & 0xFFFF), all = low + ((both - low) >> 16);
      to->scale = most / 127.0f;
      to->scaled_sum = to->scale * static_cast<float>(all);
      to->minus_sum = -all;
      to->minus_low_sum = -low;
    }
  }
}
