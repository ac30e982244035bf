// Matrix kernels for block-quantised weights and int8 activations; included once for each target (targets/region.hpp), VNNI among them.
// Uses the tiles of matmul_plain.inc.hpp. The target says: Vb and its operations; byte_vectors(rows), registers of outputs in a tile;
// kFusedTypes and FusedTiles, the types and numbers of rows of tiles that decode weights in registers; WideTiles, the numbers of rows of
// tiles that read a chunk which was decoded to bytes once for many of them.

// 2^(e - 128) of a byte e each: half of MXFP4's scale, for values in halves.
HEADWISE_HOT Vf power_of_two(const std::byte* e) { return scale(splat(1.0f), sub(to_float(load_bytes_as_int(e)), splat(128.0f))); }

// Reads packed records of a type: quads of weights as unsigned bytes, scales and minimums as floats. v: which vector of the panel.
template <DType Type>
struct Packed {
  static constexpr PackedLayout kLayout = packed_layout(Type);
  static constexpr int kBlocks = kLayout.blocks;
  static constexpr int kGroups = kLayout.groups;
  static constexpr bool kMinimums = kLayout.has_minimums();
  static constexpr int kShift = kLayout.offset_shift;
  static constexpr bool kSmall = Type != DType::q8_0;  // quants < 64
  static constexpr bool kBytes = !kSmall;
  static constexpr int kRecordBytes = kLayout.bytes();

  // Quads J and J + 4 of block s.
  template <int J>
  HEADWISE_HOT static void quads(const std::byte* record, int s, int v, Vb& low, Vb& high) {
    const std::byte* p = record + kLayout.quants + s * kLayout.block_bytes + v * kLanes * 4;
    if constexpr (kLayout.nibbles >= 0) {
      const Vb x = load_bytes(p + kLayout.nibbles + J * 128);
      low = and_byte(x, 15);
      high = and_byte(shift_bits<-4>(x), 15);
      if constexpr (kLayout.twos >= 0) {
        low = or_bytes(low, and_byte(shift_bits<4 - 2 * J>(load_bytes(p + kLayout.twos)), 0x30));
        high = or_bytes(high, and_byte(shift_bits<4 - 2 * J>(load_bytes(p + kLayout.twos + 128)), 0x30));
      }
      if constexpr (kLayout.ones >= 0) {
        const Vb y = load_bytes(p + kLayout.ones);
        low = or_bytes(low, and_byte(shift_bits<4 - J>(y), 0x10));
        high = or_bytes(high, and_byte(shift_bits<-J>(y), 0x10));
      }
      if constexpr (kLayout.codes) {
        low = look_up(kE2m1, low);
        high = look_up(kE2m1, high);
      }
    } else if constexpr (kLayout.twos >= 0) {
      low = and_byte(shift_bits<-2 * J>(load_bytes(p + kLayout.twos)), 3);
      high = and_byte(shift_bits<-2 * J>(load_bytes(p + kLayout.twos + 128)), 3);
      if constexpr (kLayout.ones >= 0) {
        const Vb y = load_bytes(p + kLayout.ones);
        low = or_bytes(low, and_byte(shift_bits<2 - J>(y), 4));
        high = or_bytes(high, and_byte(shift_bits<-2 - J>(y), 4));
      }
    } else {
      low = load_bytes(p + J * 128);
      high = load_bytes(p + (J + 4) * 128);
    }
  }

  // Of group g (a whole block, or its half) of block s.
  HEADWISE_HOT static Vf scale(const std::byte* record, int s, int g, int v) {
    if constexpr (kLayout.codes) return power_of_two(record + v * kLanes);
    const Vf d = load(reinterpret_cast<const f16*>(record) + v * kLanes);
    if constexpr (kLayout.sub_scales < 0 || kLayout.codes) {
      return d;
    } else {
      const std::byte* p = record + kLayout.sub_scales + (s * kGroups + g) * 32 + v * kLanes;
      if constexpr (Type == DType::q2_k) return mul(d, to_float(and_int(load_bytes_as_int(p), 15)));
      if constexpr (kMinimums) return mul(d, to_float(load_bytes_as_int(p)));
      return mul(d, load(reinterpret_cast<const std::int8_t*>(p)));
    }
  }
  HEADWISE_HOT static Vf minimum(const std::byte* record, int s, int g, int v) {
    const Vf d = load(reinterpret_cast<const f16*>(record + kLayout.minimums) + v * kLanes);
    if constexpr (kLayout.sub_minimums < 0) {
      return d;
    } else {
      const std::byte* p = record + kLayout.sub_minimums + (s * kGroups + g) * 32 + v * kLanes;
      const Vi m = load_bytes_as_int(p);
      return mul(sub(zero(), d), to_float(Type == DType::q2_k ? shift_right_int<4>(m) : m));
    }
  }
};

