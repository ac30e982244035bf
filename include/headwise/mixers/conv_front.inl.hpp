#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/mixers/conv_front.hpp"

namespace hw {
namespace detail {

inline index_t rows_after(const ConvFront::Stage& s, index_t n) noexcept {
  const index_t padded = n + 2 * s.padding;
  return n < 1 || padded < s.kernel_size ? 0 : (padded - s.kernel_size) / s.stride + 1;
}

// Over all values together: the mean and 1 / sqrt(variance + eps) in double, then a weight and a bias a channel.
inline void norm_all(View x, const std::vector<float>& weight, const std::vector<float>& bias, float eps) noexcept {
  const double count = static_cast<double>(x.rows) * static_cast<double>(x.cols);
  double sum = 0, squares = 0;
  for (index_t t = 0; t < x.rows; ++t)
    for (const float v : x[t]) sum += static_cast<double>(v);
  const double mean = sum / count;
  for (index_t t = 0; t < x.rows; ++t)
    for (const float v : x[t]) squares += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean);
  const double factor = 1.0 / std::sqrt(squares / count + static_cast<double>(eps));
  for (index_t t = 0; t < x.rows; ++t)
    for (std::size_t i = 0; i < weight.size(); ++i)
      x[t][i] = static_cast<float>((static_cast<double>(x[t][i]) - mean) * factor) * weight[i] + bias[i];
}

}  // namespace detail

HEADWISE_LOAD_TIME ConvFront::ConvFront(const Config& c, const Build& b) : config_(c) {
  constexpr index_t kMost = index_t{1} << 20;
  const auto positive = [&](index_t v, const char* name) {
    if (v < 1 || v > kMost) fail(b.path("convs"), concat("a ", name, " from 1 to ", kMost), std::to_string(v));
  };
  positive(c.signal_size, "signal_size");
  positive(static_cast<index_t>(c.stages.size()), "number of stages");
  index_t in = c.signal_size;
  for (std::size_t i = 0; i < c.stages.size(); ++i) {
    const Stage& s = c.stages[i];
    positive(s.channels, "number of channels");
    positive(s.kernel_size, "kernel_size");
    positive(s.stride, "stride");
    if (s.padding < 0 || s.padding >= s.kernel_size)
      fail(b.path("convs"), concat("a padding from 0 to below ", s.kernel_size), std::to_string(s.padding));
    const Build scope = b.scope(concat("convs.", i));
    Conv& conv = convs_.emplace_back();
    conv.map = Linear(in * s.kernel_size, s.gated ? 2 * s.channels : s.channels, s.bias, scope);
    if (s.norm_eps > 0) {
      conv.weight = scope.vector("norm.weight", s.channels);
      conv.bias = scope.vector("norm.bias", s.channels);
    }
    in = s.channels;
  }
}

HEADWISE_INLINE index_t ConvFront::rows(index_t n) const noexcept {
  for (const Stage& s : config_.stages) n = detail::rows_after(s, n);
  return n;
}

HEADWISE_INLINE void ConvFront::forward(ConstView signal, View rows, const Frame& f) const {
  const Step& step = f.step;
  const auto& kernels = step.kernels.elementwise;
  ConstView x = signal;
  for (std::size_t i = 0; i < convs_.size(); ++i) {
    const Stage& s = config_.stages[i];
    const Linear& map = convs_[i].map;
    const View windows = step.arena.take_view(detail::rows_after(s, x.rows), map.in());
    step.parallel_rows(windows.rows, windows.cols, [&](index_t begin, index_t end) {
      for (index_t t = begin; t < end; ++t)
        for (index_t j = 0; j < s.kernel_size; ++j) {
          const index_t from = t * s.stride + j - s.padding;
          const bool inside = from >= 0 && from < x.rows;
          for (index_t k = 0; k < x.cols; ++k) windows(t, k * s.kernel_size + j) = inside ? x(from, k) : 0.0f;
        }
    });
    const bool last = i + 1 == convs_.size();
    const View made = last && !s.gated ? rows : step.arena.take_view(windows.rows, map.out());
    map.forward(windows, made, f);
    const View out = made.col_range(0, s.channels);
    step.parallel_rows(out.rows, 8 * made.cols, [&](index_t begin, index_t end) {
      if (s.gated)
        kernels.gate(Activation::sigmoid, made.row(begin) + s.channels, made.stride, out.row(begin), out.stride, end - begin, out.cols,
                     out.row(begin), out.stride);
      kernels.activate(s.activation, out.row(begin), out.stride, end - begin, out.cols, out.row(begin), out.stride);
    });
    if (s.norm_eps > 0) detail::norm_all(out, convs_[i].weight, convs_[i].bias, s.norm_eps);
    x = out;
  }
  for (index_t t = 0; t < rows.rows; ++t)
    for (index_t k = 0; k < rows.cols; ++k) rows(t, k) = x(t, k) * config_.scale;
}

}  // namespace hw
