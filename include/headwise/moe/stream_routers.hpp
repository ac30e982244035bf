#pragma once
// Routers that read a stream beside the rows, or the norm of what they read. Not in the umbrella header.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "headwise/moe/row_router.hpp"

namespace hw {

/// h = W x + softplus(Wn x) * noise; the top_k largest, weighed by a softmax over them                 noisy top-k, arXiv:1701.06538
/// The noise is the stream `router noise` (rows, experts), where somebody publishes one; else 0, as after training: headwise draws nothing.
/// Weights: `weight`, `noise.weight` (e, d).
struct NoisyTopK {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t hidden_size = 0, num_experts = 0, top_k = 2;
  };
  NoisyTopK(const Config& c, const Build& b)
      : config(c),
        logits(c.hidden_size, c.num_experts, false, b.as_filed()),
        spread(c.hidden_size, c.num_experts, false, b.scope("noise").as_filed()),
        noise(b.slot("router noise")) {
    if (c.top_k < 1 || c.top_k > c.num_experts) fail(b.path("top_k"), concat("from 1 to ", c.num_experts), std::to_string(c.top_k));
  }
  index_t experts() const noexcept { return config.num_experts; }
  Plan route(In in) const {
    Arena& arena = in.frame.step.arena;
    const View h = arena.take_view(in.x.rows, experts()), s = arena.take_view(in.x.rows, experts()), drawn = in.frame.at(noise);
    logits.forward(in.x, h, in.frame);
    if (drawn.data != nullptr) {
      spread.forward(in.x, s, in.frame);
      for (index_t t = 0; t < h.rows; ++t)
        for (index_t e = 0; e < h.cols; ++e) h(t, e) += softplus(s(t, e)) * drawn(t, e);
    }
    return make_plan(in.frame.step, h.rows, config.top_k, [&](index_t row, Choice& choice) {
      choose_best(h[row], config.top_k, choice);
      softmax_row(choice.weights());
    });
  }
  Config config;
  Linear logits, spread;
  Slot noise;
};

/// p = softmax(W [e; x]), e the stream `router embedding`, which somebody publishes: what is known of a whole utterance, say; the top_k
/// best, weighed by p                                                                                     SpeechMoE, arXiv:2105.03036
/// Weights: `weight` (experts, size of e + d). Error, in forward: no such stream.
struct EmbeddingRouter {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t hidden_size = 0, embedding_size = 0, num_experts = 0, top_k = 1;
  };
  EmbeddingRouter(const Config& c, const Build& b)
      : config(c),
        logits(c.embedding_size + c.hidden_size, c.num_experts, false, b.as_filed()),
        embedding(b.slot("router embedding")),
        where(b.path("")) {
    if (c.top_k < 1 || c.top_k > c.num_experts) fail(b.path("top_k"), concat("from 1 to ", c.num_experts), std::to_string(c.top_k));
  }
  index_t experts() const noexcept { return config.num_experts; }
  Plan route(In in) const {
    const View e = in.frame.at(embedding), p = in.frame.step.arena.take_view(in.x.rows, experts());
    if (e.data == nullptr || e.cols != config.embedding_size) fail(where, "the stream `router embedding`", "none of that width");
    const View both = in.frame.step.arena.take_view(in.x.rows, logits.in());
    for (index_t t = 0; t < p.rows; ++t) std::copy_n(in.x.row(t), in.x.cols, std::copy_n(e.row(t), e.cols, both.row(t)));
    logits.forward(both, p, in.frame);
    return make_plan(in.frame.step, p.rows, config.top_k, [&](index_t row, Choice& choice) {
      softmax_row(p[row]);
      choose_best(p[row], config.top_k, choice);
    });
  }
  Config config;
  Linear logits;
  Slot embedding;
  std::string where;
};

/// s = W2 tanh(W1 x / |x|), how much of a dense layer's output each of its parts makes; the top_k largest, or, with a `share`, every expert
/// with |s_e| >= share max |s|; all weigh 1             MoEfication, arXiv:2110.01786; dynamic k: D2DMoE, arXiv:2310.04361
/// Weights: `hidden` (m, d), `weight` (e, m).
struct PartRouter {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t hidden_size = 0, num_experts = 0, size = 0, top_k = 1;
    float share = 0;
  };
  PartRouter(const Config& c, const Build& b)
      : config(c), hidden(c.hidden_size, c.size, false, b.scope("hidden").as_filed()), scores(c.size, c.num_experts, false, b.as_filed()) {
    if (c.top_k < 1 || c.top_k > c.num_experts) fail(b.path("top_k"), concat("from 1 to ", c.num_experts), std::to_string(c.top_k));
  }
  index_t experts() const noexcept { return config.num_experts; }
  Plan route(In in) const {
    Arena& arena = in.frame.step.arena;
    const View h = arena.take_view(in.x.rows, config.size), s = arena.take_view(in.x.rows, experts());
    hidden.forward(in.x, h, in.frame);
    for (index_t t = 0; t < h.rows; ++t) {
      const float length = std::sqrt(std::inner_product(in.x.row(t), in.x.row(t) + in.x.cols, in.x.row(t), 0.0f));
      for (float& v : h[t]) v = length > 0 ? std::tanh(v / length) : 0.0f;
    }
    scores.forward(h, s, in.frame);
    return make_plan(in.frame.step, s.rows, experts(), [&](index_t row, Choice& choice) {
      float most = 0;
      for (const float v : s[row]) most = std::max(most, std::abs(v));
      for (index_t e = 0; e < experts() && config.share > 0; ++e)
        if (std::abs(s(row, e)) >= config.share * most) choice.add(e, 1);
      if (config.share <= 0) choose_best(s[row], config.top_k, choice);
      for (float& w : choice.weights()) w = 1;
    });
  }
  Config config;
  Linear hidden, scores;
};

}  // namespace hw
