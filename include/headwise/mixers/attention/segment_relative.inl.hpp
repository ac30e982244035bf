#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/mixers/attention/segment_relative.hpp"

namespace hw {

HEADWISE_LOAD_TIME SegmentRelativeProjection::SegmentRelativeProjection(const Config& c, const Build& b)
    : config_(c),
      qkv_(
          c.hidden_size,
          {{"q", c.num_attention_heads * c.head_dim}, {"k", c.num_attention_heads * c.head_dim}, {"v", c.num_attention_heads * c.head_dim}},
          b),
      positions_(c.hidden_size, c.num_attention_heads * c.head_dim, false, b.scope("r")) {
  const index_t width = c.num_attention_heads * c.head_dim;
  content_ = b.vector("content_bias", width);
  to_position_ = b.vector("position_bias", width);
  to_segment_ = b.vector("segment_bias", width);
  for (std::size_t i = 0; i < content_.size(); ++i) {
    to_position_[i] -= content_[i];
    to_segment_[i] -= content_[i];
  }
  const MatrixSource segments = b.matrix("segments", 2, width);
  segments_.resize(static_cast<std::size_t>(2 * width));
  for (const index_t s : {0, 1}) segments.read_row(s, segments_.data() + s * width);
}

// query_terms: R of the distances from -reach to reach, reach + 1 being the longest sequence's length.
HEADWISE_INLINE void SegmentRelativeProjection::project(In in, Qkv& o) const {
  Arena& arena = in.frame.step.arena;
  const index_t width = heads() * config_.head_dim, d = config_.hidden_size;
  const View all = arena.take_view(in.x.rows, 3 * width);
  qkv_.forward(in.x, all, in.frame);
  o = {all.col_range(0, width), all.col_range(width, 2 * width), all.col_range(2 * width, 3 * width)};
  for (index_t t = 0; t < all.rows; ++t)
    for (index_t i = 0; i < width; ++i) o.q(t, i) += content_[static_cast<std::size_t>(i)];
  index_t longest = 1;
  for (const index_t total : in.frame.tokens().total) longest = std::max(longest, total);
  const View angles = arena.take_view(2 * longest - 1, d);
  for (index_t n = 0; n < angles.rows; ++n)
    for (index_t j = 0; j < d / 2; ++j) {
      const double angle = static_cast<double>(n - longest + 1) * std::pow(10000.0, -2.0 * static_cast<double>(j) / static_cast<double>(d));
      angles(n, j) = static_cast<float>(std::sin(angle));
      angles(n, d / 2 + j) = static_cast<float>(std::cos(angle));
    }
  o.query_terms = arena.take_view(angles.rows, width);
  positions_.forward(angles, o.query_terms, in.frame);
}

HEADWISE_INLINE void SegmentRelativeProjection::adjust(const ScoreSite& at, const kernels::ScoreTile& tile) const noexcept {
  const index_t dim = config_.head_dim, reach = (at.qkv.query_terms.rows - 1) / 2;
  const TokenSet& tokens = at.frame.tokens();
  const int keys = static_cast<int>(std::min<index_t>(64, at.end - at.keys - tile.entry));
  for (int i = 0; i < tile.rows; ++i) {
    const index_t row = at.queries + tile.row[i].token, entry = tokens.index[static_cast<std::size_t>(row)];
    const index_t column = tile.row[i].head * dim;
    const float* q = tile.row[i].q;
    const auto dot = [&](const std::vector<float>& bias, const float* with) {  // (q + bias) . with
      float sum = 0;
      for (index_t k = 0; k < dim; ++k) sum += (q[k] + bias[static_cast<std::size_t>(column + k)]) * with[k];
      return sum;
    };
    const float same = dot(to_segment_, segments_.data() + column);
    const float other = dot(to_segment_, segments_.data() + heads() * dim + column);
    for (int j = 0; j < keys; ++j) {
      const index_t key = at.keys + tile.entry + j;
      const bool equal = tokens.mark[static_cast<std::size_t>(key)] == tokens.mark[static_cast<std::size_t>(row)];
      const float by_place = dot(to_position_, at.qkv.query_terms.row(reach + entry - tile.entry - j) + column);
      tile(i, j) += config_.scale * (by_place + (equal ? same : other));
    }
  }
}

}  // namespace hw
