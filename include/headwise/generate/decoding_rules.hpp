#pragma once
// Rules of papers on distributions over the next token: which drafts stay, how models are mixed, how hypotheses are ranked, how sure a
// score is. Each is a function of probabilities or logits, for drivers of your own. Not in the umbrella header.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <vector>

#include "headwise/core/view.hpp"

namespace hw {

namespace detail {
inline std::vector<double> softmax_of_logits(std::span<const float> l, double temperature = 1) {
  std::vector<double> p;
  const double max = *std::max_element(l.begin(), l.end());
  for (const float x : l) p.push_back(std::exp((x - max) / temperature));
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& x : p) x /= sum;
  return p;
}
inline std::int32_t argmax(std::span<const float> l) { return static_cast<std::int32_t>(std::max_element(l.begin(), l.end()) - l.begin()); }
}  // namespace detail

/// Draft i stays where u_i <= p_i(d_i) / q_i(d_i). In place of the first that goes a token of max(0, p_i - q_i) is drawn, after the last
/// one of p: the tokens have the distribution p.                                       Speculative decoding, arXiv:2211.17192
struct SpeculativeAcceptance {
  std::vector<std::int32_t> tokens;  // the drafts that stay, and the token that was drawn
  std::vector<float> residual;       // which it was drawn from, sum 1
  /// p: (drafts + 1, vocabulary), q: (drafts, vocabulary); `accept` one uniform number a draft, `draw` one for the token.
  SpeculativeAcceptance(ConstView p, ConstView q, std::span<const std::int32_t> drafts, std::span<const float> accept, float draw) {
    index_t i = 0;
    for (; i < q.rows; ++i) {
      const std::int32_t d = drafts[static_cast<std::size_t>(i)];
      if (!(accept[static_cast<std::size_t>(i)] * q(i, d) <= p(i, d))) break;
      tokens.push_back(d);
    }
    residual.assign(p.row(i), p.row(i) + p.cols);
    for (index_t v = 0; v < p.cols && i < q.rows; ++v) residual[static_cast<std::size_t>(v)] = std::max(0.0f, p(i, v) - q(i, v));
    const double total = std::accumulate(residual.begin(), residual.end(), 0.0);
    double sum = 0;
    std::int32_t chosen = -1;
    for (float& r : residual) {
      sum += r;
      if (chosen < 0 && sum > static_cast<double>(draw) * total) chosen = static_cast<std::int32_t>(&r - residual.data());
      r = static_cast<float>(r / total);
    }
    tokens.push_back(chosen);
  }
};

/// A small model writes until it is unsure, max p < fallback, or has `most` tokens; the large one reads them, and where -log p(token) >
/// rollback it puts its own token in the place of the first such one and drops the rest, else it goes on.       BiLD, arXiv:2302.07863
struct BigLittle {
  float fallback = 0.45f, rollback = 1.6f;
  index_t most = 4;
  index_t drafted = 0;
  /// The tokens that stay, of logits (positions, vocabulary) of both along the small model's greedy path.
  std::vector<std::int32_t> tokens(ConstView small, ConstView large) {
    std::vector<std::int32_t> out;
    const auto best = [](const std::vector<double>& p) { return *std::max_element(p.begin(), p.end()); };
    for (drafted = 0; drafted < most && best(detail::softmax_of_logits(small[drafted])) >= static_cast<double>(fallback);) ++drafted;
    for (index_t i = 0; i < drafted; ++i) {
      const std::int32_t token = detail::argmax(small[i]);
      const bool refused = -std::log(detail::softmax_of_logits(large[i])[static_cast<std::size_t>(token)]) > static_cast<double>(rollback);
      out.push_back(refused ? detail::argmax(large[i]) : token);
      if (refused) return out;
    }
    out.push_back(detail::argmax(large[drafted]));
    return out;
  }
};

/// Which candidates of a tree stay: those whose parent stays and that are its likeliest token, or, `typical`, have p > min(threshold,
/// alpha e^-H), H the entropy of the parent's distribution at a temperature; and the longest path of them.     Medusa, arXiv:2401.10774
struct TreeAcceptance {
  bool typical = false;
  double threshold = 0.09, alpha = 0.3, temperature = 0.8;
  std::vector<bool> accepted{};
  std::vector<double> probability{};  // of each candidate
  std::vector<index_t> path{};
  std::int32_t next = -1;
  /// parent[c] < c, -1: the root. logits: (1 + candidates, vocabulary), row 0 after the prefix, row 1 + c after candidate c.
  void judge(std::span<const index_t> parent, std::span<const std::int32_t> candidate, ConstView logits) {
    std::vector<index_t> depth;
    index_t deepest = -1;
    for (std::size_t c = 0; c < parent.size(); ++c) {
      const auto up = static_cast<std::size_t>(parent[c] + 1);
      const auto p = detail::softmax_of_logits(logits[parent[c] + 1], temperature);
      double entropy = 0;
      for (const double x : p) entropy -= x > 0 ? x * std::log(x) : 0;
      probability.push_back(p[static_cast<std::size_t>(candidate[c])]);
      const bool likely = typical ? probability[c] > std::min(threshold, alpha * std::exp(-entropy))
                                  : candidate[c] == detail::argmax(logits[parent[c] + 1]);
      accepted.push_back(likely && (up == 0 || accepted[up - 1]));
      depth.push_back(up == 0 ? 1 : depth[up - 1] + 1);
      if (accepted[c] && (deepest < 0 || depth[c] > depth[static_cast<std::size_t>(deepest)])) deepest = static_cast<index_t>(c);
    }
    next = detail::argmax(logits[deepest + 1]);
    for (index_t c = deepest; c >= 0; c = parent[static_cast<std::size_t>(c)]) path.insert(path.begin(), c);
  }
};

