#pragma once
// Row-wise kernels: one function a target, reached through `Table::elementwise`.

#include "headwise/core/config.hpp"
#include "headwise/kernels/activation.hpp"

namespace hw::kernels {

/// Which coordinates of a head rotate together: i and i + r/2 (GPT-NeoX, Llama), or 2i and 2i + 1 (GPT-J).
enum class RopePairs : std::uint8_t { halves, neighbours };

/// x is (t, d) with rows x_stride apart; so is y, which may be x itself but must not overlap it in another way. Sums are f32 over
/// a fixed tree, so a row's bits depend on the row alone. Accuracy of the functions: kernels/elementwise_math.inc.hpp.
/// NaN and infinities give what the formula gives in IEEE arithmetic. Nothing here throws or allocates.
struct ElementwiseKernels {
  /// y = x / sqrt(mean(x^2) + eps) * w; without a weight (null) no product.           RMSNorm, arXiv:1910.07467
  void (*rms_norm)(const float* x, index_t x_stride, index_t t, index_t d, const float* weight, float eps, float* y, index_t y_stride);

  /// y = (x - mean(x)) / sqrt(var(x) + eps) * w + b; weight and bias may be null.      LayerNorm, arXiv:1607.06450
  void (*layer_norm)(const float* x, index_t x_stride, index_t t, index_t d, const float* weight, const float* bias, float eps, float* y,
                     index_t y_stride);

  /// y = x / max(|x|_2, eps)
  void (*l2_normalise)(const float* x, index_t x_stride, index_t t, index_t d, float eps, float* y, index_t y_stride);

  /// y = exp(x - max x) / sum exp(x - max x), of every row.
  void (*softmax)(const float* x, index_t x_stride, index_t t, index_t d, float* y, index_t y_stride);

  /// y[i] = log sum_j exp(x[i][j]); -inf for an empty row or one of -inf.
  void (*log_sum_exp)(const float* x, index_t x_stride, index_t t, index_t d, float* y);

  /// y = act(x)
  void (*activate)(Activation act, const float* x, index_t x_stride, index_t t, index_t d, float* y, index_t y_stride);

  /// y = act(g) * u; y may be g or u.                                                    GLU variants, arXiv:2002.05202
  void (*gate)(Activation act, const float* g, index_t g_stride, const float* u, index_t u_stride, index_t t, index_t d, float* y,
               index_t y_stride);

  /// y[i] = a[i] + b[i], i < n. y may be a or b.
  void (*add)(const float* a, const float* b, float* y, index_t n);

  /// y = a x + b z, as the rounded b z plus a x in one rounding; y may be x or z.
  void (*add_scaled)(const float* x, index_t x_stride, float a, const float* z, index_t z_stride, float b, index_t t, index_t d, float* y,
                     index_t y_stride);

  /// y = a x
  void (*scale)(const float* x, index_t x_stride, float a, index_t t, index_t d, float* y, index_t y_stride);

  /// y = c tanh(x / c)
  void (*soft_cap)(const float* x, index_t x_stride, float c, index_t t, index_t d, float* y, index_t y_stride);

  /// y[j] = sum_i x[i][j] / t, rows added in ascending order; zeros when t is 0.
  void (*mean_rows)(const float* x, index_t x_stride, index_t t, index_t d, float* y);

  /// Rotates, in place, the first r = 2 n coordinates of each of `heads` heads that start head_stride apart in a row of x:
  ///   (x_p, x_q) <- (x_p cos - x_q sin, x_q cos + x_p sin) for the pair i < n, with cos and sin (t, n), angle_stride between rows.
  ///                                                                                     RoPE, arXiv:2104.09864
  void (*rope)(float* x, index_t x_stride, index_t t, index_t heads, index_t head_stride, const float* cos, const float* sin,
               index_t angle_stride, index_t n, RopePairs pairs);
};

}  // namespace hw::kernels
