#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/mixers/xlstm/mlstm.hpp"

namespace hw {

HEADWISE_LOAD_TIME Mlstm::Mlstm(const Config& c, const Build& b)
    : config_(c),
      in_(c.hidden_size,
          {{"q", c.heads * c.qk_head_dim}, {"k", c.heads * c.qk_head_dim}, {"v", c.heads * c.v_head_dim}, {"gate", c.heads * c.v_head_dim}},
          b),
      gates_(c.hidden_size, {{"input", c.heads, true}, {"forget", c.heads, true}}, b),
      output_(c.heads * c.v_head_dim, c.hidden_size, false, b.scope("o")),
      norm_(b.vector("head_norm.weight", c.heads * c.v_head_dim)) {}

HEADWISE_INLINE void Mlstm::scan(const RecurrentState::Move& move, ConstView qkvg, ConstView gates, RowRange rows, index_t head,
                                 View out) const noexcept {
  const index_t nk = config_.qk_head_dim, nv = config_.v_head_dim, all = config_.heads * nk;
  float* memory = move.to + head * head_width();
  std::copy_n(move.from + head * head_width(), head_width(), memory);
  float* sum = memory + nk * nv;
  float m = sum[nk];
  const float root = 1.0f / std::sqrt(static_cast<float>(nk));
  for (index_t t = rows.begin; t < rows.end; ++t) {
    const float* q = qkvg.row(t) + head * nk;
    const float* k = q + all;
    const float* v = qkvg.row(t) + 2 * all + head * nv;
    const float i = gates(t, head), f = gates(t, config_.heads + head);
    const float kept = m + (std::min(f, 0.0f) - std::log1p(std::exp(-std::abs(f))));  // + log sigmoid(f)
    m = std::max(kept, i);
    const float forget = std::exp(kept - m), add = std::exp(i - m);
    float* o = out.row(t) + head * nv;
    std::fill_n(o, nv, 0.0f);
    float weight = 0;
    for (index_t a = 0; a < nk; ++a) {
      const float qa = q[a] * root, ka = add * k[a];
      float* row = memory + a * nv;
      for (index_t j = 0; j < nv; ++j) {
        row[j] = forget * row[j] + ka * v[j];
        o[j] += qa * row[j];
      }
      sum[a] = forget * sum[a] + ka;
      weight += qa * sum[a];
    }
    const float scale = 1.0f / (std::max(std::abs(weight), std::exp(-m)) + config_.eps);
    for (index_t j = 0; j < nv; ++j) o[j] *= scale;
  }
  sum[nk] = m;
}

HEADWISE_INLINE void Mlstm::forward(In in, View delta, const States<State>& states) const {
  const Frame& f = in.frame;
  const Step& step = f.step;
  const auto& kernels = step.kernels.elementwise;
  const index_t h = config_.heads, nk = config_.qk_head_dim, nv = config_.v_head_dim, t = in.x.rows;
  const View qkvg = step.arena.take_view(t, in_.out()), gates = step.arena.take_view(t, 2 * h), out = step.arena.take_view(t, h * nv);
  in_.forward(in.x, qkvg, f);
  gates_.forward(in.x, gates, f);
  kernels.soft_cap(gates.data, gates.stride, config_.gate_soft_cap, t, 2 * h, gates.data, gates.stride);
  const std::span<const RowRange> sequences = f.tokens().sequences;
  const auto moves = step.arena.take<RecurrentState::Move>(static_cast<index_t>(sequences.size()));
  for (std::size_t s = 0; s < sequences.size(); ++s) moves[s] = advance(states, s, sequences[s].size(), h * head_width(), step.arena);
  step.parallel_rows(h, 4 * t * nk * nv, [&](index_t begin, index_t end) {
    for (std::size_t s = 0; s < sequences.size(); ++s)
      for (index_t head = begin; head < end; ++head) scan(moves[s], qkvg, gates, sequences[s], head, out);
  });
  for (index_t head = 0; head < h; ++head)
    kernels.layer_norm(out.data + head * nv, out.stride, t, nv, norm_.data() + head * nv, nullptr, config_.norm_eps, out.data + head * nv,
                       out.stride);
  kernels.gate(Activation::sigmoid, qkvg.data + h * (2 * nk + nv), qkvg.stride, out.data, out.stride, t, h * nv, out.data, out.stride);
  output_.forward(out, delta, f);
}

}  // namespace hw
