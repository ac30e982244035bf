#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/layers/embedding.hpp"

namespace hw {

HEADWISE_INLINE AnyNorm make_norm(const AnyNormConfig& config, const Build& b) {
  if (const auto* c = std::get_if<RmsNorm::Config>(&config)) return RmsNorm(*c, b);
  if (const auto* c = std::get_if<LayerNorm::Config>(&config)) return LayerNorm(*c, b);
  return NoNorm();
}

HEADWISE_INLINE void EmbeddingTable::row(index_t i, float scale, bool add, std::span<float> out, const Step& step) const {
  const auto n = static_cast<index_t>(out.size());
  const ArenaScope scope(step.arena);
  float* wide = step.arena.take<float>(n).data();
  kernels::widen_row(source_.type, source_.row(i), n, wide);
  step.kernels.elementwise.add_scaled(out.data(), n, add ? 1.0f : 0.0f, wide, n, scale, 1, n, out.data(), n);
}

namespace detail {
inline const Embedding::Config& checked(const Embedding::Config& c, const Build& b) {
  if (c.vocab_size <= 0 || c.hidden_size <= 0)
    fail(b.path("weight"), "a vocabulary and a width above 0", shape_string({c.vocab_size, c.hidden_size}));
  if (c.positions < 0 || c.types < 0) fail(b.path("weight"), "positions and types of at least 0", shape_string({c.positions, c.types}));
  return c;
}
}  // namespace detail

HEADWISE_INLINE Embedding::Embedding(const Config& c, const Build& b)
    : config_(detail::checked(c, b)), tokens_(c.vocab_size, c.hidden_size, b), norm_(make_norm(c.norm, b.scope("norm"))) {
  if (c.positions > 0) positions_.emplace(c.positions, c.hidden_size, b.scope("positions"));
  if (c.types > 0) types_.emplace(c.types, c.hidden_size, b.scope("types"));
}

HEADWISE_INLINE void Embedding::forward(ConstView vectors, const Frame& f) const {
  const TokenSet& tokens = f.tokens();
  const View x = f.at({});
  index_t next_vector = 0;
  for (index_t t = 0; t < x.rows; ++t) {
    const auto i = static_cast<std::size_t>(t);
    const std::span<float> row = x[t];
    if (tokens.id[i] >= 0) {
      std::fill(row.begin(), row.end(), 0.0f);  // 0 * (what lay there) could be NaN
      tokens_.row(tokens.id[i], config_.scale, false, row, f.step);
    } else {
      std::copy_n(vectors.row(next_vector++), x.cols, row.data());
    }
    if (positions_) {
      const auto p = static_cast<index_t>(std::lround(tokens.coord[i * static_cast<std::size_t>(tokens.axes)])) + config_.position_offset;
      positions_->row(std::clamp<index_t>(p, 0, positions_->count() - 1), 1.0f, true, row, f.step);
    }
    if (types_) {
      if (tokens.mark[i] < 0 || tokens.mark[i] >= types_->count())
        fail(concat("forward: row ", t), concat("a token type below ", types_->count()), std::to_string(tokens.mark[i]));
      types_->row(tokens.mark[i], 1.0f, true, row, f.step);
    }
  }
  std::visit([&](const auto& norm) { norm.forward(x, x, f); }, norm_);
}

}  // namespace hw
