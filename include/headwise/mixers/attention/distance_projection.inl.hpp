#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/layers/small_matrix.hpp"
#include "headwise/mixers/attention/distance_projection.hpp"

namespace hw {
namespace detail {

inline const DistanceProjection::Config& checked(const DistanceProjection::Config& c, const Build& b) {
  check_heads({c.hidden_size, c.num_attention_heads, c.num_key_value_heads, c.head_dim}, b.path("q"));
  check_sizes(b.path("distances"), {{c.rank, "rank"}, {c.extent, "extent"}});
  if (!(c.temperature_floor > 0)) fail(b.path("q"), "a positive temperature_floor", std::to_string(c.temperature_floor));
  return c;
}

}  // namespace detail

HEADWISE_LOAD_TIME DistanceProjection::DistanceProjection(const Config& c, const Build& b)
    : config_(detail::checked(c, b)),
      in_(c.hidden_size, {{"k", keys()}, {"v", keys()}, {"q", queries()}, {"r", c.num_attention_heads * c.rank}}, b),
      conv_({2 * keys(), c.kernel_size, false}, b.scope("kv_conv")),
      q_norm_({c.head_dim, c.norm_eps}, b.scope("q_norm")),
      k_norm_({c.head_dim, c.norm_eps}, b.scope("k_norm")),
      distances_(SmallMatrix("distances", c.rank, c.extent, b).values) {
  for (index_t i = 0; i < c.rank; ++i) std::reverse(distances_.begin() + i * c.extent, distances_.begin() + (i + 1) * c.extent);
}

HEADWISE_INLINE void DistanceProjection::project(In in, Qkv& o, const States<State>& states) const {
  const Step& step = in.frame.step;
  const kernels::ElementwiseKernels& elementwise = step.kernels.elementwise;
  const index_t size = config_.head_dim;
  const View all = step.arena.take_view(in.x.rows, in_.out()), kv = step.arena.take_view(in.x.rows, 2 * keys());
  in_.forward(in.x, all, in.frame);
  const View raw = all.col_range(0, kv.cols);
  conv_.forward(raw, kv, in.frame, states);
  o.k = kv.col_range(0, keys()), o.v = kv.col_range(keys(), kv.cols);
  o.q = all.col_range(kv.cols, kv.cols + queries()), o.query_terms = all.col_range(kv.cols + queries(), all.cols);
  for (index_t t = 0; t < kv.rows; ++t) {
    elementwise.add(raw.row(t), kv.row(t), kv.row(t), kv.cols);
    const View q(o.q.row(t), heads(), size), k(o.k.row(t), config_.num_key_value_heads, size);
    q_norm_.forward(q, q, in.frame);
    k_norm_.forward(k, k, in.frame);
    if (config_.temperature_scale == 0) continue;
    const float entries = static_cast<float>(in.frame.tokens().index[static_cast<std::size_t>(t)] + 1);
    const float temperature = 1 + config_.temperature_scale * std::log(std::max(1.0f, entries / config_.temperature_floor));
    elementwise.scale(o.q.row(t), all.stride, temperature, 1, queries() + o.query_terms.cols, o.q.row(t), all.stride);  // and r behind it
  }
}

HEADWISE_INLINE void DistanceProjection::adjust(const ScoreSite& at, const kernels::ScoreTile& tile) const noexcept {
  const index_t extent = config_.extent;
  for (int i = 0; i < tile.rows; ++i) {
    const index_t row = at.queries + tile.row[i].token;
    const index_t distance = at.frame.tokens().index[static_cast<std::size_t>(row)] - tile.entry;  // to the tile's first key
    const auto begin = std::max<index_t>(0, distance - extent + 1), end = std::min<index_t>(64, distance + 1);
    if (begin >= end) continue;
    const float* const r = at.qkv.query_terms.row(row) + tile.row[i].head * config_.rank;
    for (index_t n = 0; n < config_.rank; ++n) {
      const float* const p = distances_.data() + (n + 1) * extent - 1 - distance + begin;
      for (index_t j = begin; j < end; ++j) tile(i, static_cast<int>(j)) += r[n] * p[j - begin];
    }
  }
}

}  // namespace hw
