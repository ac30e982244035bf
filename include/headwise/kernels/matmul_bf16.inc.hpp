// bf16 weights and activations by dot products of pairs; everything else is the kernels of avx512_vnni. Included for avx512_bf16, after
// matmul_plain.inc.hpp.

// A pair of k is one word of the plain kernels, which never look into it.
struct DotPair {
  float bits;
};
template <>
struct PlainWeights<DotPair> {
  using Dense = DotPair;
  static constexpr int kStep = 1;
  HEADWISE_HOT static void read(const DotPair* p, Vf (&w)[1]) { w[0] = load(&p->bits); }
  HEADWISE_HOT static Vf multiply_add(Vf x, Vf w, Vf acc) {
    return {_mm512_dpbf16_ps(acc.v, (__m512bh)_mm512_castps_si512(x.v), (__m512bh)_mm512_castps_si512(w.v))};
  }
};

HEADWISE_KERNEL void run_pairs(const MatmulCall& call) {
  MatmulCall pairs = call;
  pairs.weights.cols = pairs.x_stride = (call.weights.cols + 1) / 2;
  pairs.x = reinterpret_cast<const float*>(call.prepared_x);
  run_plain<DotPair>(pairs);
}

HEADWISE_KERNEL void run_matmul_bf16(const MatmulCall& call) {
  if (call.activations != Activations::bf16)
    avx512_vnni::kMatmul.run(call);
  else if (call.t > 0)
    run_pairs(call);
}

// Rows of pairs, an odd last value beside a zero.
HEADWISE_KERNEL void pair_rows(const float* x, index_t stride, index_t row_begin, index_t row_end, index_t k, std::byte* out) {
  const index_t width = k + k % 2;
  for (index_t row = row_begin; row < row_end; ++row) {
    auto* to = reinterpret_cast<bf16*>(out) + row * width;
    for (index_t i = 0; i < width; i += kLanes)
      store(to + i, load(x + row * stride + i, static_cast<int>(k - i < kLanes ? k - i : kLanes)),
            static_cast<int>(width - i < kLanes ? width - i : kLanes));
  }
}

HEADWISE_KERNEL void prepare_rows_bf16(Activations form, const float* x, index_t stride, index_t row_begin, index_t row_end, index_t k,
                                       std::byte* out) {
  if (form == Activations::bf16)
    pair_rows(x, stride, row_begin, row_end, k, out);
  else
    avx512_vnni::kMatmul.prepare(form, x, stride, row_begin, row_end, k, out);
}

HEADWISE_KERNEL index_t matmul_scratch_bytes_bf16(DType weights, index_t t, index_t k) {
  const index_t other = avx512_vnni::kMatmul.scratch_bytes(weights, t, k), pairs = plain_scratch_bytes(t, (k + 1) / 2);
  return weights == DType::bf16 && pairs > other ? pairs : other;
}

inline constexpr MatmulKernels kMatmul{
    .prepare = prepare_rows_bf16, .scratch_bytes = matmul_scratch_bytes_bf16, .run = run_matmul_bf16};
