#pragma once
// A gate over all rows of a step.

#include "headwise/core/view.hpp"
#include "headwise/flow/frame.hpp"
#include "headwise/kernels/activation.hpp"

namespace hw {

/// y = act(a) * b, element by element; y may be a or b. Rows are shared out among the threads.
inline void gate_rows(const Step& step, Activation activation, ConstView a, ConstView b, View y) {
  step.parallel_rows(y.rows, 8 * y.cols, [&](index_t begin, index_t end) {
    step.kernels.elementwise.gate(activation, a.row(begin), a.stride, b.row(begin), b.stride, end - begin, y.cols, y.row(begin), y.stride);
  });
}

}  // namespace hw
