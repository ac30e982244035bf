#pragma once
#include "headwise/layers/gate_rows.hpp"
#include "headwise/mixers/gated_conv.hpp"

namespace hw {

HEADWISE_LOAD_TIME GatedConv::GatedConv(const Config& c, const Build& b)
    : size_(c.hidden_size),
      in_(c.hidden_size, 3 * c.hidden_size, c.bias, b.scope("in")),
      conv_({c.hidden_size, c.kernel_size, c.bias}, b.scope("conv")),
      out_(c.hidden_size, c.hidden_size, c.bias, b.scope("out")) {}

HEADWISE_INLINE void GatedConv::forward(In in, View delta, const States<State>& states) const {
  const Step& step = in.frame.step;
  const View all = step.arena.take_view(in.x.rows, 3 * size_), mixed = step.arena.take_view(in.x.rows, size_);
  const View b = all.col_range(0, size_), c = all.col_range(size_, 2 * size_), u = all.col_range(2 * size_, 3 * size_);
  in_.forward(in.x, all, in.frame);
  gate_rows(step, Activation::identity, b, u, u);
  conv_.forward(u, mixed, in.frame, states);
  gate_rows(step, Activation::identity, c, mixed, mixed);
  out_.forward(mixed, delta, in.frame);
}

}  // namespace hw
