#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/mixers/attention/routed_attention.hpp"

namespace hw {
namespace detail {

inline const RoutedAttention::Config& checked(const RoutedAttention::Config& c, const Build& b) {
  check_heads({c.router.hidden_size, c.num_key_value_heads, c.num_key_value_heads, c.head_dim}, b.path("k"));
  if (c.rotary) check_rotary(*c.rotary, c.head_dim, b.path("k"));
  c.mask.check(b.path("mask"));
  return c;
}

}  // namespace detail

HEADWISE_LOAD_TIME RoutedAttention::RoutedAttention(const Config& c, const Build& b)
    : config_(detail::checked(c, b)), layout_{c.num_key_value_heads, c.head_dim, c.head_dim}, router_(c.router, b.scope("router")) {
  const index_t width = c.num_key_value_heads * c.head_dim, d = c.router.hidden_size;
  layout_.type = b.kv();
  b.note_attention(c.router.top_k * c.num_key_value_heads, layout_);
  kv_ = Linear(d, {{"k", width}, {"v", width}}, b);
  for (index_t e = 0; e < router_.experts(); ++e) {
    q_.emplace_back(d, width, false, b.scope(concat("q.", e)));
    o_.emplace_back(width, d, false, b.scope(concat("o.", e)));
  }
  if (c.bias) bias_ = b.vector("bias", d);
  if (c.rotary) angles_ = rotary_stream(*c.rotary, b);
}

HEADWISE_INLINE void RoutedAttention::run(const std::vector<Linear>& experts, const detail::Dispatch& d, ConstView x, View y,
                                          const Frame& f) {
  const auto all = f.step.arena.take<const Linear*>(static_cast<index_t>(experts.size()));
  for (std::size_t e = 0; e < experts.size(); ++e) all[e] = &experts[e];
  Linear::forward_groups(all, d.begin, x, y, f);
}

template <class Move>
void RoutedAttention::each_head(const Plan& plan, const detail::Dispatch& d, Move move) const {
  const index_t k = config_.head_dim, top_k = config_.router.top_k;
  for (index_t r = 0; r < plan.rows(); ++r)
    for (index_t i = 0; i < top_k; ++i)
      for (index_t g = 0; g < config_.num_key_value_heads; ++g)
        move(d.place[static_cast<std::size_t>(r * top_k + i)], g * k, r, (g * top_k + i) * k);
}

HEADWISE_INLINE Qkv RoutedAttention::project(In in, const Plan& plan, const detail::Dispatch& d) const {
  const Step& step = in.frame.step;
  const index_t k = config_.head_dim, groups = config_.num_key_value_heads, q = groups * config_.router.top_k * k, kv = groups * k;
  const View all = step.arena.take_view(in.x.rows, q + 2 * kv);
  kv_.forward(in.x, all.col_range(q, all.cols), in.frame);

  const View x = step.arena.take_view(d.begin.back(), in.x.cols), made = step.arena.take_view(d.begin.back(), kv);
  detail::gather(plan, d, in.x, x, step);
  run(q_, d, x, made, in.frame);
  each_head(plan, d,
            [&](index_t place, index_t from, index_t row, index_t to) { std::copy_n(made.row(place) + from, k, all.row(row) + to); });

  if (config_.rotary) {
    const View angles = in.frame.at(angles_);
    const index_t n = config_.rotary->dims / 2;
    step.parallel_rows(all.rows, 2 * all.cols, [&](index_t begin, index_t end) {
      step.kernels.elementwise.rope(all.row(begin), all.stride, end - begin, (q + kv) / k, k, angles.row(begin), angles.row(begin) + n,
                                    angles.stride, n, config_.rotary->pairs);
    });
  }
  return {all.col_range(0, q), all.col_range(q, q + kv), all.col_range(q + kv, all.cols)};
}

HEADWISE_INLINE void RoutedAttention::forward(In in, View delta, const States<State>& states) const {
  const Frame& f = in.frame;
  const TokenSet& tokens = f.tokens();
  Arena& arena = f.step.arena;
  const index_t k = config_.head_dim;

  const Plan plan = router_.route(in);
  const detail::Dispatch d = detail::dispatch(plan, in.x.rows, router_.experts(), arena);
  const Qkv qkv = project(in, plan, d);
  const auto pages = detail::store_entries(f, layout_, qkv, states);
  const auto visible = arena.take<EntryRange>(f.rows());
  for (std::size_t s = 0; s < tokens.sequences.size(); ++s)
    for (index_t t = tokens.sequences[s].begin; t < tokens.sequences[s].end; ++t)
      visible[static_cast<std::size_t>(t)] = config_.mask.range(tokens, t, tokens.total[s]);
  const View heads = arena.take_view(f.rows(), qkv.q.cols);
  detail::run_attention({.frame = f,
                         .layout = layout_,
                         .heads = qkv.q.cols / k,
                         .qkv = qkv,
                         .out = heads,
                         .visible = visible,
                         .sees = nullptr,
                         .pages = pages,
                         .scale = 1.0f / std::sqrt(static_cast<float>(k)),
                         .soft_cap = 0.0f,
                         .alibi = nullptr,
                         .bias = {},
                         .sinks = nullptr,
                         .attend = nullptr,
                         .adjust = nullptr});
  for (std::size_t s = 0; s < states.size(); ++s) states[s].grow(tokens.sequences[s].size());

  const View values = arena.take_view(d.begin.back(), layout_.heads * k), out = arena.take_view(d.begin.back(), delta.cols);
  each_head(plan, d,
            [&](index_t place, index_t to, index_t row, index_t from) { std::copy_n(heads.row(row) + from, k, values.row(place) + to); });
  run(o_, d, values, out, f);
  detail::combine(plan, d, out, in.x, router_.experts(), 0, delta, f.step);
  for (index_t r = 0; !bias_.empty() && r < delta.rows; ++r)
    f.step.kernels.elementwise.add(delta.row(r), bias_.data(), delta.row(r), delta.cols);
}

}  // namespace hw
