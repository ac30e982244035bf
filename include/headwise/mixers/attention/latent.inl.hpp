#pragma once
#include <algorithm>

#include "headwise/mixers/attention/latent.hpp"

namespace hw {
namespace detail {

inline const LatentProjection::Config& checked(const LatentProjection::Config& c, const Build& b) {
  const std::string where = b.path("q");
  check_heads({c.hidden_size, c.num_attention_heads, 1, c.nope_dim + c.rope_dim}, where);
  check_sizes(where, {{c.kv_rank, "kv_rank"}, {c.nope_dim, "nope_dim"}, {c.rope_dim, "rope_dim"}, {c.value_dim, "value_dim"}});
  if (c.rotary.dims == 0) return c;
  if (c.rotary.dims != c.rope_dim) fail(where, concat("a rotation of ", c.rope_dim, " coordinates"), std::to_string(c.rotary.dims));
  check_rotary(c.rotary, c.rope_dim, where);
  return c;
}

}  // namespace detail

HEADWISE_LOAD_TIME LatentProjection::LatentProjection(const Config& c, const Build& b)
    : config_(detail::checked(c, b)),
      q_(c.q_rank > 0 ? c.q_rank : c.hidden_size, c.num_attention_heads * (c.nope_dim + c.rope_dim), false, b.scope("q")),
      kv_down_(c.hidden_size, c.kv_rank + c.rope_dim, c.bias, b.scope("kv_down")),
      kv_norm_({c.kv_rank, c.norm_eps}, b.scope("kv_norm")),
      angles_(c.rotary.dims > 0 ? rotary_stream(c.rotary, b) : Slot()) {
  if (c.q_rank > 0) {
    q_down_.emplace(c.hidden_size, c.q_rank, c.bias, b.scope("q_down"));
    q_norm_.emplace(RmsNorm::Config{c.q_rank, c.norm_eps}, b.scope("q_norm"));
  }
  for (index_t j = 0; j < c.num_attention_heads; ++j) {
    key_up_.emplace_back(c.nope_dim, c.kv_rank, false, b.scope(concat("key_up.", j)));
    value_up_.emplace_back(c.kv_rank, c.value_dim, false, b.scope(concat("value_up.", j)));
  }
}

HEADWISE_INLINE void LatentProjection::each_head(const std::vector<Linear>& layers, ConstView x, index_t x_step, View y, index_t y_step,
                                                 const Frame& f) const {
  const Step& step = f.step;
  const index_t t = x.rows, h = heads(), in = layers[0].in(), out = layers[0].out();
  // The rows of a head side by side.
  const View from = step.arena.take_view(h * t, in), to = step.arena.take_view(h * t, out);
  const auto begin = step.arena.take<index_t>(h + 1);
  const auto all = step.arena.take<const Linear*>(h);
  for (index_t j = 0; j < h; ++j) {
    begin[static_cast<std::size_t>(j)] = j * t;
    all[static_cast<std::size_t>(j)] = &layers[static_cast<std::size_t>(j)];
  }
  begin.back() = h * t;
  step.parallel_rows(t, h * in, [&](index_t first, index_t last) {
    for (index_t r = first; r < last; ++r)
      for (index_t j = 0; j < h; ++j) std::copy_n(x.row(r) + j * x_step, in, from.row(j * t + r));
  });
  Linear::forward_groups(all, begin, from, to, f);
  step.parallel_rows(t, h * out, [&](index_t first, index_t last) {
    for (index_t r = first; r < last; ++r)
      for (index_t j = 0; j < h; ++j) std::copy_n(to.row(j * t + r), out, y.row(r) + j * y_step);
  });
}

HEADWISE_INLINE void LatentProjection::project(In in, Qkv& o) const {
  const Frame& f = in.frame;
  const Step& step = f.step;
  Arena& arena = step.arena;
  const index_t t = in.x.rows, h = heads(), nope = config_.nope_dim, rope = config_.rope_dim, rank = config_.kv_rank, n = rope / 2;
  const View q = arena.take_view(t, h * (nope + rope)), kv = arena.take_view(t, rank + rope);
  ConstView source = in.x;
  const auto normalise = [&](const RmsNorm& norm, View x, float scale) {
    norm.forward(x, x, f);
    if (scale != 1.0f)
      step.parallel_rows(t, x.cols, [&](index_t first, index_t last) {
        step.kernels.elementwise.scale(x.row(first), x.stride, scale, last - first, x.cols, x.row(first), x.stride);
      });
  };
  if (q_down_) {
    const View latent = arena.take_view(t, config_.q_rank);
    q_down_->forward(in.x, latent, f);
    normalise(*q_norm_, latent, config_.q_scale);
    source = latent;
  }
  q_.forward(source, q, f);
  kv_down_.forward(in.x, kv, f);
  normalise(kv_norm_, kv.col_range(0, rank), config_.kv_scale);

  if (config_.rotary.dims > 0) {
    const View angles = f.at(angles_);
    const auto rotate = [&](float* x, index_t stride, index_t first, index_t last, index_t count, index_t step_of) {
      step.kernels.elementwise.rope(x, stride, last - first, count, step_of, angles.row(first), angles.row(first) + n, angles.stride, n,
                                    config_.rotary.pairs);
    };
    step.parallel_rows(t, 2 * (h + 1) * rope, [&](index_t first, index_t last) {
      rotate(q.row(first) + nope, q.stride, first, last, h, nope + rope);
      rotate(kv.row(first) + rank, kv.stride, first, last, 1, rope);
    });
  }

  const View absorbed = arena.take_view(t, h * (rank + rope));
  each_head(key_up_, q, nope + rope, absorbed, rank + rope, f);
  step.parallel_rows(t, h * rope, [&](index_t first, index_t last) {
    for (index_t r = first; r < last; ++r)
      for (index_t j = 0; j < h; ++j) std::copy_n(q.row(r) + j * (nope + rope) + nope, rope, absorbed.row(r) + j * (rank + rope) + rank);
  });
  o = {absorbed, kv, kv.col_range(0, rank)};
}

HEADWISE_INLINE View LatentProjection::emit(In in, const Qkv&, View heads) const {
  const View out = in.frame.step.arena.take_view(heads.rows, emitted());
  each_head(value_up_, heads, config_.kv_rank, out, config_.value_dim, in.frame);
  return out;
}

}  // namespace hw
