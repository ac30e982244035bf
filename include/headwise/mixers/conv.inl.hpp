#pragma once
#include "headwise/mixers/conv.hpp"

namespace hw {
namespace detail {
inline index_t checked_window(const Conv::Config& c, const Build& b) {
  if (c.kernel_size < 1 || c.kernel_size % 2 == 0 || c.kernel_size > 4096)
    fail(b.path("weight"), "an odd kernel size up to 4096", std::to_string(c.kernel_size));
  return c.hidden_size * c.kernel_size;
}
}  // namespace detail

HEADWISE_LOAD_TIME Conv::Conv(const Config& c, const Build& b) : config_(c), map_(detail::checked_window(c, b), c.hidden_size, true, b) {}

HEADWISE_INLINE void Conv::forward(In in, View delta) const {
  const Step& step = in.frame.step;
  const index_t n = config_.kernel_size, d = config_.hidden_size;
  const View windows = step.arena.take_view(in.x.rows, d * n);
  for (const RowRange rows : in.frame.tokens().sequences)
    for (index_t t = rows.begin; t < rows.end; ++t)
      for (index_t j = 0; j < n; ++j) {
        const index_t from = t + j - n / 2;
        const bool inside = from >= rows.begin && from < rows.end;
        for (index_t i = 0; i < d; ++i) windows(t, i * n + j) = inside ? in.x(from, i) : 0.0f;
      }
  map_.forward(windows, delta, in.frame);
  step.parallel_rows(delta.rows, 8 * d, [&](index_t begin, index_t end) {
    step.kernels.elementwise.activate(config_.activation, delta.row(begin), delta.stride, end - begin, d, delta.row(begin), delta.stride);
  });
}

}  // namespace hw
