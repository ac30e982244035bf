#pragma once
// A small hybrid with random weights: a recurrence written here, attention with a window, attention without.

#include <gtest/gtest.h>

#include <cmath>

#include "headwise/headwise.hpp"

namespace toy {

using hw::index_t;

// h_t = a_t h_{t-1} + (1 - a_t) v_t,  a_t = sigmoid(Wa x_t)
struct Average {
  static constexpr std::string_view kName = "average";
  using State = hw::RecurrentState;
  struct Config {
    index_t size = 0;
  };
  Average(const Config& c, const hw::Build& b) : n(c.size), in(n, {{"a", n}, {"v", n}}, b), out(n, n, false, b.scope("o")) {}
  State make_state() const { return State(n); }
  void forward(hw::In x, hw::View delta, const hw::States<State>& states) const {
    const hw::Frame& f = x.frame;
    const hw::View av = f.step.arena.take_view(x.x.rows, 2 * n), h = f.step.arena.take_view(x.x.rows, n);
    in.forward(x.x, av, f);
    for (std::size_t s = 0; s < f.tokens().sequences.size(); ++s) {
      const hw::RowRange rows = f.tokens().sequences[s];
      const auto [from, to] = hw::advance(states, s, rows.size(), n, f.step.arena);
      for (index_t j = 0; j < n; ++j) {
        float now = from[j];
        for (index_t t = rows.begin; t < rows.end; ++t) {
          const float a = 1 / (1 + std::exp(-av(t, j)));
          h(t, j) = now = a * now + (1 - a) * av(t, n + j);
        }
        to[j] = now;
      }
    }
    out.forward(h, delta, f);
  }
  index_t n;
  hw::Linear in, out;
};

using Mlp = hw::PreNorm<hw::RmsNorm, hw::GatedMlp>;
using Recurrent = hw::Block<hw::PreNorm<hw::RmsNorm, Average>, Mlp>;
using Attend = hw::Block<hw::PreNorm<hw::RmsNorm, hw::Attention<>>, Mlp>;
using Hybrid = hw::Decoder<Recurrent, Attend>;

inline constexpr index_t kVocab = 64, kWidth = 64;

inline std::unique_ptr<hw::Model> hybrid(int threads = 2, bool recurrent = true, index_t max_positions = 0) {
  const hw::RmsNorm::Config norm{.size = kWidth};
  const hw::GatedMlp::Config mlp{.hidden_size = kWidth, .intermediate_size = 96};
  hw::Attention<>::Config attention;
  attention.project = {.hidden_size = kWidth, .num_attention_heads = 4, .num_key_value_heads = 2, .head_dim = 16, .rotary = hw::RotaryConfig{.dims = 16}};
  const Attend::Config full{{{norm}, attention}, {{norm}, mlp}};
  attention.mask.window = 20;
  attention.options.soft_cap = 5;
  attention.options.sinks = true;
  const Attend::Config window{{{norm}, attention}, {{norm}, mlp}};
  Hybrid::Config c;
  c.embedding = {.vocab_size = kVocab, .hidden_size = kWidth};
  if (recurrent) c.blocks.push_back(Recurrent::Config{{{norm}, {kWidth}}, {{norm}, mlp}});
  c.blocks.push_back(window);
  if (recurrent) c.blocks.push_back(Recurrent::Config{{{norm}, {kWidth}}, {{norm}, mlp}});
  c.blocks.push_back(full);
  c.norm = norm;
  c.heads = {{.name = "logits", .stages = {hw::DenseStage{"", kVocab, false}}}};
  c.max_positions = max_positions;
  return std::make_unique<Hybrid>(c, hw::RandomWeights{.seed = 7}, std::make_shared<hw::ThreadPool>(threads));
}

inline std::vector<std::int32_t> ids(index_t n, int seed = 1) {
  std::vector<std::int32_t> out;
  std::uint32_t z = static_cast<std::uint32_t>(seed) * 2654435761u;
  for (index_t i = 0; i < n; ++i) {
    z = z * 1664525u + 1013904223u;
    out.push_back(static_cast<std::int32_t>((z >> 16) % static_cast<std::uint32_t>(kVocab)));
  }
  return out;
}

/// The logits of all rows of `x`, fed in steps of `chunk` (0: at once).
inline std::vector<float> feed(const hw::Model& model, hw::StateSet* state, std::span<const std::int32_t> x, std::size_t chunk = 0) {
  std::vector<float> all;
  hw::Output out;
  if (chunk == 0) chunk = x.size();
  for (std::size_t at = 0; at < x.size(); at += chunk) {
    model.forward({.ids = x.subspan(at, std::min(chunk, x.size() - at)), .state = state, .wanted = hw::Wanted::all}, out);
    const hw::ConstView v = out.logits();
    for (index_t i = 0; i < v.rows; ++i) all.insert(all.end(), v.row(i), v.row(i) + v.cols);
  }
  return all;
}

}  // namespace toy
