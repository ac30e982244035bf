#pragma once
#include <algorithm>

#include "headwise/kernels/scan.hpp"
#include "headwise/mixers/causal_conv.hpp"

namespace hw {

HEADWISE_LOAD_TIME CausalConv::CausalConv(const Config& c, const Build& b) : config_(c) {
  constexpr index_t kMostTaps = 4096;
  if (c.channels < 1 || c.kernel_size < 1 || c.kernel_size > kMostTaps)
    fail(b.path("weight"), concat("channels, and 1 to ", kMostTaps, " taps"), shape_string({c.channels, c.kernel_size}));
  const MatrixSource source = b.matrix("weight", c.channels, c.kernel_size);
  std::vector<float> row(static_cast<std::size_t>(c.kernel_size));
  weight_.resize(static_cast<std::size_t>(c.channels * c.kernel_size));
  for (index_t i = 0; i < c.channels; ++i) {
    source.read_row(i, row.data());
    for (index_t j = 0; j < c.kernel_size; ++j) weight_[static_cast<std::size_t>(j * c.channels + i)] = row[static_cast<std::size_t>(j)];
  }
  if (c.bias) bias_ = b.vector("bias", c.channels);
}

HEADWISE_INLINE void CausalConv::forward(ConstView x, View y, const Frame& f, const States<State>& states) const {
  const Step& step = f.step;
  const kernels::ScanKernels& kernels = kernels::scan_kernels(step.kernels.target);
  const index_t taps = config_.kernel_size, channels = config_.channels, kept = taps - 1;
  for (std::size_t s = 0; s < f.tokens().sequences.size(); ++s) {
    const RowRange rows = f.tokens().sequences[s];
    const RecurrentState::Move move = advance(states, s, rows.size(), kept * channels, step.arena);
    // Row i of x, counted from the first of this step; those before it are the state's.
    const auto row_at = [&](index_t i) { return i < 0 ? move.from + (i + kept) * channels : x.row(rows.begin + i); };
    for (index_t i = 0; i < kept; ++i) std::copy_n(row_at(rows.size() - kept + i), channels, move.to + i * channels);
    step.parallel_rows(rows.size(), taps * channels, [&](index_t begin, index_t end) {
      kernels.convolve({.first = begin,
                        .last = end,
                        .channels = channels,
                        .taps = taps,
                        .tail = move.from,
                        .x = x.row(rows.begin),
                        .x_stride = x.stride,
                        .weight = weight_.data(),
                        .bias = bias_.empty() ? nullptr : bias_.data(),
                        .y = y.row(rows.begin),
                        .y_stride = y.stride});
    });
    if (config_.activation != Activation::identity)
      step.parallel_rows(rows.size(), 8 * channels, [&](index_t begin, index_t end) {
        float* const p = y.row(rows.begin + begin);
        step.kernels.elementwise.activate(config_.activation, p, y.stride, end - begin, channels, p, y.stride);
      });
  }
}

}  // namespace hw
