#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/mixers/linear_attention/gated_delta_net.hpp"
#include "headwise/mixers/scan_heads.hpp"

namespace hw {
namespace detail {

inline const GatedDeltaNet::Config& checked(const GatedDeltaNet::Config& c, const Build& b) {
  check_sizes(b.path("q"), {{c.hidden_size, "hidden_size"},
                            {c.key_heads, "key_heads"},
                            {c.value_heads, "value_heads"},
                            {c.key_dim, "key_dim"},
                            {c.value_dim, "value_dim"},
                            {c.decay_rank + 1, "decay_rank"},
                            {c.gate_rank + 1, "gate_rank"}});
  checked_mul(checked_mul(c.value_heads, c.value_dim, b.path("v")), c.key_dim, b.path("v"));
  if (c.value_heads % c.key_heads != 0)
    fail(b.path("q"), concat("key heads that divide the ", c.value_heads, " value heads"), std::to_string(c.key_heads));
  if (!(c.decay_floor <= 0)) fail(b.path("a"), "a floor of the decays' logarithms below 0", std::to_string(c.decay_floor));
  return c;
}

}  // namespace detail

HEADWISE_LOAD_TIME GatedDeltaNet::GatedDeltaNet(const Config& c, const Build& b)
    : config_(detail::checked(c, b)),
      in_(c.hidden_size,
          {{"q", keys()},
           {"k", keys()},
           {"v", values()},
           c.gate_rank > 0 ? LinearPart{"z_down", c.gate_rank} : LinearPart{"z", values()},
           {"b", c.value_heads},
           c.decay_rank > 0 ? LinearPart{"a_down", c.decay_rank} : LinearPart{"a", decays()}},
          b),
      conv_({2 * keys() + values(), c.kernel_size, false, Activation::silu}, b.scope("conv")),
      rate_(b.vector("a_log", c.value_heads)),
      step_bias_(b.vector("dt_bias", decays())),
      norm_(b.vector("head_norm.weight", c.value_dim)),
      out_(values(), c.hidden_size, false, b.scope("o")) {
  for (float& a : rate_) a = -std::exp(a);
  if (c.gate_rank > 0) z_up_ = Linear(c.gate_rank, values(), false, b.scope("z"));
  if (c.decay_rank > 0) a_up_ = Linear(c.decay_rank, decays(), false, b.scope("a"));
}

HEADWISE_INLINE void GatedDeltaNet::forward(In in, View delta, const States<State>& states) const {
  const Frame& f = in.frame;
  const Step& step = f.step;
  Arena& arena = step.arena;
  const kernels::ElementwiseKernels& elementwise = step.kernels.elementwise;
  const index_t t = in.x.rows, h = config_.value_heads, n = config_.key_dim, p = config_.value_dim, share = h / config_.key_heads;

  const View all = arena.take_view(t, in_.out()), qkv = arena.take_view(t, 2 * keys() + values()), y = arena.take_view(t, values());
  in_.forward(in.x, all, f);
  conv_.forward(all.col_range(0, qkv.cols), qkv, f, states.template part<0>(arena));
  const View q = qkv.col_range(0, keys()), k = qkv.col_range(keys(), 2 * keys()), v = qkv.col_range(2 * keys(), qkv.cols);
  View z = all.col_range(qkv.cols, all.cols - h - (a_up_.in() > 0 ? a_up_.in() : decays()));
  const View b = all.col_range(qkv.cols + z.cols, qkv.cols + z.cols + h);
  View a = all.col_range(qkv.cols + z.cols + h, all.cols);
  const auto raise = [&](const Linear& up, View& x) {  // from its rank
    if (up.in() == 0) return;
    const View y = arena.take_view(t, up.out());
    up.forward(x, y, f);
    x = y;
  };
  raise(z_up_, z);
  raise(a_up_, a);

  const float size = static_cast<float>(n), eps = 1e-6f / size;  // |x|^2 + 1e-6, as a mean
  const float floor = config_.decay_floor;
  const index_t each = a.cols / h;  // decays of a head
  step.parallel_rows(t, 8 * keys() + 64 * a.cols, [&](index_t first, index_t last) {
    for (index_t r = first; r < last; ++r) {
      for (index_t j = 0; j < config_.key_heads; ++j)
        for (const auto& [x, scale] : {std::pair(q.row(r) + j * n, 1 / size), {k.row(r) + j * n, 1 / std::sqrt(size)}}) {
          elementwise.rms_norm(x, n, 1, n, nullptr, eps, x, n);
          elementwise.scale(x, n, scale, 1, n, x, n);
        }
      elementwise.activate(Activation::sigmoid, b.row(r), h, 1, h, b.row(r), h);
      if (config_.negative_eigenvalues) elementwise.scale(b.row(r), h, 2.0f, 1, h, b.row(r), h);
      elementwise.add(a.row(r), step_bias_.data(), a.row(r), a.cols);
      if (floor == 0) elementwise.activate(Activation::softplus, a.row(r), a.cols, 1, a.cols, a.row(r), a.cols);
      for (index_t j = 0; j < a.cols; ++j) {
        const float x = a(r, j) * rate_[static_cast<std::size_t>(j / each)];
        a(r, j) = std::exp(floor == 0 ? x : floor / (1 + std::exp(x)));
      }
    }
  });

  scan_heads(f, states.template part<1>(arena), h, [&](index_t row, index_t j) -> kernels::Scan {
    return {.keys = n,
            .values = p,
            .q = q.row(row) + j / share * n,
            .k = k.row(row) + j / share * n,
            .v = v.row(row) + j * p,
            .q_stride = q.stride,
            .k_stride = k.stride,
            .v_stride = v.stride,
            .kind = config_.key_decay ? kernels::Decay::key : kernels::Decay::token,
            .decay = a.row(row) + j * each,
            .decay_stride = a.stride,
            .beta = b.row(row) + j,
            .beta_stride = b.stride,
            .out = y.row(row) + j * p,
            .out_stride = y.stride};
  });
  step.parallel_rows(t, 16 * values(), [&](index_t first, index_t last) {
    for (index_t r = first; r < last; ++r) {
      elementwise.rms_norm(y.row(r), p, h, p, norm_.data(), config_.norm_eps, y.row(r), p);
      elementwise.gate(config_.gate, z.row(r), z.stride, y.row(r), y.stride, 1, values(), y.row(r), y.stride);
    }
  });
  out_.forward(y, delta, f);
}

}  // namespace hw
