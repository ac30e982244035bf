#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/layers/embedding.hpp"

namespace hw {

HEADWISE_INLINE void EmbeddingTable::row(index_t i, float scale, bool add, std::span<float> out, const Step& step) const {
  const auto n = static_cast<index_t>(out.size());
  const ArenaScope scope(step.arena);
  float* wide = step.arena.take<float>(n).data();
  kernels::widen_row(source_.type, source_.row(i), n, wide);
  step.kernels.elementwise.add_scaled(out.data(), n, add ? 1.0f : 0.0f, wide, n, scale, 1, n, out.data(), n);
}

namespace detail {
inline const Embedding::Config& checked(const Embedding::Config& c, const Build& b) {
  if (c.vocab_size < 0 || c.hidden_size <= 0)
    fail(b.path("weight"), "a vocabulary of at least 0 and a width above 0", shape_string({c.vocab_size, c.hidden_size}));
  if (c.positions < 0 || c.types < 0) fail(b.path("weight"), "positions and types of at least 0", shape_string({c.positions, c.types}));
  if (c.width() != c.hidden_size && c.projection == Embedding::Projection::none)
    fail(b.path("weight"), concat("a projection from ", c.width(), " to ", c.hidden_size, " columns"), "none");
  if (c.trigram && c.projection != Embedding::Projection::tokens)
    fail(b.path("weight"), "a projection of the tokens, which reads three rows", "none");
  if (c.sinusoid_steps < 0 || (c.sinusoid_steps > 0 && c.hidden_size % 2 != 0))
    fail(b.path("weight"), "sinusoids of at least 0 steps, and an even width for them", shape_string({c.sinusoid_steps, c.hidden_size}));
  for (const CoordTable& table : c.tables)
    if (table.rows <= 0 || table.axis < 0)
      fail(b.path(table.name), "rows above 0 and an axis of at least 0", shape_string({table.rows, table.axis}));
  return c;
}
}  // namespace detail

HEADWISE_LOAD_TIME Embedding::Embedding(const Config& c, const Build& b)
    : config_(detail::checked(c, b)),
      tokens_(c.vocab_size > 0 ? EmbeddingTable(c.vocab_size, c.width(), b) : EmbeddingTable()),
      norm_(NoNorm()) {
  const index_t width = c.projection == Projection::tokens ? c.hidden_size : c.width();  // of the other tables
  norm_ = make_norm(c.norm, b.scope("norm"));
  if (c.positions > 0) positions_.emplace(c.positions, width, b.scope("positions"));
  if (c.types > 0) types_.emplace(c.types, width, b.scope("types"));
  for (const CoordTable& table : c.tables) tables_.emplace_back(table.rows, width, b.scope(table.name));
  if (c.sinusoid_steps > 0)
    for (index_t i = 0; i < width / 2; ++i)
      frequencies_.push_back(std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(c.sinusoid_steps)));
  if (c.projection != Projection::none) projection_.emplace(c.projected(), c.hidden_size, c.projection_bias, b.scope("projection"));
  if (c.affine) shift_ = b.vector("shift", c.hidden_size), gain_ = b.vector("gain", c.hidden_size);
}

HEADWISE_INLINE void Embedding::forward(ConstView vectors, const Frame& f) const {
  const TokenSet& tokens = f.tokens();
  const View stream = f.at({});
  const ArenaScope scope(f.step.arena);
  const View x = projection_ ? f.step.arena.take_view(stream.rows, config_.width()) : stream;
  index_t next_vector = 0;
  for (index_t t = 0; t < x.rows; ++t) {
    const std::int32_t id = tokens.id[static_cast<std::size_t>(t)];
    if (id >= 0) {
      std::fill_n(x.row(t), x.cols, 0.0f);  // 0 * (what lay there) could be NaN
      if (id != config_.zero_id) tokens_.row(id, config_.scale, false, x[t], f.step);
    } else {
      std::copy_n(vectors.row(next_vector++), x.cols, x.row(t));
    }
  }
  if (config_.mask_id >= 0) {
    for (const RowRange rows : tokens.sequences) {
      index_t masked = 0;
      for (index_t t = rows.begin; t < rows.end; ++t) masked += tokens.id[static_cast<std::size_t>(t)] == config_.mask_id;
      const float share = static_cast<float>(masked) / static_cast<float>(rows.size()), scale = (1 - 0.15f * 0.8f) / (1 - share);
      for (index_t t = rows.begin; t < rows.end; ++t)
        for (float& v : x[t]) v = tokens.id[static_cast<std::size_t>(t)] == config_.mask_id ? 0.0f : v * scale;
    }
  }
  const auto norm = [&](View rows) { std::visit([&](const auto& n) { n.forward(rows, rows, f); }, norm_); };
  if (config_.projection == Projection::tokens) projection_->forward(config_.trigram ? trigrams(x, f) : x, stream, f);
  const View sum = config_.projection == Projection::tokens ? stream : x;
  add_tables(sum, f);
  norm(sum);
  if (config_.projection == Projection::rows) projection_->forward(x, stream, f);
  if (config_.affine)
    for (index_t t = 0; t < stream.rows; ++t) {
      f.step.kernels.elementwise.add(stream.row(t), shift_.data(), stream.row(t), stream.cols);
      f.step.kernels.elementwise.gate(Activation::identity, gain_.data(), stream.cols, stream.row(t), stream.stride, 1, stream.cols,
                                      stream.row(t), stream.stride);
    }
}

