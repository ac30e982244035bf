// Matrix kernels for f32, f16 and bf16 weights, and the quantiser of activations; included once for each target (targets/region.hpp).
// The target says: kTileVectors, registers of outputs in a tile; SmallTiles, TallTiles, the numbers of rows that tiles are compiled for.

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

// Rows of tile i when t rows are split evenly into tiles of at most `most`.
struct EvenSplit {
  index_t tiles, base, larger;
  HEADWISE_HOT static EvenSplit of(index_t t, index_t most) {
    const index_t tiles = (t + most - 1) / most;
    return {tiles, t / tiles, t % tiles};
  }
  HEADWISE_HOT index_t begin(index_t i) const { return i * base + (i < larger ? i : larger); }
  HEADWISE_HOT int count(index_t i) const { return static_cast<int>(base + (i < larger)); }
};

// A panel's part of y that a tile adds to.
struct TileOutput {
  float* y;
  index_t stride;
  const float* bias;  // of this panel; null: none
  int columns;        // of the panel that exist, 1..32
  bool first, last;   // chunk of k
};

template <int R, int V>
HEADWISE_HOT void begin_tile(Vf (&acc)[R][V], const TileOutput& out, int rows, int column) {
  if (out.first) {
    HEADWISE_UNROLL
    for (int r = 0; r < R; ++r)
      HEADWISE_UNROLL
      for (int v = 0; v < V; ++v) acc[r][v] = zero();
    return;
  }
  HEADWISE_UNROLL
  for (int r = 0; r < R; ++r) {
    const float* y = out.y + (r < rows ? r : rows - 1) * out.stride + column;
    HEADWISE_UNROLL
    for (int v = 0; v < V; ++v) {
      const int left = out.columns - column - v * kLanes;
      acc[r][v] = left >= kLanes ? load(y + v * kLanes) : left > 0 ? load(y + v * kLanes, left) : zero();
    }
  }
}

template <int R, int V>
HEADWISE_HOT void end_tile(Vf (&acc)[R][V], const TileOutput& out, int rows, int column) {
  const bool bias = out.last && out.bias;
  HEADWISE_UNROLL
  for (int v = 0; v < V; ++v) {
    const int left = out.columns - column - v * kLanes;
    if (left >= kLanes) {
      const Vf b = bias ? load(out.bias + column + v * kLanes) : zero();
      HEADWISE_UNROLL
      for (int r = 0; r < R; ++r)
        if (r < rows) store(out.y + r * out.stride + column + v * kLanes, bias ? add(acc[r][v], b) : acc[r][v]);
    } else if (left > 0) {
      const Vf b = bias ? load(out.bias + column + v * kLanes, left) : zero();
      HEADWISE_UNROLL
      for (int r = 0; r < R; ++r)
        if (r < rows) store(out.y + r * out.stride + column + v * kLanes, bias ? add(acc[r][v], b) : acc[r][v], left);
    }
  }
}

// R rows by a panel. Packed: x is [k][R] (rows beyond the tile's are padding); else rows of x at x_stride.
template <class Element, bool Packed>
struct PlainTile {
  template <int R>
  HEADWISE_KERNEL static void run(int rows, const Element* w, const float* x, index_t x_stride, index_t k, TileOutput out) {
    for (int column = 0; column < kPanel && column < out.columns; column += kTileVectors * kLanes) {
      Vf acc[R][kTileVectors];
      begin_tile(acc, out, rows, column);
      const float* row[R];
      HEADWISE_UNROLL
      for (int r = 0; r < R; ++r) row[r] = Packed ? x : x + (r < rows ? r : rows - 1) * x_stride;
      const Element* p = w + column;
      const float* a = x;
      for (index_t i = 0; i < k; ++i, p += kPanel, a += R) {
        if constexpr (!Packed) {
          constexpr index_t kAhead = 2048 / static_cast<index_t>(sizeof(Element));
          prefetch(p + kAhead);
          if constexpr (sizeof(Element) == 4) prefetch(p + kAhead + 16);
        }
        Vf weight[kTileVectors];
        HEADWISE_UNROLL
        for (int v = 0; v < kTileVectors; ++v) weight[v] = load(p + v * kLanes);
        HEADWISE_UNROLL
        for (int r = 0; r < R; ++r) {
          const Vf value = splat(Packed ? a[r] : row[r][i]);
          HEADWISE_UNROLL
          for (int v = 0; v < kTileVectors; ++v) acc[r][v] = fma(value, weight[v], acc[r][v]);
        }
      }
      end_tile(acc, out, rows, column);
    }
  }
};

inline constexpr index_t kPlainChunk = 384;  // k of a tall tile's chunk: its weights stream from L2
inline constexpr index_t kPlainRows = 264;   // rows whose chunk stays in L2

HEADWISE_HOT constexpr int tile_size(std::integer_sequence<int>, int, int last) { return last; }
template <int R, int... More>
HEADWISE_HOT constexpr int tile_size(std::integer_sequence<int, R, More...>, int rows, int = 0) {
  return rows <= R ? R : tile_size(std::integer_sequence<int, More...>{}, rows, R);
}
template <int... R>
constexpr int largest_tile(std::integer_sequence<int, R...>) {
  return std::max({R...});
}

