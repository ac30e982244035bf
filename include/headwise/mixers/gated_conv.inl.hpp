#pragma once
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
  const auto multiply = [&](View x, View y) {  // y = x y
    step.parallel_rows(y.rows, y.cols, [&](index_t first, index_t last) {
      step.kernels.elementwise.gate(Activation::identity, x.row(first), x.stride, y.row(first), y.stride, last - first, size_, y.row(first),
                                    y.stride);
    });
  };
  in_.forward(in.x, all, in.frame);
  multiply(b, u);
  conv_.forward(u, mixed, in.frame, states);
  multiply(c, mixed);
  out_.forward(mixed, delta, in.frame);
}

}  // namespace hw