// [x_{t+1}, x_t, x_{t-1}]
HEADWISE_INLINE View Embedding::trigrams(ConstView x, const Frame& f) const {
  const TokenSet& tokens = f.tokens();
  const index_t n = x.cols;
  const View out = f.step.arena.take_view(x.rows, 3 * n);
  for (const RowRange rows : tokens.sequences)
    for (index_t t = rows.begin; t < rows.end; ++t) {
      std::fill_n(out.row(t), out.cols, 0.0f);
      std::copy_n(x.row(t), n, out.row(t) + n);
      if (t > rows.begin) std::copy_n(x.row(t - 1), n, out.row(t) + 2 * n);
      if (t + 1 < rows.end) {
        std::copy_n(x.row(t + 1), n, out.row(t));
      } else if (tokens.axes > 1) {
        const auto after = static_cast<index_t>(std::lround(tokens.coord[static_cast<std::size_t>(t * tokens.axes + 1)]));
        if (after >= tokens_.count())
          fail(concat("forward: row ", t), concat("a following id below ", tokens_.count()), std::to_string(after));
        if (after >= 0) tokens_.row(after, config_.scale, false, out[t].first(static_cast<std::size_t>(n)), f.step);
      }
    }
  return out;
}

HEADWISE_INLINE void Embedding::add_tables(View x, const Frame& f) const {
  const TokenSet& tokens = f.tokens();
  for (index_t t = 0; t < x.rows; ++t) {
    const auto i = static_cast<std::size_t>(t);
    const auto coord = [&](int axis) {
      return axis < tokens.axes ? static_cast<index_t>(
                                      std::lround(tokens.coord[i * static_cast<std::size_t>(tokens.axes) + static_cast<std::size_t>(axis)]))
                                : 0;
    };
    if (positions_)
      positions_->row(std::clamp<index_t>(coord(0) + config_.position_offset, 0, positions_->count() - 1), 1.0f, true, x[t], f.step);
    for (std::size_t j = 0; j < frequencies_.size(); ++j) {
      const double angle =
          (static_cast<double>(tokens.coord[i * static_cast<std::size_t>(tokens.axes)]) + static_cast<double>(config_.position_offset)) *
          frequencies_[j];
      x[t][j] += static_cast<float>(std::sin(angle));
      x[t][frequencies_.size() + j] += static_cast<float>(std::cos(angle));
    }
    if (types_) {
      if (tokens.mark[i] < 0 || tokens.mark[i] >= types_->count())
        fail(concat("forward: row ", t), concat("a token type below ", types_->count()), std::to_string(tokens.mark[i]));
      types_->row(tokens.mark[i], 1.0f, true, x[t], f.step);
    }
    for (std::size_t k = 0; k < tables_.size(); ++k) {
      const CoordTable& table = config_.tables[k];
      const index_t at = coord(table.axis) - (table.minus >= 0 ? coord(table.minus) : 0);
      if (at < 0 || at >= table.rows)
        fail(concat("forward: row ", t), concat("a coordinate for ", table.name, " from 0 to ", table.rows - 1), std::to_string(at));
      tables_[k].row(at, 1.0f, true, x[t], f.step);
    }
  }
}

}  // namespace hw
