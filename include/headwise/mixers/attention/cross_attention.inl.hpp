#pragma once
#include <cmath>

#include "headwise/mixers/attention/cross_attention.hpp"

namespace hw {
namespace detail {

inline const CrossAttention::Config& checked(const CrossAttention::Config& c, const Build& b) {
  check_heads({c.hidden_size, c.num_attention_heads, c.num_key_value_heads, c.head_dim}, b.path("q"));
  if (c.memory_size < 0) fail(b.path("k"), "a memory_size of at least 0 (0: hidden_size)", std::to_string(c.memory_size));
  if (c.options.alibi || c.options.relative.num_buckets > 0)
    fail(b.path("q"), "rows of another token set have no distance: neither ALiBi nor a relative bias");
  return c;
}

}  // namespace detail

HEADWISE_LOAD_TIME CrossAttention::CrossAttention(const Config& c, const Build& b)
    : heads_(detail::checked(c, b).num_attention_heads),
      options_(c.options),
      layout_{c.num_key_value_heads, c.head_dim, c.head_dim, b.kv()},
      query_(c.hidden_size, {{"q", c.num_attention_heads * c.head_dim, c.bias}}, b),
      key_value_(c.memory_size > 0 ? c.memory_size : c.hidden_size,
                 {{"k", c.num_key_value_heads * c.head_dim, c.bias && c.key_bias}, {"v", c.num_key_value_heads * c.head_dim, c.bias}}, b),
      output_(c.num_attention_heads * c.head_dim, c.hidden_size, c.options.output_bias, b.scope("o")),
      where_(b.path("")) {
  if (options_.sinks) sinks_ = b.vector("sinks", heads_);
}

HEADWISE_INLINE void CrossAttention::remember(const Frame& memory, const States<State>& states) const {
  const View rows = memory.at({});
  Arena& arena = memory.step.arena;
  const index_t width = layout_.heads * layout_.key_dim;
  const View all = arena.take_view(rows.rows, 2 * width);
  key_value_.forward(rows, all, memory);
  const auto each = arena.take<KvState*>(static_cast<index_t>(states.size()));
  for (std::size_t s = 0; s < states.size(); ++s) {
    each[s] = &states[s].entries();
    each[s]->reserve(memory.tokens().sequences[s].size());
  }
  detail::store_entries(memory, layout_, {{}, all.col_range(0, width), all.col_range(width, 2 * width)}, States<KvState>(each));
  for (std::size_t s = 0; s < states.size(); ++s) each[s]->grow(memory.tokens().sequences[s].size());
}

HEADWISE_INLINE void CrossAttention::forward(In in, View delta, const States<State>& states) const {
  const Frame& f = in.frame;
  const auto& sequences = f.tokens().sequences;
  Arena& arena = f.step.arena;
  if (states.empty()) fail(where_, "cross-attention reads what a state remembers of a source: give one (Model::encode)");

  const auto pages = arena.take<std::span<const std::byte* const>>(static_cast<index_t>(sequences.size()));
  const auto visible = arena.take<EntryRange>(f.rows());
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    const KvState& entries = states[s].entries();
    if (entries.size() == 0) fail(where_, concat("the state of sequence ", s, " remembers no source (Model::encode)"));
    const auto own = arena.take<const std::byte*>(entries.pages());
    for (index_t i = 0; i < entries.pages(); ++i) own[static_cast<std::size_t>(i)] = entries.page(i);
    pages[s] = own;
    for (index_t t = sequences[s].begin; t < sequences[s].end; ++t) visible[static_cast<std::size_t>(t)] = {0, entries.size()};
  }
  const View q = arena.take_view(f.rows(), query_.out()), out = arena.take_view(f.rows(), query_.out());
  query_.forward(in.x, q, f);
  detail::run_attention({.frame = f,
                         .layout = layout_,
                         .heads = heads_,
                         .qkv = {q, {}, {}},
                         .out = out,
                         .visible = visible,
                         .sees = nullptr,
                         .pages = pages,
                         .scale = options_.scale.value_or(1.0f / std::sqrt(static_cast<float>(layout_.key_dim))),
                         .soft_cap = options_.soft_cap,
                         .alibi = nullptr,
                         .bias = {},
                         .sinks = sinks_.empty() ? nullptr : sinks_.data(),
                         .attend = nullptr,
                         .adjust = nullptr});
  output_.forward(out, delta, f);
}

}  // namespace hw