// A block decoded to bytes: f32 scales [groups][32], minimums [groups][32], quants [8][32][4]. Types that calculate alike share it.
template <int Groups, bool Minimums, int Shift, bool Small>
struct Wide {
  static constexpr int kBlocks = 1;
  static constexpr int kGroups = Groups;
  static constexpr bool kMinimums = Minimums;
  static constexpr int kShift = Shift;
  static constexpr bool kBytes = true;
  static constexpr bool kSmall = Small;
  static constexpr int kQuants = Groups * 128 * (Minimums ? 2 : 1);
  static constexpr int kRecordBytes = kQuants + 1024;

  template <int J>
  HEADWISE_HOT static void quads(const std::byte* record, int, int v, Vb& low, Vb& high) {
    const std::byte* p = record + kQuants + v * kLanes * 4;
    low = load_bytes(p + J * 128);
    high = load_bytes(p + (J + 4) * 128);
  }
  HEADWISE_HOT static Vf scale(const std::byte* record, int, int g, int v) {
    return load(reinterpret_cast<const float*>(record) + g * 32 + v * kLanes);
  }
  HEADWISE_HOT static Vf minimum(const std::byte* record, int, int g, int v) {
    return load(reinterpret_cast<const float*>(record) + (Groups + g) * 32 + v * kLanes);
  }
};

// The wide form of a type; signed types with small quants take the offset of the widest of them.
template <DType Type, class P = Packed<Type>>
using WideOf = Wide<P::kGroups, P::kMinimums, P::kShift < 0 ? -1 : !P::kSmall ? 7 : P::kGroups == 2 ? 5 : 4, P::kSmall>;

constexpr int offset_of(int shift) noexcept { return shift < 0 ? 0 : 1 << shift; }

template <class P, class W, int J>
HEADWISE_HOT void widen_quads(const std::byte* record, int s, std::byte* quants) {
  constexpr int kMore = offset_of(W::kShift) - offset_of(P::kShift);
  for (int v = 0; v < kPanel / kLanes; ++v) {
    Vb low, high;
    P::template quads<J>(record, s, v, low, high);
    store_bytes(quants + J * 128 + v * kLanes * 4, kMore ? add_byte(low, kMore) : low);
    store_bytes(quants + (J + 4) * 128 + v * kLanes * 4, kMore ? add_byte(high, kMore) : high);
  }
}

// In a class, as its tile is: a free function would also be looked for in the namespace of Ahead, which is another target's.
template <DType Type>
struct Widening {
  HEADWISE_KERNEL static void run(const std::byte* from, index_t records, std::byte* to, Ahead ahead) {
    using P = Packed<Type>;
    using W = WideOf<Type>;
    for (index_t i = 0; i < records; ++i, from += P::kRecordBytes)
      for (int s = 0; s < P::kBlocks; ++s, to += W::kRecordBytes) {
        auto* floats = reinterpret_cast<float*>(to);
        for (int g = 0; g < P::kGroups; ++g)
          for (int v = 0; v < kPanel / kLanes; ++v) {
            store(floats + g * 32 + v * kLanes, P::scale(from, s, g, v));
            if constexpr (P::kMinimums) store(floats + (P::kGroups + g) * 32 + v * kLanes, P::minimum(from, s, g, v));
          }
        widen_quads<P, W, 0>(from, s, to + W::kQuants);
        widen_quads<P, W, 1>(from, s, to + W::kQuants);
        widen_quads<P, W, 2>(from, s, to + W::kQuants);
        widen_quads<P, W, 3>(from, s, to + W::kQuants);
        ahead.step();
      }
  }
};

// scale * sum of the values of a group.
template <int Groups>
HEADWISE_HOT float group_sum(const QuantisedBlock& x, int g) {
  if constexpr (Groups == 1) return x.scaled_sum;
  return x.scale * static_cast<float>(g == 0 ? -x.minus_low_sum : x.minus_low_sum - x.minus_sum);
}

