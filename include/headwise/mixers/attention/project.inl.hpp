#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/mixers/attention/project.hpp"

namespace hw {
namespace detail {

// Checked here, below both front doors, so that user code gets the errors that a file gets.
HEADWISE_INLINE void check_heads(const HeadCounts& c, std::string_view where) {
  check_sizes(where, {{c.hidden_size, "hidden_size"},
                      {c.num_attention_heads, "num_attention_heads"},
                      {c.num_key_value_heads, "num_key_value_heads"},
                      {c.head_dim, "head_dim"}});
  if (c.num_attention_heads % c.num_key_value_heads != 0)
    fail(where, concat("num_attention_heads (", c.num_attention_heads, ") to be a multiple of num_key_value_heads"),
         std::to_string(c.num_key_value_heads));
}

inline const QkvProjection::Config& checked(const QkvProjection::Config& c, const Build& b) {
  const std::string where = b.path("q");
  check_heads({c.hidden_size, c.num_attention_heads, c.num_key_value_heads, c.head_dim}, where);
  if (c.temperature_scale != 0 && c.temperature_floor < 1) fail(where, "a temperature_floor above 0", std::to_string(c.temperature_floor));
  if (!(c.clip >= 0)) fail(where, "a clip of at least 0 (0: no limit)", concat(c.clip));
  const auto check_norm = [&](const AnyNormConfig& norm, index_t heads, const char* name) {
    const index_t size = size_of(norm), all = heads * c.head_dim;
    if (size != 0 && size != c.head_dim && size != all)
      fail(b.path(name), concat("a norm over each head, ", c.head_dim, ", or over all, ", all), std::to_string(size));
  };
  check_norm(c.q_norm, c.num_attention_heads, "q_norm");
  check_norm(c.k_norm, c.num_key_value_heads, "k_norm");
  if (c.rotary) check_rotary(*c.rotary, c.head_dim, where);
  return c;
}

}  // namespace detail

HEADWISE_LOAD_TIME QkvProjection::QkvProjection(const Config& c, const Build& b)
    : config_(detail::checked(c, b)),
      qkv_(c.hidden_size,
           {{"q", c.num_attention_heads * c.head_dim, c.bias},
            {"k", c.num_key_value_heads * c.head_dim, c.bias && c.key_bias},
            {"v", c.num_key_value_heads * c.head_dim, c.bias}},
           b) {
  q_norm_ = make_norm(c.q_norm, b.scope("q_norm"));
  k_norm_ = make_norm(c.k_norm, b.scope("k_norm"));
  if (c.rotary) angles_ = rotary_stream(*c.rotary, b);
}

HEADWISE_INLINE void QkvProjection::project(In in, Qkv& o) const {
  const Step& step = in.frame.step;
  const index_t q = config_.num_attention_heads * config_.head_dim, k = config_.num_key_value_heads * config_.head_dim;
  const View all = step.arena.take_view(in.x.rows, q + 2 * k);
  qkv_.forward(in.x, all, in.frame);
  o = {all.col_range(0, q), all.col_range(q, q + k), all.col_range(q + k, q + 2 * k)};
  const auto normalise = [&](const AnyNorm& any, index_t size, View x) {
    std::visit(
        [&](const auto& norm) {
          if (size == x.cols) return norm.forward(x, x, in.frame);
          for (index_t t = 0; t < x.rows; ++t) {
            const View heads(x.row(t), x.cols / size, size);
            norm.forward(heads, heads, in.frame);
          }
        },
        any);
  };
  if (const index_t size = size_of(config_.q_norm)) normalise(q_norm_, size, o.q);
  if (const index_t size = size_of(config_.k_norm)) normalise(k_norm_, size, o.k);
  if (config_.clip > 0)
    step.parallel_rows(all.rows, all.cols, [&](index_t begin, index_t end) {
      for (index_t t = begin; t < end; ++t)
        for (float& v : all[t]) v = std::clamp(v, -config_.clip, config_.clip);
    });
  if (config_.temperature_scale != 0) {
    const auto& index = in.frame.tokens().index;
    for (index_t t = 0; t < o.q.rows; ++t) {
      const auto chunks = static_cast<float>((index[static_cast<std::size_t>(t)] + 1) / config_.temperature_floor);
      step.kernels.elementwise.scale(o.q.row(t), o.q.stride, 1 + config_.temperature_scale * std::log1p(chunks), 1, q, o.q.row(t),
                                     o.q.stride);
    }
  }
  if (config_.rotary) {
    const index_t n = config_.rotary->dims / 2;
    const View angles = in.frame.at(angles_);
    // The heads of k follow those of q in a row, and those of v come last.
    const index_t heads = config_.num_attention_heads + config_.num_key_value_heads * (config_.rotate_values ? 2 : 1);
    step.parallel_rows(all.rows, 2 * (q + k), [&](index_t begin, index_t end) {
      step.kernels.elementwise.rope(all.row(begin), all.stride, end - begin, heads, config_.head_dim, angles.row(begin),
                                    angles.row(begin) + n, angles.stride, n, config_.rotary->pairs);
    });
  }
}

}  // namespace hw