/// s = log p / lp + cp, lp = ((5 + n) / 6)^alpha, cp = beta sum_i log min(sum_j attention_ji, 1) over the source's tokens i
///                                                                     Google's translation system, arXiv:1609.08144
struct CoverageScore {
  double alpha = 0.65, beta = 0.2;
  double coverage(ConstView attention) const {  // (target tokens, source tokens)
    double out = 0;
    for (index_t i = 0; i < attention.cols; ++i) {
      double sum = 0;
      for (index_t j = 0; j < attention.rows; ++j) sum += attention(j, i);
      out += std::log(std::min(sum, 1.0));
    }
    return beta * out;
  }
  double operator()(double log_probability, ConstView attention) const {
    return log_probability / std::pow((5.0 + static_cast<double>(attention.rows)) / 6.0, alpha) + coverage(attention);
  }
};

/// sum_k w_k p_k with w_k in proportion to prior_k prod p_k(the tokens so far): the models that said best what came count most
///                                                          DEMix, arXiv:2108.05036; Branch-Train-Merge, arXiv:2208.03306
struct ModelPosterior {
  std::vector<double> weight;  // sum 1
  explicit ModelPosterior(std::span<const float> prior) : weight(prior.begin(), prior.end()) { normalise(weight); }
  static void normalise(std::vector<double>& w) {
    const double sum = std::accumulate(w.begin(), w.end(), 0.0);
    for (double& x : w) x /= sum;
  }
  /// Of distributions (models, vocabulary), the `best` models alone where it is above 0.
  std::vector<double> mixture(const std::vector<std::vector<double>>& p, std::size_t best = 0) const {
    std::vector<double> w = weight, out(p[0].size());
    std::vector<double> sorted = weight;
    std::sort(sorted.rbegin(), sorted.rend());
    for (double& x : w) x = best > 0 && x < sorted[best - 1] ? 0 : x;
    normalise(w);
    for (std::size_t k = 0; k < p.size(); ++k)
      for (std::size_t v = 0; v < out.size(); ++v) out[v] += w[k] * p[k][v];
    return out;
  }
  void learn(const std::vector<std::vector<double>>& p, std::int32_t token) {
    for (std::size_t k = 0; k < p.size(); ++k) weight[k] *= p[k][static_cast<std::size_t>(token)];
    normalise(weight);
  }
};

/// (1 - lambda) p + lambda q, q_v in proportion to the sum of e^-distance over the neighbours with the token v         kNN-LM,
/// arXiv:1911.00172
struct NearestNeighbours {
  double lambda = 0.25;
  std::vector<double> mixture(std::vector<double> p, std::span<const float> distances, std::span<const std::int32_t> tokens) const {
    double sum = 0;
    for (const float d : distances) sum += std::exp(-static_cast<double>(d));
    for (double& x : p) x *= 1 - lambda;
    for (std::size_t i = 0; i < tokens.size(); ++i)
      p[static_cast<std::size_t>(tokens[i])] += lambda * std::exp(-static_cast<double>(distances[i])) / sum;
    return p;
  }
};

/// Which early layer says most unlike the last: the largest Jensen-Shannon divergence of softmax(l) and softmax(early)  DoLa,
/// arXiv:2309.03883
struct UnlikeLayer {
  std::vector<double> divergence;
  std::size_t layer = 0;
  UnlikeLayer(std::span<const float> last, const std::vector<std::span<const float>>& early) {
    const auto p = detail::softmax_of_logits(last);
    for (const auto& l : early) {
      const auto q = detail::softmax_of_logits(l);
      double sum = 0;
      for (std::size_t v = 0; v < p.size(); ++v) {
        const double m = (p[v] + q[v]) / 2;
        sum += (p[v] > 0 ? p[v] * std::log(p[v] / m) : 0) / 2 + (q[v] > 0 ? q[v] * std::log(q[v] / m) : 0) / 2;
      }
      divergence.push_back(sum);
    }
    layer = static_cast<std::size_t>(std::max_element(divergence.begin(), divergence.end()) - divergence.begin());
  }
};

/// [p0, p1]: what isotonic regression says at score s when s counts as a 0, as a 1; p = p1 / (1 - p0 + p1)   Venn-Abers, arXiv:1211.0025
struct VennAbers {
  double p0 = 0, p1 = 0, p = 0;
  VennAbers(std::span<const float> scores, std::span<const std::int64_t> labels, float s)
      : p0(fitted(scores, labels, s, 0)), p1(fitted(scores, labels, s, 1)) {
    p = p1 / (1 - p0 + p1);
  }
  // Pools adjacent violators; the value of the pool that s is in.
  static double fitted(std::span<const float> scores, std::span<const std::int64_t> labels, float s, double label) {
    struct Pool {
      double sum, count;
      bool own;
    };
    std::vector<std::size_t> order(scores.size() + 1);
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto score = [&](std::size_t i) { return i < scores.size() ? scores[i] : s; };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return score(a) < score(b); });
    std::vector<Pool> pools;
    for (const std::size_t i : order) {
      pools.push_back({i < scores.size() ? static_cast<double>(labels[i]) : label, 1, i == scores.size()});
      for (; pools.size() > 1; pools.pop_back()) {
        Pool &last = pools[pools.size() - 2], &next = pools.back();
        if (last.sum * next.count <= next.sum * last.count) break;
        last = {last.sum + next.sum, last.count + next.count, last.own || next.own};
      }
    }
    const Pool own = *std::find_if(pools.begin(), pools.end(), [](const Pool& pool) { return pool.own; });
    return own.sum / own.count;
  }
};

}  // namespace hw