template <int R>
struct GroupSums {
  Vi value[R][byte_vectors(R)];
};

// Quads J and J + 4 of a block; of types with two groups a block only the one in group g.
template <class P, int R, int J>
HEADWISE_HOT void add_quads(const std::byte* record, int s, int g, int v0, const QuantisedBlock* const (&x)[R], int at,
                            GroupSums<R>& sums) {
  constexpr int kVectors = byte_vectors(R);
  Vb low[kVectors], high[kVectors];
  HEADWISE_UNROLL
  for (int v = 0; v < kVectors; ++v) P::template quads<J>(record, s, v0 + v, low[v], high[v]);
  HEADWISE_UNROLL
  for (int r = 0; r < R; ++r) {
    if (P::kGroups == 1 || g == 0) {
      const Vb a = splat_quad(x[r]->values + at + 4 * J);
      HEADWISE_UNROLL
      for (int v = 0; v < kVectors; ++v) sums.value[r][v] = dot<P::kSmall>(sums.value[r][v], low[v], a);
    }
    if (P::kGroups == 1 || g == 1) {
      const Vb a = splat_quad(x[r]->values + at + 4 * J + 16);
      HEADWISE_UNROLL
      for (int v = 0; v < kVectors; ++v) sums.value[r][v] = dot<P::kSmall>(sums.value[r][v], high[v], a);
    }
  }
}

// R rows by a panel: `records` records at w, blocks of x at x + row * x_stride.
template <class P>
struct QuantisedTile {
  template <int R>
  HEADWISE_KERNEL static void run(int rows, const std::byte* w, const QuantisedBlock* x, index_t x_stride, index_t records, TileOutput out,
                                  Ahead ahead) {
    constexpr int kVectors = byte_vectors(R);
    for (int column = 0; column < kPanel && column < out.columns; column += kVectors * kLanes) {
      const int v0 = column / kLanes;
      Vf acc[R][kVectors];
      begin_tile(acc, out, rows, column);
      const QuantisedBlock* row[R];
      HEADWISE_UNROLL
      for (int r = 0; r < R; ++r) row[r] = x + (r < rows ? r : rows - 1) * x_stride;
      const std::byte* record = w;
      for (index_t i = 0; i < records; ++i, record += P::kRecordBytes) {
        for (int s = 0; s < P::kBlocks; ++s) {
          HEADWISE_UNROLL
          for (int g = 0; g < P::kGroups; ++g) add_group<R>(record, s, g, v0, row, acc);
          HEADWISE_UNROLL
          for (int r = 0; r < R; ++r) ++row[r];
          ahead.step();
        }
      }
      end_tile(acc, out, rows, column);
    }
  }

  // Group g of block s.
  template <int R>
  HEADWISE_HOT static void add_group(const std::byte* record, int s, int g, int v0, const QuantisedBlock* const (&row)[R],
                                     Vf (&acc)[R][byte_vectors(R)]) {
    constexpr int kVectors = byte_vectors(R);
    GroupSums<R> sums;
    HEADWISE_UNROLL
    for (int r = 0; r < R; ++r) {
      Vi start = splat_int(0);
      if constexpr (P::kShift >= 0 && (P::kSmall || !kLargeIsSigned)) {  // takes the offset of the quants back
        if (P::kGroups == 1)
          start = splat_int(row[r]->minus_sum);
        else
          start = splat_int(g == 0 ? row[r]->minus_low_sum : row[r]->minus_sum - row[r]->minus_low_sum);
        start = shift_left_int<P::kShift < 0 ? 0 : P::kShift>(start);
      }
      HEADWISE_UNROLL
      for (int v = 0; v < kVectors; ++v) sums.value[r][v] = start;
    }
    if constexpr (P::kBytes && R < largest_tile(WideTiles{})) {  // only the tallest tiles gain from unrolling
      for (int j = 0; j < 4; ++j) add_quads<P, R, 0>(record + 128 * j, s, g, v0, row, 4 * j, sums);
    } else {
      add_quads<P, R, 0>(record, s, g, v0, row, 0, sums);
      add_quads<P, R, 1>(record, s, g, v0, row, 0, sums);
      add_quads<P, R, 2>(record, s, g, v0, row, 0, sums);
      add_quads<P, R, 3>(record, s, g, v0, row, 0, sums);
    }
    HEADWISE_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const Vf scale = P::scale(record, s, g, v0 + v);
      HEADWISE_UNROLL
      for (int r = 0; r < R; ++r) acc[r][v] = fma(to_float(sums.value[r][v]), mul(scale, splat(row[r]->scale)), acc[r][v]);
      if constexpr (P::kMinimums) {
        const Vf minimum = P::minimum(record, s, g, v0 + v);
        HEADWISE_UNROLL
        for (int r = 0; r < R; ++r) acc[r][v] = fma(minimum, splat(group_sum<P::kGroups>(*row[r], g)), acc[r][v]);
      }
    }
  }
};

