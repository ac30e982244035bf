#pragma once
#include <algorithm>

#include "headwise/mixers/attention/transient_global.hpp"

namespace hw {
namespace detail {
inline const TransientGlobalAttention::Config& checked(const TransientGlobalAttention::Config& c, const Build& b) {
  if (c.radius < 0) fail(b.path("q"), "a radius of at least 0", std::to_string(c.radius));
  if (c.block_size < 1) fail(b.path("q"), "a block_size of at least 1", std::to_string(c.block_size));
  if (c.project.rotary) fail(b.path("q"), "a projection without positions: the sum of a block has none");
  return c;
}
}  // namespace detail

HEADWISE_LOAD_TIME TransientGlobalAttention::TransientGlobalAttention(const Config& c, const Build& b)
    : config_(detail::checked(c, b)),
      project_(c.project, b),
      layout_(project_.layout()),
      output_(project_.heads() * layout_.value_dim, c.project.hidden_size, false, b.scope("o")),
      relative_(c.relative, project_.heads(), b.scope("relative_bias")),
      global_(c.relative, project_.heads(), b.scope("global_bias")),
      global_norm_(c.global_norm, b.scope("global_norm")) {
  layout_.type = b.kv();
  b.note_attention(project_.heads(), layout_);
}

HEADWISE_INLINE void TransientGlobalAttention::forward(In in, View delta) const {
  // Attention runs over each sequence's rows and, behind them, those of its blocks, which see nothing themselves.
  const TokenSet& tokens = in.frame.tokens();
  Step& step = in.frame.step;
  Arena& arena = step.arena;
  const auto sequences = static_cast<index_t>(tokens.sequences.size());
  const index_t block = config_.block_size;
  index_t rows = 0;
  for (const RowRange s : tokens.sequences) rows += s.size() + s.size() / block;

  struct Place {
    index_t tokens, entry;  // rows of its sequence without the blocks, and its own number
  };
  const View x = arena.take_view(rows, in.x.cols);
  const auto place = arena.take<Place>(rows);
  const auto ranges = arena.take<RowRange>(sequences);
  const auto total = arena.take<index_t>(sequences), index = arena.take<index_t>(rows);
  const auto visible = arena.take<EntryRange>(rows);
  index_t at = 0;
  for (std::size_t s = 0; s < tokens.sequences.size(); ++s) {
    const RowRange from = tokens.sequences[s];
    const index_t n = from.size(), blocks = n / block;
    const View sums = x.row_range(at + n, at + n + blocks);
    for (index_t g = 0; g < blocks; ++g) std::fill_n(sums.row(g), x.cols, 0.0f);
    for (index_t i = 0; i < n; ++i) {
      const float* row = in.x.row(from.begin + i);
      std::copy_n(row, x.cols, x.row(at + i));
      if (blocks == 0) continue;
      float* sum = sums.row(std::min(i / block, blocks - 1));
      for (index_t k = 0; k < x.cols; ++k) sum[k] += row[k];
    }
    if (blocks > 0) global_norm_.forward(sums, sums, in.frame);
    ranges[s] = {at, at + n + blocks};
    total[s] = n + blocks;
    for (index_t i = 0; i < n + blocks; ++i) {
      const auto row = static_cast<std::size_t>(at + i);
      index[row] = i;
      place[row] = {n, i};
      visible[row] = {0, i < n ? n + blocks : 0};
    }
    at += n + blocks;
  }
  TokenSet all;
  all.sequences = ranges;
  all.index = index;
  all.total = total;
  const Frame frame(step, all, {});

  Qkv qkv;
  project_.project({x, frame}, qkv);
  const auto pages = detail::store_entries(frame, layout_, qkv, {});
  const RelativeBias::Table near = relative_.table(all, arena), far = global_.table(all, arena);
  const auto of_block = [&](index_t row, index_t entries) {
    const Place p = place[static_cast<std::size_t>(row)];
    std::uint64_t out = 0;
    for (index_t j = 0; j < 64; ++j) {
      const index_t e = 64 * entries + j;
      if (e >= p.tokens || std::abs(e - p.entry) <= config_.radius) out |= std::uint64_t{1} << j;
    }
    return out;
  };
  const auto of_tile = [&](const ScoreSite& site, const kernels::ScoreTile& tile) {
    for (int i = 0; i < tile.rows; ++i) {
      const Place p = place[static_cast<std::size_t>(site.queries + tile.row[i].token)];
      const index_t blocks = p.tokens / block, own = std::min(p.entry / block, blocks - 1), width = 2 * near.reach + 1;
      const float* to_row = near.values + tile.row[i].head * width + near.reach - p.entry;
      const float* to_block = far.values + tile.row[i].head * width + far.reach - own - p.tokens;
      const auto last = static_cast<int>(std::min<index_t>(64, p.tokens + blocks - tile.entry));
      for (int j = 0; j < last; ++j) tile(i, j) += tile.entry + j < p.tokens ? to_row[tile.entry + j] : to_block[tile.entry + j];
    }
  };
  const FunctionRef<std::uint64_t(index_t, index_t)> sees(of_block);
  const FunctionRef<void(const ScoreSite&, const kernels::ScoreTile&)> adjust(of_tile);
  const View out = arena.take_view(rows, output_.in());
  detail::run_attention({.frame = frame,
                         .layout = layout_,
                         .heads = project_.heads(),
                         .qkv = qkv,
                         .out = out,
                         .visible = visible,
                         .sees = &sees,
                         .pages = pages,
                         .scale = config_.scale,
                         .soft_cap = 0.0f,
                         .alibi = nullptr,
                         .bias = {},
                         .sinks = nullptr,
                         .attend = nullptr,
                         .adjust = &adjust});
  const View kept = arena.take_view(in.x.rows, out.cols);
  for (std::size_t s = 0; s < tokens.sequences.size(); ++s)
    for (index_t i = 0; i < tokens.sequences[s].size(); ++i)
      std::copy_n(out.row(ranges[s].begin + i), out.cols, kept.row(tokens.sequences[s].begin + i));
  output_.forward(kept, delta, in.frame);
}

}  // namespace hw
