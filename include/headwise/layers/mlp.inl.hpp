#pragma once
#include <algorithm>
#include <limits>

#include "headwise/layers/gate_rows.hpp"
#include "headwise/layers/mlp.hpp"

namespace hw {

HEADWISE_LOAD_TIME Mlp::Mlp(const Config& c, const Build& b)
    : activation_(c.activation),
      up_(c.hidden_size, c.intermediate_size, c.bias, b.scope("up")),
      down_(c.intermediate_size, c.hidden_size, c.bias, b.scope("down")) {}

namespace detail {
// One linear layer of each MLP.
template <class M>
std::span<const Linear* const> each_linear(std::span<const M* const> mlps, Linear M::*layer, Arena& arena) {
  const auto out = arena.take<const Linear*>(static_cast<index_t>(mlps.size()));
  for (std::size_t i = 0; i < mlps.size(); ++i) out[i] = &(mlps[i]->*layer);
  return out;
}
}  // namespace detail

HEADWISE_INLINE void Mlp::forward_groups(std::span<const Mlp* const> mlps, std::span<const index_t> begin, In in, View delta) {
  const Step& step = in.frame.step;
  const View h = step.arena.take_view(in.x.rows, mlps[0]->up_.out());
  Linear::forward_groups(detail::each_linear(mlps, &Mlp::up_, step.arena), begin, in.x, h, in.frame);
  step.parallel_rows(h.rows, 8 * h.cols, [&](index_t first, index_t last) {
    step.kernels.elementwise.activate(mlps[0]->activation_, h.row(first), h.stride, last - first, h.cols, h.row(first), h.stride);
  });
  Linear::forward_groups(detail::each_linear(mlps, &Mlp::down_, step.arena), begin, h, delta, in.frame);
}

HEADWISE_LOAD_TIME GatedMlp::GatedMlp(const Config& c, const Build& b)
    : activation_(c.activation),
      gate_scale_(c.gate_scale),
      limit_(c.limit),
      up_offset_(c.up_offset),
      gate_up_(c.hidden_size, {{"gate", c.intermediate_size, c.bias}, {"up", c.intermediate_size, c.bias}}, b),
      down_(c.intermediate_size, c.hidden_size, c.bias, b.scope("down")) {}

HEADWISE_INLINE void GatedMlp::forward_groups(std::span<const GatedMlp* const> mlps, std::span<const index_t> begin, In in, View delta) {
  const Step& step = in.frame.step;
  const index_t width = mlps[0]->down_.in();
  const View h = step.arena.take_view(in.x.rows, 2 * width);
  Linear::forward_groups(detail::each_linear(mlps, &GatedMlp::gate_up_, step.arena), begin, in.x, h, in.frame);
  const View g = h.col_range(0, width), u = h.col_range(width, 2 * width);
  const float limit = mlps[0]->limit_ > 0 ? mlps[0]->limit_ : std::numeric_limits<float>::infinity(), offset = mlps[0]->up_offset_;
  const float scale = mlps[0]->gate_scale_;
  if (mlps[0]->limit_ > 0 || offset != 0 || scale != 1) {
    step.parallel_rows(h.rows, 4 * width, [&](index_t first, index_t last) {
      for (index_t r = first; r < last; ++r) {
        for (float& v : g[r]) v = std::min(scale * v, limit);
        for (float& v : u[r]) v = std::clamp(v, -limit, limit) + offset;
      }
    });
  }
  gate_rows(step, mlps[0]->activation_, g, u, g);
  Linear::forward_groups(detail::each_linear(mlps, &GatedMlp::down_, step.arena), begin, g, delta, in.frame);
}

}  // namespace hw