inline constexpr index_t kSmallRows = largest_tile(SmallTiles{});
inline constexpr index_t kTallRows = largest_tile(TallTiles{});

// Packs the chunk [k0, k0 + count) of a row block as [tile][k][R].
HEADWISE_KERNEL void pack_tiles(const float* x, index_t stride, const EvenSplit& split, index_t k0, index_t count, float* to) {
  for (index_t i = 0; i < split.tiles; ++i) {
    const int rows = split.count(i), width = tile_size(TallTiles{}, rows);
    float* tile = to + i * kTallRows * kPlainChunk;
    for (int r = 0; r < width; ++r) {
      const float* from = x + (split.begin(i) + (r < rows ? r : rows - 1)) * stride + k0;
      for (index_t k = 0; k < count; ++k) tile[k * width + r] = from[k];
    }
  }
}

template <class Element>
HEADWISE_HOT const float* widened(const Element* from, index_t count, float* scratch) {
  if constexpr (std::is_same_v<Element, float>) {
    return from;
  } else {
    for (index_t i = 0; i < count; i += kLanes) store(scratch + i, load(from + i));
    return scratch;
  }
}

template <class Element>
HEADWISE_KERNEL void run_plain(const MatmulCall& call) {
  const index_t k = call.weights.cols;
  const auto* weights = reinterpret_cast<const Element*>(call.weights.data);
  TileOutput out{nullptr, call.y_stride, nullptr, 0, true, true};
  if (call.t <= kSmallRows) {
    for (index_t panel = call.panel_begin; panel < call.panel_end; ++panel) {
      const index_t n = panel * kPanel;
      out.y = call.y + n;
      out.bias = call.bias ? call.bias + n : nullptr;
      out.columns = static_cast<int>(std::min(kPanel, call.weights.rows - n));
      with_tile<PlainTile<Element, false>>(SmallTiles{}, static_cast<int>(call.t), weights + n * k, call.x, call.x_stride, k, out);
    }
    return;
  }
  auto* tiles = reinterpret_cast<float*>(call.scratch);
  float* wide = tiles + (kPlainRows / kTallRows + 1) * kTallRows * kPlainChunk;
  const EvenSplit blocks = EvenSplit::of(call.t, kPlainRows);
  for (index_t b = 0; b < blocks.tiles; ++b) {
    const index_t row = blocks.begin(b);
    const EvenSplit split = EvenSplit::of(blocks.count(b), kTallRows);
    for (index_t k0 = 0; k0 < k || k0 == 0; k0 += kPlainChunk) {
      const index_t count = std::min(kPlainChunk, k - k0);
      pack_tiles(call.x + row * call.x_stride, call.x_stride, split, k0, count, tiles);
      out.first = k0 == 0;
      out.last = k0 + count == k;
      for (index_t panel = call.panel_begin; panel < call.panel_end; ++panel) {
        const index_t n = panel * kPanel;
        const Element* chunk = weights + n * k + k0 * kPanel;
        const auto* next = reinterpret_cast<const std::byte*>(chunk + k * kPanel);
        const index_t next_bytes = panel + 1 < call.panel_end ? count * kPanel * static_cast<index_t>(sizeof(Element)) : 0;
        const float* w = widened(chunk, count * kPanel, wide);
        out.bias = call.bias ? call.bias + n : nullptr;
        out.columns = static_cast<int>(std::min(kPanel, call.weights.rows - n));
        for (index_t i = 0; i < split.tiles; ++i) {
          const index_t part = (next_bytes / 64 + split.tiles - 1) / split.tiles * 64;
          for (index_t byte = i * part; byte < std::min((i + 1) * part, next_bytes); byte += 64) prefetch_l2(next + byte);
          out.y = call.y + (row + split.begin(i)) * call.y_stride + n;
          with_tile<PlainTile<float, true>>(TallTiles{}, split.count(i), w, tiles + i * kTallRows * kPlainChunk, index_t{0}, count, out);
        }
      }
    }
  }
}

HEADWISE_HOT index_t plain_scratch_bytes(index_t t) {
  if (t <= kSmallRows) return 0;
  return 4 * ((kPlainRows / kTallRows + 1) * kTallRows * kPlainChunk + kPanel * kPlainChunk);
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
      const float most = max_lane(largest), bad = sum(poison);
      const bool usable = bad == 0.0f && most >= 0x1p-100f;
      to->scale = bad == 0.0f ? (usable ? most / 127.0f : 0.0f) : std::numeric_limits<float>::quiet_NaN();
      const Vf inverse = splat(usable ? 127.0f / most : 0.0f);
      std::int32_t low = 0, all = 0;
      if (usable) {
        HEADWISE_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          const Vi q = to_int(mul(value[v], inverse));
          store_narrow(to->values + v * kLanes, q);
          const std::int32_t part = sum(q);
          if (v * kLanes < 16) low += part;
          all += part;
        }
      } else {
        std::memset(to->values, 0, sizeof to->values);
      }
      to->scaled_sum = to->scale * static_cast<float>(all);
      to->minus_sum = -all;
      to->minus_low_sum = -low;
    }
  }
}
