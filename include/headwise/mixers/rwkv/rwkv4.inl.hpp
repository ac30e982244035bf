#pragma once
#include <algorithm>
#include <cmath>
#include <string>

#include "headwise/mixers/rwkv/rwkv4.hpp"

namespace hw {

HEADWISE_LOAD_TIME TokenShift::TokenShift(index_t width, std::initializer_list<std::string_view> names, const Build& b) {
  for (const std::string_view name : names) mu_.push_back(b.vector(name, width));
}

HEADWISE_INLINE void TokenShift::forward(std::size_t i, ConstView x, RowRange rows, const float* before, View y) const noexcept {
  const float* mu = mu_[i].data();
  for (index_t t = rows.begin; t < rows.end; ++t) {
    const float* now = x.row(t);
    for (index_t j = 0; j < x.cols; ++j) y(t, j) = mu[j] * now[j] + (1.0f - mu[j]) * before[j];
    before = now;
  }
}

HEADWISE_LOAD_TIME RwkvTimeMix::RwkvTimeMix(const Config& c, const Build& b)
    : config_(c),
      shift_(c.hidden_size, {"mix_receptance", "mix_key", "mix_value"}, b),
      receptance_(c.hidden_size, c.attention_hidden_size, false, b.scope("receptance")),
      key_(c.hidden_size, c.attention_hidden_size, false, b.scope("key")),
      value_(c.hidden_size, c.attention_hidden_size, false, b.scope("value")),
      output_(c.attention_hidden_size, c.hidden_size, false, b.scope("output")),
      decay_(b.vector("decay", c.attention_hidden_size)),
      first_(b.vector("first", c.attention_hidden_size)) {
  for (float& w : decay_) w = -std::exp(w);
}

// `key` becomes o.
HEADWISE_INLINE void RwkvTimeMix::scan(const RecurrentState::Move& sums, View key, ConstView value, RowRange rows, index_t begin,
                                       index_t end) const noexcept {
  const index_t n = config_.attention_hidden_size;
  for (index_t j = begin; j < end; ++j) {
    float above = sums.from[j], below = sums.from[n + j], exponent = sums.from[2 * n + j];
    const float w = decay_[static_cast<std::size_t>(j)], u = first_[static_cast<std::size_t>(j)];
    if (below == 0.0f) exponent = -1e38f;  // nothing seen yet: from the first token on the sum below is at least 1
    for (index_t t = rows.begin; t < rows.end; ++t) {
      const float k = key(t, j), v = value(t, j);
      float most = std::max(exponent, u + k);
      float past = std::exp(exponent - most), present = std::exp(u + k - most);
      key(t, j) = (past * above + present * v) / (past * below + present);
      most = std::max(exponent + w, k);
      past = std::exp(exponent + w - most);
      present = std::exp(k - most);
      above = past * above + present * v;
      below = past * below + present;
      exponent = most;
    }
    sums.to[j] = above;
    sums.to[n + j] = below;
    sums.to[2 * n + j] = exponent;
  }
}

HEADWISE_INLINE void RwkvTimeMix::forward(In in, View delta, const States<State>& states) const {
  const Frame& f = in.frame;
  const Step& step = f.step;
  const index_t d = config_.hidden_size, n = config_.attention_hidden_size, t = in.x.rows;
  const std::span<const RowRange> sequences = f.tokens().sequences;
  const auto moves = step.arena.take<RecurrentState::Move>(static_cast<index_t>(sequences.size()));
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    moves[s] = advance(states, s, sequences[s].size(), d + 3 * n, step.arena);
    const float* last = sequences[s].size() > 0 ? in.x.row(sequences[s].end - 1) : moves[s].from;
    std::copy_n(last, d, moves[s].to);
  }
  const View mixed = step.arena.take_view(t, d), r = step.arena.take_view(t, n), k = step.arena.take_view(t, n),
             v = step.arena.take_view(t, n);
  const auto project = [&](std::size_t i, const Linear& map, View y) {
    for (std::size_t s = 0; s < sequences.size(); ++s) shift_.forward(i, in.x, sequences[s], moves[s].from, mixed);
    map.forward(mixed, y, f);
  };
  project(0, receptance_, r);
  project(1, key_, k);
  project(2, value_, v);
  step.parallel_rows(n, 64 * t, [&](index_t begin, index_t end) {
    for (std::size_t s = 0; s < sequences.size(); ++s) scan({moves[s].from + d, moves[s].to + d}, k, v, sequences[s], begin, end);
  });
  step.kernels.elementwise.gate(Activation::sigmoid, r.data, r.stride, k.data, k.stride, t, n, k.data, k.stride);
  output_.forward(k, delta, f);
}

HEADWISE_LOAD_TIME RwkvChannelMix::RwkvChannelMix(const Config& c, const Build& b)
    : config_(c),
      shift_(c.hidden_size, {"mix_key", "mix_receptance"}, b),
      key_(c.hidden_size, c.intermediate_size, false, b.scope("key")),
      receptance_(c.hidden_size, c.hidden_size, false, b.scope("receptance")),
      value_(c.intermediate_size, c.hidden_size, false, b.scope("value")) {}

HEADWISE_INLINE void RwkvChannelMix::forward(In in, View delta, const States<State>& states) const {
  const Frame& f = in.frame;
  const Step& step = f.step;
  const index_t d = config_.hidden_size, n = config_.intermediate_size, t = in.x.rows;
  const std::span<const RowRange> sequences = f.tokens().sequences;
  const View for_key = step.arena.take_view(t, d), for_gate = step.arena.take_view(t, d), r = step.arena.take_view(t, d),
             k = step.arena.take_view(t, n);
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    const auto [from, to] = advance(states, s, sequences[s].size(), d, step.arena);
    shift_.forward(0, in.x, sequences[s], from, for_key);
    shift_.forward(1, in.x, sequences[s], from, for_gate);
    std::copy_n(sequences[s].size() > 0 ? in.x.row(sequences[s].end - 1) : from, d, to);
  }
  key_.forward(for_key, k, f);
  receptance_.forward(for_gate, r, f);
  step.kernels.elementwise.activate(Activation::relu2, k.data, k.stride, t, n, k.data, k.stride);
  value_.forward(k, delta, f);
  step.kernels.elementwise.gate(Activation::sigmoid, r.data, r.stride, delta.data, delta.stride, t, d, delta.data, delta.stride);
}

}  // namespace hw