inline constexpr index_t kChunkBlocks = 16;           // blocks of 32 k at a time: decoded, they stay in L1
inline constexpr index_t kQuantisedBytes = 768 << 10;  // of rows of x at a time: they stay in L2
inline constexpr index_t kStreamAhead = 6144;          // bytes between a stream and what it fetches (2560..16384 measured)
inline constexpr index_t kFusedRows = largest_tile(FusedTiles{});
inline constexpr index_t kWideRows = largest_tile(WideTiles{});

// Types whose tiles decode for themselves when rows are few; the others always go through the wide form.
constexpr bool is_fused(DType type) { return std::find(std::begin(kFusedTypes), std::end(kFusedTypes), type) != std::end(kFusedTypes); }

// How weights of a type are read: by tiles, after a decoder to the wide form or none. One driver serves all types and is compiled once.
struct QuantisedForm {
  using Tile = void (*)(int rows, const std::byte* w, const QuantisedBlock* x, index_t x_stride, index_t records, TileOutput out,
                        Ahead ahead);
  const Tile* tiles;  // for the numbers of rows in sizes, ascending
  const int* sizes;
  int count;
  index_t blocks, record_bytes;  // of a packed record
  void (*widen)(const std::byte* from, index_t records, std::byte* to, Ahead ahead) = nullptr;

  HEADWISE_HOT Tile tile_for(int rows) const {
    int i = 0;
    while (i + 1 < count && rows > sizes[i]) ++i;
    return tiles[i];
  }
};

template <class P, class Sizes>
struct TileList;
template <class P, int... R>
struct TileList<P, std::integer_sequence<int, R...>> {
  static constexpr QuantisedForm::Tile kTiles[] = {QuantisedTile<P>::template run<R>...};
  static constexpr int kSizes[] = {R...};
};

template <DType Type>
struct Forms {
  template <class P, class Sizes>
  static constexpr QuantisedForm of(decltype(QuantisedForm::widen) widen) {
    using List = TileList<P, Sizes>;
    return {List::kTiles, List::kSizes, static_cast<int>(Sizes::size()), Packed<Type>::kBlocks, Packed<Type>::kRecordBytes, widen};
  }
  static constexpr QuantisedForm many() {
    if constexpr (Packed<Type>::kSmall)
      return of<WideOf<Type>, WideTiles>(Widening<Type>::run);
    else
      return of<Packed<Type>, WideTiles>(nullptr);  // bytes need no decoding
  }
  static constexpr QuantisedForm few() {
    if constexpr (is_fused(Type))
      return of<Packed<Type>, FusedTiles>(nullptr);
    else
      return many();
  }
};

// One panel and `rows` rows from `row` on, in tiles of tile_rows.
HEADWISE_KERNEL void run_panel(const MatmulCall& call, const QuantisedForm& form, index_t panel, index_t row, index_t rows,
                               index_t tile_rows) {
  const index_t blocks = call.weights.cols / 32, records = blocks / form.blocks, n = panel * kPanel;
  const index_t tiles = (rows + tile_rows - 1) / tile_rows;
  const std::byte* packed = call.weights.data + panel * records * form.record_bytes;
  const std::byte* end = call.weights.data + call.panel_end * records * form.record_bytes;
  const auto* x = reinterpret_cast<const QuantisedBlock*>(call.prepared_x) + row * blocks;
  // A single tile reads packed weights only once, as a stream.
  const bool stream = !form.widen && tiles == 1;
  const index_t chunk = stream ? std::max(records, index_t{1}) : kChunkBlocks / form.blocks;
  TileOutput out{nullptr, call.y_stride, call.bias ? call.bias + n : nullptr,
                 static_cast<int>(std::min(kPanel, call.weights.rows - n)), true, true};
  for (index_t r0 = 0; r0 < records || r0 == 0; r0 += chunk) {
    const index_t count = std::min(chunk, records - r0), steps = count * form.blocks;
    out.first = r0 == 0;
    out.last = r0 + count == records;
    const std::byte *next = packed + count * form.record_bytes, *w = packed;
    Ahead ahead;
    if (!stream)
      ahead = Ahead::of(next, std::min(end - next, count * form.record_bytes), (tiles + (form.widen ? 1 : 0)) * steps);
    else if (count > 0)
      ahead = {packed + kStreamAhead, end, (form.record_bytes / form.blocks + 63) / 64};
    if (form.widen) {
      form.widen(packed, count, call.scratch, ahead);
      ahead.after(steps);
      w = call.scratch;
    }
    for (index_t i = 0; i < rows; i += tile_rows) {
      const int here = static_cast<int>(std::min(tile_rows, rows - i));
      out.y = call.y + (row + i) * call.y_stride + n;
      form.tile_for(here)(here, w, x + i * blocks + r0 * form.blocks, blocks, form.widen ? steps : count, out, ahead);
      ahead.after(steps);
    }
    packed = next;
  }
}

