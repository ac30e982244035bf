#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/io/weight_buffer.hpp"
#include "headwise/mixers/attention/disentangled.hpp"

namespace hw {

HEADWISE_LOAD_TIME DisentangledProjection::DisentangledProjection(const Config& c, const Build& b)
    : config_(c),
      content_({.hidden_size = c.hidden_size,
                .num_attention_heads = c.num_attention_heads,
                .num_key_value_heads = c.num_attention_heads,
                .head_dim = c.head_dim,
                .bias = c.bias,
                .key_bias = c.key_bias},
               b) {
  if (c.span == 0 || !(c.position_keys || c.position_queries)) return;
  if (c.span < 2 || c.span > (1 << 20)) fail(b.path("relative"), "a span from 2 to 1048576", std::to_string(c.span));
  if (c.log_buckets && c.max_distance <= c.span / 2 + 1)
    fail(b.path("relative"), concat("a largest distance above ", c.span / 2 + 1), std::to_string(c.max_distance));
  Arena arena;
  Step step{b.executor(), b.kernels(), arena};
  const Frame frame(step, TokenSet(), {});
  const MatrixSource table = b.matrix("relative.weight", 2 * c.span, c.hidden_size);
  const View relative = arena.take_view(2 * c.span, c.hidden_size);
  for (index_t i = 0; i < table.rows; ++i) table.read_row(i, relative.row(i));
  const AnyNorm norm = make_norm(c.norm, b.scope("relative_norm"));
  std::visit([&](const auto& n) { n.forward(relative, relative, frame); }, norm);
  for (index_t distance = -kKnown; distance <= kKnown; ++distance) known_.push_back(static_cast<std::int32_t>(position(c, distance)));
  if (c.position_keys) keys_ = per_head(relative, "pos_key", c.pos_key_bias, b);
  if (c.position_queries) queries_ = per_head(relative, "pos_query", c.pos_query_bias, b);
}

// W relative + b, cut into heads, each as the matrix of a linear layer.
HEADWISE_LOAD_TIME std::vector<Linear> DisentangledProjection::per_head(ConstView relative, const char* name, bool bias,
                                                                     const Build& b) const {
  const index_t heads = config_.num_attention_heads, dim = config_.head_dim;
  Arena arena;
  Step step{b.executor(), b.kernels(), arena};
  const Frame frame(step, TokenSet(), {});
  const Linear map(config_.hidden_size, heads * dim, bias, b.scope(name));
  const View all = arena.take_view(relative.rows, heads * dim);
  map.forward(relative, all, frame);
  WeightBuffer buffer;
  for (index_t h = 0; h < heads; ++h) {
    std::vector<float> own;
    for (index_t r = 0; r < all.rows; ++r) own.insert(own.end(), all.row(r) + h * dim, all.row(r) + (h + 1) * dim);
    buffer.add(concat(h, ".weight"), {all.rows, dim}, std::move(own));
  }
  const Build made(Weights(buffer.finish()), b.kernels(), b.executor());
  std::vector<Linear> out;
  for (index_t h = 0; h < heads; ++h) out.emplace_back(dim, all.rows, false, made.scope(std::to_string(h)));
  return out;
}

// Each head's columns of x times its matrix, side by side.
HEADWISE_INLINE View DisentangledProjection::multiply(const std::vector<Linear>& heads, View x, const Frame& f) const {
  if (heads.empty()) return {};
  const index_t dim = config_.head_dim, width = heads[0].out();
  const View out = f.step.arena.take_view(x.rows, width * static_cast<index_t>(heads.size()));
  for (std::size_t h = 0; h < heads.size(); ++h) {
    const auto i = static_cast<index_t>(h);
    heads[h].forward(x.col_range(i * dim, (i + 1) * dim), out.col_range(i * width, (i + 1) * width), f);
  }
  return out;
}

HEADWISE_INLINE void DisentangledProjection::project(In in, Qkv& o) const {
  content_.project(in, o);
  o.query_terms = multiply(keys_, o.q, in.frame);
  o.key_terms = multiply(queries_, o.k, in.frame);
}

HEADWISE_INLINE index_t DisentangledProjection::position(const Config& c, index_t distance) noexcept {
  index_t at = distance;
  if (const index_t half = c.span / 2; c.log_buckets && std::abs(distance) > half) {
    // In float, as the published models were trained: a distance at a boundary falls where it fell then.
    const float share = std::log(static_cast<float>(std::abs(distance)) / static_cast<float>(half)) /
                        std::log(static_cast<float>(c.max_distance - 1) / static_cast<float>(half));
    const auto bucket = half + static_cast<index_t>(std::ceil(share * static_cast<float>(half - 1)));
    at = distance > 0 ? bucket : -bucket;
  }
  return std::clamp<index_t>(at + c.span, 0, 2 * c.span - 1);
}

HEADWISE_INLINE void DisentangledProjection::adjust(const ScoreSite& at, const kernels::ScoreTile& tile) const noexcept {
  if (keys_.empty() && queries_.empty()) return;
  const index_t width = 2 * config_.span;
  const TokenSet& tokens = at.frame.tokens();
  const int keys = static_cast<int>(std::min<index_t>(64, at.end - at.keys - tile.entry));
  for (int i = 0; i < tile.rows; ++i) {
    const index_t row = at.queries + tile.row[i].token, entry = tokens.index[static_cast<std::size_t>(row)];
    const index_t column = tile.row[i].head * width;
    const float* of_query = keys_.empty() ? nullptr : at.qkv.query_terms.row(row) + column;
    for (int j = 0; j < keys; ++j) {
      const index_t distance = entry - tile.entry - j;
      const index_t r = std::abs(distance) <= kKnown ? known_[static_cast<std::size_t>(distance + kKnown)] : position(config_, distance);
      float sum = of_query != nullptr ? of_query[r] : 0.0f;
      if (!queries_.empty()) sum += at.qkv.key_terms(at.keys + tile.entry + j, column + r);
      tile(i, j) += config_.scale * sum;
    }
  }
}

}  // namespace hw
