#pragma once
#include <cmath>
#include <numbers>

#include "headwise/mixers/fourier.hpp"

namespace hw {
namespace detail {

// Row k of the n cosines and sines of the transform's angles.
inline void fourier_row(index_t k, index_t n, float* cos, float* sin) {
  for (index_t j = 0; j < n; ++j) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(k * j % n) / static_cast<double>(n);
    cos[j] = static_cast<float>(std::cos(angle));
    sin[j] = static_cast<float>(std::sin(angle));
  }
}

}  // namespace detail

HEADWISE_LOAD_TIME Fourier::Fourier(const Config& c, const Build& b) {
  if (c.size <= 0 || c.size > (1 << 14)) fail(b.path(""), "a width from 1 to 16384", std::to_string(c.size));
  cos_.resize(static_cast<std::size_t>(c.size * c.size));
  sin_.resize(cos_.size());
  for (index_t k = 0; k < c.size; ++k) detail::fourier_row(k, c.size, cos_.data() + k * c.size, sin_.data() + k * c.size);
}

HEADWISE_INLINE void Fourier::forward(In in, View delta) const {
  const Step& step = in.frame.step;
  const kernels::ElementwiseKernels& kernel = step.kernels.elementwise;
  const index_t d = in.x.cols;
  // y += a * row
  const auto add = [&](float* y, float a, const float* row) { kernel.add_scaled(y, d, 1.0f, row, d, a, 1, d, y, d); };
  for (const RowRange rows : in.frame.tokens().sequences) {
    const ArenaScope scope(step.arena);
    const index_t t = rows.size();
    const View c = step.arena.take_view(t, d), s = step.arena.take_view(t, d);  // X C_d and X S_d
    step.parallel_rows(t, 4 * d * d, [&](index_t begin, index_t end) {
      for (index_t i = begin; i < end; ++i) {
        std::fill_n(c.row(i), d, 0.0f);
        std::fill_n(s.row(i), d, 0.0f);
        for (index_t k = 0; k < d; ++k) {
          add(c.row(i), in.x(rows.begin + i, k), cos_.data() + k * d);
          add(s.row(i), in.x(rows.begin + i, k), sin_.data() + k * d);
        }
      }
    });
    const auto angles = step.arena.take<float>(2 * t);  // cos and sin of 2 pi j / t
    detail::fourier_row(1, t, angles.data(), angles.data() + t);
    step.parallel_rows(t, 4 * t * d, [&](index_t begin, index_t end) {
      for (index_t i = begin; i < end; ++i) {
        float* y = delta.row(rows.begin + i);
        std::fill_n(y, d, 0.0f);
        for (index_t k = 0; k < t; ++k) {
          const auto at = static_cast<std::size_t>(i * k % t);
          add(y, angles[at], c.row(k));
          add(y, -angles[static_cast<std::size_t>(t) + at], s.row(k));
        }
      }
    });
  }
}

}  // namespace hw