HEADWISE_KERNEL void run_quantised(const MatmulCall& call, const QuantisedForm& few, const QuantisedForm& many) {
  if (call.t <= 2 * kFusedRows) {
    for (index_t panel = call.panel_begin; panel < call.panel_end; ++panel) run_panel(call, few, panel, 0, call.t, kFusedRows);
    return;
  }
  const index_t row_bytes = std::max(call.weights.cols / 32, index_t{1}) * static_cast<index_t>(sizeof(QuantisedBlock));
  const index_t block = std::max(kQuantisedBytes / row_bytes / kWideRows, index_t{8}) * kWideRows;
  for (index_t row = 0; row < call.t; row += block)
    for (index_t panel = call.panel_begin; panel < call.panel_end; ++panel)
      run_panel(call, many, panel, row, std::min(block, call.t - row), kWideRows);
}

template <DType Type>
HEADWISE_HOT void run_type(const MatmulCall& call) {
  static constexpr QuantisedForm few = Forms<Type>::few(), many = Forms<Type>::many();
  run_quantised(call, few, many);
}

HEADWISE_HOT MatmulCall of_rounded_rows(MatmulCall call) {
  call.x = reinterpret_cast<const float*>(call.prepared_x);
  call.x_stride = call.weights.cols + call.weights.cols % 2;
  return call;
}

HEADWISE_KERNEL void run_matmul(const MatmulCall& call) {
  if (call.t <= 0) return;
  switch (call.weights.type) {
    case DType::f32: return run_plain<float>(call);
    case DType::f16: return run_plain<f16>(call);
    case DType::bf16: return run_plain<Bf16Pair>(call.activations == Activations::bf16 ? of_rounded_rows(call) : call);
    case DType::q4_0: return run_type<DType::q4_0>(call);
    case DType::q4_1: return run_type<DType::q4_1>(call);
    case DType::q5_0: return run_type<DType::q5_0>(call);
    case DType::q5_1: return run_type<DType::q5_1>(call);
    case DType::q8_0: return run_type<DType::q8_0>(call);
    case DType::q2_k: return run_type<DType::q2_k>(call);
    case DType::q3_k: return run_type<DType::q3_k>(call);
    case DType::q4_k: return run_type<DType::q4_k>(call);
    case DType::q5_k: return run_type<DType::q5_k>(call);
    case DType::q6_k: return run_type<DType::q6_k>(call);
    case DType::mxfp4: return run_type<DType::mxfp4>(call);
    default: return;
  }
}

HEADWISE_KERNEL index_t matmul_scratch_bytes(DType weights, index_t t, index_t k) {
  if (!is_quantised(weights)) return plain_scratch_bytes(t, k);
  return weights != DType::q8_0 && (t > 2 * kFusedRows || !is_fused(weights)) ? kChunkBlocks * (1024 + 4 * 128) : 0;
}

HEADWISE_KERNEL void prepare_rows(Activations form, const float* x, index_t stride, index_t row_begin, index_t row_end, index_t k,
                                  std::byte* out) {
  if (form == Activations::int8) quantise_rows(x, stride, row_begin, row_end, k, out);
  if (form == Activations::bf16) round_rows(x, stride, row_begin, row_end, k, out);
}

inline constexpr MatmulKernels kMatmul{.prepare = prepare_rows, .scratch_bytes = matmul_scratch_bytes, .run = run_matmul};
