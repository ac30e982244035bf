#pragma once
// y = x W^T for every storage type of weights: one kernel set a target, reached through `Table::matmul`.
//
// Three laws. Plain weights (f32, f16, bf16): each output is one chain of fused multiply-adds over k ascending, from +0. Quantised weights:
// the row of x is quantised to int8 per block of 32 (scale = max |x| / 127, nearest even); products are summed exactly in int32 inside a
// block or a weight's scale group, and across groups in one float chain, k ascending: acc = fma(float(sum), scale_w * scale_x, acc), then
// acc = fma(minimum_w, scale_x * sum(x), acc) for types with minimums. bf16 weights with bf16 activations, where a caller asks for them:
// the row of x is rounded to bf16, and the chain is one of the CPU's dot products of pairs (avx512_bf16; denormals count as zero) or of
// fused multiply-adds (the other targets).
//
// Nothing depends on the number of rows, on the range of panels or on who computes it: every row has the bits of its own t = 1 result on
// the same target. Bits differ between targets only where fused multiply-adds do (the scalar target rounds twice) and where bf16
// activations meet another instruction. A row with a NaN or an infinity that meets quantised weights becomes NaN.

#include <cstddef>
#include <cstdint>

#include "headwise/core/config.hpp"
#include "headwise/kernels/packing.hpp"

namespace hw::kernels {

/// What weights are multiplied with.
enum class Activations : std::uint8_t { f32, int8, bf16 };

/// int8 for block-quantised weights; for the others f32, or bf16 for bf16 weights where that is asked for.
constexpr Activations activations_for(DType weights, bool bf16 = false) noexcept {
  return is_quantised(weights) ? Activations::int8 : bf16 && weights == DType::bf16 ? Activations::bf16 : Activations::f32;
}

/// A block of 32 values of x for the quantised types.
struct QuantisedBlock {
  std::int8_t values[32];
  float scale;                 // value = scale * values[i]
  float scaled_sum;            // scale * sum of values
  std::int32_t minus_sum;      // - sum of values
  std::int32_t minus_low_sum;  // - sum of values[0..15]
};
static_assert(sizeof(QuantisedBlock) == 48);

/// Bytes that `prepare` writes for t rows of width k; 0: the kernel reads the float rows.
constexpr index_t prepared_bytes(Activations form, index_t t, index_t k) noexcept {
  if (form == Activations::int8) return t * (k / 32) * static_cast<index_t>(sizeof(QuantisedBlock));
  return form == Activations::bf16 ? t * (k + k % 2) * static_cast<index_t>(sizeof(float)) : 0;
}

/// y[t, n] = sum over k of x[t, k] w[n, k] + bias[n], for the outputs n of panels [panel_begin, panel_end).
/// x is read for f32 activations, prepared_x (of the same t rows) for the others. y may not alias an input; the scratch belongs to
/// this call alone, its bytes as scratch_bytes says. Cost: 2 t n k flops, no allocation.
struct MatmulCall {
  PackedMatrix weights;
  Activations activations = Activations::f32;
  const float* x = nullptr;
  index_t x_stride = 0;
  const std::byte* prepared_x = nullptr;
  index_t t = 0;
  float* y = nullptr;
  index_t y_stride = 0;
  const float* bias = nullptr;  // or null
  index_t panel_begin = 0;
  index_t panel_end = 0;
  std::byte* scratch = nullptr;
};

struct MatmulKernels {
  /// Quantises (int8: k is a multiple of 32) or rounds (bf16) rows [row_begin, row_end) of x to where they belong in `out`, which begins at
  /// a multiple of 64 bytes. |x| < 2^-100 in a whole quantised block counts as zero.
  void (*prepare)(Activations form, const float* x, index_t stride, index_t row_begin, index_t row_end, index_t k, std::byte* out);
  /// Scratch of one call of `run` with up to t rows of width k.
  index_t (*scratch_bytes)(DType weights, index_t t, index_t k);
  void (*run)(const MatmulCall& call);
};

}  // namespace hw::kernels
