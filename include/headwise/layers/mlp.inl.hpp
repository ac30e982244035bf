#pragma once
#include "headwise/layers/mlp.hpp"

namespace hw {

HEADWISE_LOAD_TIME Mlp::Mlp(const Config& c, const Build& b)
    : activation_(c.activation),
      up_(c.hidden_size, c.intermediate_size, c.bias, b.scope("up")),
      down_(c.intermediate_size, c.hidden_size, c.bias, b.scope("down")) {}

HEADWISE_INLINE void Mlp::forward(In in, View delta) const {
  const Step& step = in.frame.step;
  const View h = step.arena.take_view(in.x.rows, up_.out());
  up_.forward(in.x, h, in.frame);
  step.parallel_rows(h.rows, 8 * h.cols, [&](index_t begin, index_t end) {
    step.kernels.elementwise.activate(activation_, h.row(begin), h.stride, end - begin, h.cols, h.row(begin), h.stride);
  });
  down_.forward(h, delta, in.frame);
}

HEADWISE_LOAD_TIME GatedMlp::GatedMlp(const Config& c, const Build& b)
    : activation_(c.activation),
      gate_up_(c.hidden_size, {{"gate", c.intermediate_size, c.bias}, {"up", c.intermediate_size, c.bias}}, b),
      down_(c.intermediate_size, c.hidden_size, c.bias, b.scope("down")) {}

HEADWISE_INLINE void GatedMlp::forward(In in, View delta) const {
  const Step& step = in.frame.step;
  const index_t width = down_.in();
  const View h = step.arena.take_view(in.x.rows, 2 * width);
  gate_up_.forward(in.x, h, in.frame);
  const View g = h.col_range(0, width), u = h.col_range(width, 2 * width);
  step.parallel_rows(h.rows, 8 * width, [&](index_t begin, index_t end) {
    step.kernels.elementwise.gate(activation_, g.row(begin), g.stride, u.row(begin), u.stride, end - begin, width, g.row(begin), g.stride);
  });
  down_.forward(g, delta, in.frame);
}

}  // namespace hw
