#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/mixers/scan_heads.hpp"
#include "headwise/mixers/ssm/ssd.hpp"

namespace hw {
namespace detail {

inline const Ssd::Config& checked(const Ssd::Config& c, const Build& b) {
  check_sizes(
      b.path("in"),
      {{c.hidden_size, "hidden_size"}, {c.heads, "heads"}, {c.head_dim, "head_dim"}, {c.groups, "groups"}, {c.state_size, "state_size"}});
  checked_mul(checked_mul(c.heads, c.head_dim, b.path("in")), c.state_size, b.path("in"));
  if (c.heads % c.groups != 0) fail(b.path("in"), concat("groups that divide the ", c.heads, " heads"), std::to_string(c.groups));
  if (c.norm_groups < 1 || c.heads * c.head_dim % c.norm_groups != 0)
    fail(b.path("gate_norm"), concat("groups that divide ", c.heads * c.head_dim), std::to_string(c.norm_groups));
  return c;
}

}  // namespace detail

HEADWISE_LOAD_TIME Ssd::Ssd(const Config& c, const Build& b)
    : config_(detail::checked(c, b)),
      in_(c.hidden_size, 2 * inner() + 2 * shared() + c.heads, c.bias, b.scope("in")),
      conv_({inner() + 2 * shared(), c.kernel_size, c.conv_bias, Activation::silu}, b.scope("conv")),
      step_bias_(b.vector("dt_bias", c.heads)),
      rate_(b.vector("a_log", c.heads)),
      skip_(b.vector("d_skip", c.heads)),
      norm_(c.norm ? b.vector("gate_norm.weight", inner()) : std::vector<float>()),
      out_(inner(), c.hidden_size, c.bias, b.scope("out")) {
  for (float& a : rate_) a = -std::exp(a);
}

HEADWISE_INLINE void Ssd::forward(In in, View delta, const States<State>& states) const {
  const Frame& f = in.frame;
  const Step& step = f.step;
  Arena& arena = step.arena;
  const kernels::ElementwiseKernels& elementwise = step.kernels.elementwise;
  const index_t t = in.x.rows, h = config_.heads, p = config_.head_dim, n = config_.state_size;
  const auto scaled = [&](ConstView x, float a, View y) {
    step.parallel_rows(t, x.cols, [&](index_t first, index_t last) {
      elementwise.scale(x.row(first), x.stride, a, last - first, x.cols, y.row(first), y.stride);
    });
  };

  ConstView source = in.x;
  if (config_.in_scale != 1.0f) {
    const View x = arena.take_view(t, in.x.cols);
    scaled(in.x, config_.in_scale, x);
    source = x;
  }
  const View all = arena.take_view(t, in_.out());
  in_.forward(source, all, f);
  const index_t ends[] = {0, inner(), 2 * inner(), 2 * inner() + shared(), 2 * inner() + 2 * shared(), in_.out()};
  for (std::size_t i = 0; i < 5; ++i)
    if (const View part = all.col_range(ends[i], ends[i + 1]); config_.part_scales[i] != 1.0f) scaled(part, config_.part_scales[i], part);
  const View z = all.col_range(0, inner()), u = all.col_range(ends[1], ends[4]), steps = all.col_range(ends[4], ends[5]);

  const View mixed = arena.take_view(t, u.cols), y = arena.take_view(t, inner());
  conv_.forward(u, mixed, f, states.template part<0>(arena));
  const View x = mixed.col_range(0, inner()), keys = mixed.col_range(inner(), inner() + shared()),
             queries = mixed.col_range(inner() + shared(), mixed.cols);

  // Steps, factors, and x times its step.
  const View factors = arena.take_view(t, h), values = arena.take_view(t, inner());
  const float longest = config_.max_step > 0 ? config_.max_step : std::numeric_limits<float>::infinity();
  step.parallel_rows(t, 32 * h + inner(), [&](index_t first, index_t last) {
    for (index_t r = first; r < last; ++r) {
      elementwise.add(steps.row(r), step_bias_.data(), steps.row(r), h);
      elementwise.activate(Activation::softplus, steps.row(r), h, 1, h, steps.row(r), h);
      for (index_t j = 0; j < h; ++j) {
        const float d = std::clamp(*(steps.row(r) + j), config_.min_step, longest);
        *(factors.row(r) + j) = std::exp(d * rate_[static_cast<std::size_t>(j)]);
        elementwise.scale(x.row(r) + j * p, p, d, 1, p, values.row(r) + j * p, p);
      }
    }
  });

  scan_heads(f, states.template part<1>(arena), h, [&](index_t row, index_t j) -> kernels::Scan {
    const index_t group = j / (h / config_.groups) * n;
    return {.keys = n,
            .values = p,
            .q = queries.row(row) + group,
            .k = keys.row(row) + group,
            .v = values.row(row) + j * p,
            .q_stride = queries.stride,
            .k_stride = keys.stride,
            .v_stride = values.stride,
            .kind = kernels::Decay::token,
            .decay = factors.row(row) + j,
            .decay_stride = factors.stride,
            .out = y.row(row) + j * p,
            .out_stride = y.stride};
  });
  step.parallel_rows(t, 16 * inner(), [&](index_t first, index_t last) {
    for (index_t r = first; r < last; ++r)
      for (index_t j = 0; j < h; ++j)
        elementwise.add_scaled(x.row(r) + j * p, p, skip_[static_cast<std::size_t>(j)], y.row(r) + j * p, p, 1.0f, 1, p, y.row(r) + j * p,
                               p);
  });
  gate(y, z, step);
  out_.forward(y, delta, f);
}

HEADWISE_INLINE void Ssd::gate(View y, ConstView z, const Step& step) const {
  const kernels::ElementwiseKernels& elementwise = step.kernels.elementwise;
  const index_t part = inner() / config_.norm_groups;
  const auto normalise = [&](index_t r) {
    for (index_t g = 0; config_.norm && g < config_.norm_groups; ++g)
      elementwise.rms_norm(y.row(r) + g * part, part, 1, part, norm_.data() + g * part, config_.norm_eps, y.row(r) + g * part, part);
  };
  step.parallel_rows(y.rows, 16 * inner(), [&](index_t first, index_t last) {
    for (index_t r = first; r < last; ++r) {
      if (config_.norm_before_gate) normalise(r);
      elementwise.gate(Activation::silu, z.row(r), z.stride, y.row(r), y.stride, 1, inner(), y.row(r), y.stride);
      if (!config_.norm_before_gate) normalise(r);
    }
  });
}

}  // namespace hw
