#pragma once
// What papers choose by: policies of RowRouter.

#include <utility>

#include "headwise/moe/row_router.hpp"

namespace hw {

/// w = max(l, 0): every expert with a weight above 0 runs, which may be none                              ReMoE, arXiv:2412.14711
struct ReluExperts {
  struct Config {};
  ReluExperts(const Config&, index_t, const Build&) {}
  index_t most(index_t experts) const noexcept { return experts; }
  void choose(std::span<float> l, Choice& out) const noexcept {
    for (std::size_t e = 0; e < l.size(); ++e)
      if (l[e] > 0) out.add(static_cast<index_t>(e), l[e]);
  }
};

/// p = softmax(l / temperature);  every expert with p above the threshold runs, weighed by p; `hard`: the best one alone
///                                                                                                        EvoMoE, arXiv:2112.14397
struct ThresholdExperts {
  struct Config {
    float temperature = 1.0f;
    float threshold = 0.0f;
    bool hard = false;
  };
  ThresholdExperts(const Config& c, index_t, const Build& b) : config(c) {
    if (!(c.temperature > 0)) fail(b.path("temperature"), "a temperature above 0", concat(c.temperature));
  }
  index_t most(index_t experts) const noexcept { return experts; }
  void choose(std::span<float> p, Choice& out) const noexcept {
    for (float& v : p) v /= config.temperature;
    softmax_row(p);
    if (config.hard) return choose_best(p, 1, out);
    for (std::size_t e = 0; e < p.size(); ++e)
      if (p[e] > config.threshold) out.add(static_cast<index_t>(e), p[e]);
  }
  Config config;
};

/// e = argmax l,  w = sigmoid(l_e)                                                                   BASE layers, arXiv:2103.16716
struct BestBySigmoid {
  struct Config {};
  BestBySigmoid(const Config&, index_t, const Build&) {}
  index_t most(index_t) const noexcept { return 1; }
  void choose(std::span<float> l, Choice& out) const noexcept {
    const index_t e = largest(l);
    out.add(e, sigmoid(l[static_cast<std::size_t>(e)]));
  }
};

/// The top_k best of p = softmax(l), the last `nulls` experts of which compute nothing; w = p / sum of the chosen that compute
///                                                                                                        AdaMoE, arXiv:2406.13233
struct NullExperts {
  struct Config {
    index_t top_k = 1;
    index_t nulls = 0;
  };
  NullExperts(const Config& c, index_t experts, const Build& b) : config(c), real(experts - c.nulls) {
    if (c.top_k < 1 || c.top_k > experts) fail(b.path("top_k"), concat("from 1 to ", experts), std::to_string(c.top_k));
    if (c.nulls < 0 || real < 1) fail(b.path("nulls"), concat("from 0 to ", experts - 1), std::to_string(c.nulls));
  }
  index_t most(index_t) const noexcept { return config.top_k; }
  void choose(std::span<float> p, Choice& out) const noexcept {
    softmax_row(p);
    float sum = 0;
    for (index_t i = 0; i < config.top_k; ++i) {
      const auto best = static_cast<std::size_t>(largest(p));
      const float w = std::exchange(p[best], -1.0f);
      if (static_cast<index_t>(best) >= real) continue;
      out.add(static_cast<index_t>(best), w);
      sum += w;
    }
    for (float& w : out.weights()) w /= sum;
  }
  Config config;
  index_t real;
};

/// Two levels: p = softmax over the nodes, i its best; q = softmax over the experts of node i, j its best;  expert (i, j), w = p_i q_j
/// Logits: those of the nodes, then those of all experts, node by node.                                    SMILE, arXiv:2212.05191
struct NodeThenExpert {
  struct Config {
    index_t nodes = 1;
  };
  NodeThenExpert(const Config& c, index_t experts, const Build& b) : nodes(static_cast<std::size_t>(c.nodes)) {
    if (c.nodes < 1 || experts % c.nodes != 0)
      fail(b.path("nodes"), concat("nodes that divide ", experts, " experts"), std::to_string(c.nodes));
  }
  index_t logits(index_t experts) const noexcept { return static_cast<index_t>(nodes) + experts; }
  index_t most(index_t) const noexcept { return 1; }
  void choose(std::span<float> l, Choice& out) const noexcept {
    const auto p = l.first(nodes);
    softmax_row(p);
    const index_t i = largest(p), each = static_cast<index_t>((l.size() - nodes) / nodes);
    const auto q = l.subspan(nodes + static_cast<std::size_t>(i * each), static_cast<std::size_t>(each));
    softmax_row(q);
    const index_t j = largest(q);
    out.add(i * each + j, p[static_cast<std::size_t>(i)] * q[static_cast<std::size_t>(j)]);
  }
  std::size_t nodes;
};

/// p_1 >= p_2 the best of softmax(l),  w = p / (p_1 + p_2);  the second runs where w_2 is above the threshold, and w stay as they are
///                                                                                                        ST-MoE, arXiv:2202.08906
struct SecondAbove {
  struct Config {
    float threshold = 0.0f;
  };
  SecondAbove(const Config& c, index_t experts, const Build& b) : threshold(c.threshold) {
    if (experts < 2) fail(b.path("weight"), "at least two experts", std::to_string(experts));
  }
  index_t most(index_t) const noexcept { return 2; }
  void choose(std::span<float> p, Choice& out) const noexcept {
    softmax_row(p);
    const auto first = static_cast<std::size_t>(largest(p));
    const float p1 = std::exchange(p[first], -1.0f);
    const auto second = static_cast<std::size_t>(largest(p));
    const float sum = p1 + p[second];
    out.add(static_cast<index_t>(first), p1 / sum);
    if (p[second] / sum > threshold) out.add(static_cast<index_t>(second), p[second] / sum);
  }
  float threshold;
};

/// The fewest experts, best first, whose p = softmax(l) sum to the share; weighed by p                 dynamic top-p, arXiv:2403.07652
struct TopPExperts {
  struct Config {
    float share = 0.4f;
  };
  TopPExperts(const Config& c, index_t, const Build& b) : share(c.share) {
    if (!(c.share > 0 && c.share <= 1)) fail(b.path("share"), "a share above 0 and at most 1", concat(c.share));
  }
  index_t most(index_t experts) const noexcept { return experts; }
  void choose(std::span<float> p, Choice& out) const noexcept {
    softmax_row(p);
    for (float sum = 0; sum < share && out.size() < static_cast<int>(p.size());) {
      const index_t best = largest(p);
      sum += p[static_cast<std::size_t>(best)];
      out.add(best, std::exchange(p[static_cast<std::size_t>(best)], -1.0f));
    }
  }
  float share;
};

}  // namespace hw
