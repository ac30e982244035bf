#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "headwise/layers/small_matrix.hpp"
#include "headwise/mixers/attention/convolved_projection.hpp"

namespace hw {
namespace detail {

inline const ConvolvedProjection::Config& checked(const ConvolvedProjection::Config& c, const Build& b) {
  const std::string where = b.path("q");
  check_heads({c.hidden_size, c.num_attention_heads, c.num_key_value_heads, c.head_dim}, where);
  check_rotary(c.rotary, c.head_dim, where);
  if (c.num_key_value_heads * c.head_dim % 2 != 0)
    fail(b.path("v"), "an even number of columns", std::to_string(c.num_key_value_heads * c.head_dim));
  for (const auto& [taps, name] : {std::pair(c.depthwise_taps, "depthwise.weight"), {c.grouped_taps, "grouped.weight"}})
    if (taps < 1 || taps > 64) fail(b.path(name), "1 to 64 taps", std::to_string(taps));
  return c;
}

}  // namespace detail

HEADWISE_LOAD_TIME ConvolvedProjection::ConvolvedProjection(const Config& c, const Build& b)
    : config_(detail::checked(c, b)),
      in_(c.hidden_size,
          {{"q", c.num_attention_heads * c.head_dim}, {"k", c.num_key_value_heads * c.head_dim}, {"v", half()}, {"v_delayed", half()}}, b),
      depthwise_bias_(b.vector("depthwise.bias", mixed())),
      grouped_bias_(b.vector("grouped.bias", mixed())),
      key_scale_(b.vector("key_scale", c.num_key_value_heads)),
      angles_(rotary_stream(c.rotary, b)) {
  const SmallMatrix first("depthwise.weight", mixed(), c.depthwise_taps, b),
      second("grouped.weight", mixed(), c.head_dim * c.grouped_taps, b);
  for (index_t j = 0; j < c.depthwise_taps; ++j)
    for (index_t i = 0; i < mixed(); ++i) depthwise_.push_back(first(i, j));
  for (index_t j = 0; j < c.grouped_taps; ++j)
    for (index_t n = 0; n < c.head_dim; ++n)
      for (index_t i = 0; i < mixed(); ++i) grouped_.push_back(second(i, n * c.grouped_taps + j));
}

HEADWISE_INLINE void ConvolvedProjection::convolve(const float* u, index_t stride, float* scratch, float* out) const noexcept {
  const index_t channels = mixed(), size = config_.head_dim;
  std::copy(grouped_bias_.begin(), grouped_bias_.end(), out);
  for (index_t j = 0; j < config_.grouped_taps; ++j) {
    std::copy(depthwise_bias_.begin(), depthwise_bias_.end(), scratch);
    for (index_t l = 0; l < config_.depthwise_taps; ++l) {
      const float *const row = u + (j + l) * stride, *const w = depthwise_.data() + l * channels;
      for (index_t i = 0; i < channels; ++i) scratch[i] += w[i] * row[i];
    }
    for (index_t head = 0; head < channels; head += size)
      for (index_t n = 0; n < size; ++n) {
        const float x = scratch[head + n];
        const float* const w = grouped_.data() + (j * size + n) * channels + head;
        for (index_t i = 0; i < size; ++i) out[head + i] += w[i] * x;
      }
  }
}

HEADWISE_INLINE void ConvolvedProjection::project(In in, Qkv& o, const States<State>& states) const {
  const Frame& f = in.frame;
  const Step& step = f.step;
  Arena& arena = step.arena;
  const kernels::ElementwiseKernels& elementwise = step.kernels.elementwise;
  const index_t t = in.x.rows, channels = mixed(), size = config_.head_dim, query_heads = heads(), key_heads = config_.num_key_value_heads,
                share = query_heads / key_heads, queries = query_heads * size, pairs = config_.rotary.dims / 2;
  const View all = arena.take_view(t, in_.out()), qk = arena.take_view(t, channels), v = arena.take_view(t, 2 * half());
  in_.forward(in.x, all, f);
  const View angles = f.at(angles_), q = qk.col_range(0, queries), k = qk.col_range(queries, channels);

  for (std::size_t s = 0; s < f.tokens().sequences.size(); ++s) {
    const RowRange rows = f.tokens().sequences[s];
    const RecurrentState::Move move = advance(states, s, rows.size(), kept() * channels + half(), arena);
    // The kept rows of u and those of this step, one after the other; likewise of Wd x.
    const View u = arena.take_view(kept() + rows.size(), channels);
    for (index_t i = 0; i < u.rows; ++i)
      std::copy_n(i < kept() ? move.from + i * channels : all.row(rows.begin + i - kept()), channels, u.row(i));
    for (index_t i = 0; i < kept(); ++i) std::copy_n(u.row(rows.size() + i), channels, move.to + i * channels);
    const auto delayed = [&](index_t i) { return i < 0 ? move.from + kept() * channels : all.row(rows.begin + i) + channels + half(); };
    std::copy_n(delayed(rows.size() - 1), half(), move.to + kept() * channels);
    const View scratch = arena.take_view(rows.size(), channels);
    step.parallel_rows(rows.size(), 2 * channels * size * config_.grouped_taps, [&](index_t first, index_t last) {
      for (index_t i = first; i < last; ++i) {
        const index_t r = rows.begin + i;
        convolve(u.row(i), u.stride, scratch.row(i), qk.row(r));
        const float* const own = u.row(i + kept());
        for (index_t h = 0; h < query_heads; ++h)
          for (index_t n = 0; n < size; ++n) {
            const float mean = (own[h * size + n] + own[queries + h / share * size + n]) / 2;
            q(r, h * size + n) += mean;
            k(r, h / share * size + n) += mean / static_cast<float>(share);
          }
        std::copy_n(all.row(r) + channels, half(), v.row(r));
        std::copy_n(delayed(i - 1), half(), v.row(r) + half());
      }
    });
  }
  const float root = std::sqrt(static_cast<float>(size));
  step.parallel_rows(t, 8 * channels, [&](index_t first, index_t last) {
    for (index_t r = first; r < last; ++r) {
      elementwise.l2_normalise(qk.row(r), size, query_heads + key_heads, size, std::numeric_limits<float>::epsilon(), qk.row(r), size);
      elementwise.scale(q.row(r), q.stride, root, 1, queries, q.row(r), q.stride);
      for (index_t g = 0; g < key_heads; ++g)
        elementwise.scale(k.row(r) + g * size, size, root * key_scale_[static_cast<std::size_t>(g)], 1, size, k.row(r) + g * size, size);
    }
    elementwise.rope(qk.row(first), qk.stride, last - first, query_heads + key_heads, size, angles.row(first), angles.row(first) + pairs,
                     angles.stride, pairs, config_.rotary.pairs);
  });
  o = {q, k, v};
}

}  // namespace hw
