#pragma once
#include <cmath>

#include "headwise/mixers/linear_attention/lightning_attention.hpp"
#include "headwise/mixers/scan_heads.hpp"

namespace hw {
namespace detail {

inline const LightningAttention::Config& checked(const LightningAttention::Config& c, const Build& b) {
  check_sizes(b.path("q"), {{c.hidden_size, "hidden_size"}, {c.heads, "heads"}, {c.head_dim, "head_dim"}});
  checked_mul(checked_mul(c.heads, c.head_dim, b.path("q")), c.head_dim, b.path("q"));
  if (!(c.slope_scale >= 0) || !std::isfinite(c.slope_scale)) fail(b.path("q"), "a slope of at least 0", std::to_string(c.slope_scale));
  return c;
}

}  // namespace detail

HEADWISE_LOAD_TIME LightningAttention::LightningAttention(const Config& c, const Build& b)
    : config_(detail::checked(c, b)),
      in_(c.hidden_size, {{"q", width()}, {"k", width()}, {"v", width()}, {"gate", width()}}, b),
      norm_(b.vector("head_norm.weight", width())),
      out_(width(), c.hidden_size, false, b.scope("o")) {
  for (index_t j = 0; j < c.heads; ++j)
    decay_.push_back(
        static_cast<float>(std::exp(-c.slope_scale * std::exp2(-8.0 * static_cast<double>(j + 1) / static_cast<double>(c.heads)))));
}

HEADWISE_INLINE void LightningAttention::forward(In in, View delta, const States<State>& states) const {
  const Frame& f = in.frame;
  const Step& step = f.step;
  const kernels::ElementwiseKernels& elementwise = step.kernels.elementwise;
  const index_t t = in.x.rows, n = config_.head_dim;

  const View all = step.arena.take_view(t, in_.out()), y = step.arena.take_view(t, width());
  const View qkv = all.col_range(0, 3 * width()), gate = all.col_range(3 * width(), all.cols);
  in_.forward(in.x, all, f);
  step.parallel_rows(t, 8 * qkv.cols, [&](index_t first, index_t last) {
    elementwise.activate(Activation::silu, qkv.row(first), qkv.stride, last - first, qkv.cols, qkv.row(first), qkv.stride);
  });
  scan_heads(f, states, config_.heads, [&](index_t row, index_t j) -> kernels::Scan {
    const float* const q = qkv.row(row) + j * n;
    return {.keys = n,
            .values = n,
            .q = q,
            .k = q + width(),
            .v = q + 2 * width(),
            .q_stride = qkv.stride,
            .k_stride = qkv.stride,
            .v_stride = qkv.stride,
            .kind = kernels::Decay::token,
            .decay = &decay_[static_cast<std::size_t>(j)],
            .decay_stride = 0,
            .out = y.row(row) + j * n,
            .out_stride = y.stride};
  });
  step.parallel_rows(t, 16 * width(), [&](index_t first, index_t last) {
    elementwise.rms_norm(y.row(first), y.stride, last - first, width(), norm_.data(), config_.norm_eps, y.row(first), y.stride);
    elementwise.gate(Activation::sigmoid, gate.row(first), gate.stride, y.row(first), y.stride, last - first, width(), y.row(first),
                     y.stride);
  });
  out_.forward(y, delta, f);
}

}  // namespace hw
