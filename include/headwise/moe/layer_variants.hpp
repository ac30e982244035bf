#pragma once
// Layers of papers whose experts are not chosen before they begin. Not in the umbrella header.

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/layers/small_matrix.hpp"
#include "headwise/moe/row_router.hpp"

namespace hw {

/// No router: the top_k experts with the largest |D_e x|, weighed by a softmax over these norms; expert e is a gated MLP whose gate is
/// U_e D_e                                                                                    autonomy of experts, arXiv:2501.13074
/// Weights: `weight` (e r, d), the D_e below one another.
struct NormRouter {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t hidden_size = 0, num_experts = 0, rank = 0, top_k = 1;
  };
  NormRouter(const Config& c, const Build& b) : config(c), reduce(c.hidden_size, c.num_experts * c.rank, false, b) {
    if (c.top_k < 1 || c.top_k > c.num_experts) fail(b.path("top_k"), concat("from 1 to ", c.num_experts), std::to_string(c.top_k));
  }
  index_t experts() const noexcept { return config.num_experts; }
  Plan route(In in) const {
    const View c = in.frame.step.arena.take_view(in.x.rows, reduce.out()), norms = in.frame.step.arena.take_view(in.x.rows, experts());
    reduce.forward(in.x, c, in.frame);
    return make_plan(in.frame.step, c.rows, config.top_k, [&](index_t row, Choice& choice) {
      for (index_t e = 0; e < experts(); ++e) {
        float sum = 0;
        for (index_t i = e * config.rank; i < (e + 1) * config.rank; ++i) sum += c(row, i) * c(row, i);
        norms(row, e) = std::sqrt(sum);
      }
      choose_best(norms[row], config.top_k, choice);
      softmax_row(choice.weights());
    });
  }
  Config config;
  Linear reduce;
};

/// n^2 experts out of 2 n halves: y = sum_h sum_j g2_hj (V_j sum_i g1_hi relu(U_i x + c_i)^2 + b_j), g = softmax of the logits of a head
/// above its threshold, at least the largest                                                                Monet, arXiv:2412.04139
/// Weights: `r1`, `r2` (h n, d), `threshold` (2 h), `u` (n m, d) with a bias, `v` (n d, m), `b` (n d).
struct Monet {
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    index_t hidden_size = 0, heads = 1, halves = 0, size = 0;
  };
  Monet(const Config& c, const Build& b)
      : c(c),
        in(c.hidden_size, {{"r1", c.heads * c.halves}, {"r2", c.heads * c.halves}, {"u", c.halves * c.size, true}}, b),
        threshold(b.vector("threshold", 2 * c.heads)),
        bias(b.vector("b", c.halves * c.hidden_size)),
        v("v", c.halves * c.hidden_size, c.size, b) {}
  void gate(std::span<float> g, float threshold) const noexcept {
    const float least = std::min(threshold, *std::max_element(g.begin(), g.end()));
    for (float& x : g) x = x >= least ? x : -INFINITY;
    softmax_row(g);
  }
  void forward(In x, View delta) const {
    const index_t n = c.halves, all = c.heads * n;
    const View rows = x.frame.step.arena.take_view(x.x.rows, in.out()), mixed = x.frame.step.arena.take_view(1, c.size);
    in.forward(x.x, rows, x.frame);
    for (index_t t = 0; t < rows.rows; ++t) {
      std::fill_n(delta.row(t), delta.cols, 0.0f);
      for (index_t g = 0; g < 2 * c.heads; ++g) gate(rows[t].subspan(g * n, n), threshold[g]);
      for (index_t h = 0; h < c.heads; ++h) {
        std::fill_n(mixed.data, c.size, 0.0f);
        for (index_t i = 0; i < n * c.size; ++i) {
          const float u = std::max(rows(t, 2 * all + i), 0.0f);
          mixed(0, i % c.size) += rows(t, h * n + i / c.size) * u * u;
        }
        for (index_t i = 0; i < n * delta.cols; ++i)
          delta(t, i % delta.cols) += rows(t, all + h * n + i / delta.cols) * (v.dot(i, mixed.data) + bias[i]);
      }
    }
  }
  Config c;
  Linear in;
  std::vector<float> threshold, bias;
  SmallMatrix v;
};

/// From stratum s = 1, z = x: n = LayerNorm_s(z), e the best of softmax(G_s n) over the experts of strata >= s, z = z + p_e E_e(n), then
/// s = stratum(e) + 1, up to the last; delta = z - x; E_e(x) = W2_e relu(W1_e x), experts in strata of equal size
///                                                                                                stratified MoE, arXiv:2305.02176
/// Weights: `gates` (s e, d), `norm.weight`, `norm.bias` (s d), `up` (e f, d), `down` (e d, f).
struct StratifiedExperts {
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    index_t hidden_size = 0, num_experts = 0, strata = 1, intermediate_size = 0;
  };
  StratifiedExperts(const Config& c, const Build& b)
      : c(c),
        gates("gates", c.strata * c.num_experts, c.hidden_size, b),
        up("up", c.num_experts * c.intermediate_size, c.hidden_size, b),
        down("down", c.num_experts * c.hidden_size, c.intermediate_size, b),
        gain(b.vector("norm.weight", c.strata * c.hidden_size)),
        bias(b.vector("norm.bias", c.strata * c.hidden_size)) {}
  void forward(In in, View delta) const {
    const index_t d = c.hidden_size, f = c.intermediate_size;
    const View z = in.frame.step.arena.take_view(2, d), p = in.frame.step.arena.take_view(1, c.num_experts),
               inner = in.frame.step.arena.take_view(1, f);
    for (index_t t = 0; t < in.x.rows; ++t) {
      std::copy_n(in.x.row(t), d, z.row(0));
      for (index_t s = 0, each = c.num_experts / c.strata; s < c.strata;) {
        in.frame.step.kernels.elementwise.layer_norm(z.row(0), d, 1, d, gain.data() + s * d, bias.data() + s * d, 1e-5f, z.row(1), d);
        for (index_t e = 0; e < c.num_experts; ++e) p(0, e) = e / each < s ? -INFINITY : gates.dot(s * c.num_experts + e, z.row(1));
        softmax_row(p[0]);
        const index_t e = largest(p[0]);
        for (index_t i = 0; i < f; ++i) inner(0, i) = std::max(up.dot(e * f + i, z.row(1)), 0.0f);
        for (index_t i = 0; i < d; ++i) z(0, i) += p(0, e) * down.dot(e * d + i, inner.data);
        s = e / each + 1;
      }
      for (index_t i = 0; i < d; ++i) delta(t, i) = z(0, i) - in.x(t, i);
    }
  }
  Config c;
  SmallMatrix gates, up, down;
  std::vector<float> gain, bias;
};

/// u = gelu(Wu x + bu); y = g_n (Wd u + bd) + sum_a g_a (E_a gelu(D_a u + c_a) + e_a), g = softmax(G u): adapters of domains beside the
/// layer that they adapt                                                                                       MixDA, arXiv:2306.05406
/// Weights: `up`, `down` with biases, `gate` (n + 1, f), the layer last; `adapters.<a>.down`, `adapters.<a>.up` with biases.
struct DomainAdapters {
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    index_t hidden_size = 0, intermediate_size = 0, adapters = 0, rank = 0;
  };
  DomainAdapters(const Config& c, const Build& b)
      : up(c.hidden_size, c.intermediate_size, true, b.scope("up")),
        gate(c.intermediate_size, c.adapters + 1, false, b.scope("gate").as_filed()) {
    for (index_t a = 0; a < c.adapters; ++a) {
      const Build own = b.scope(concat("adapters.", a));
      first.emplace_back(c.intermediate_size, c.rank, true, own.scope("down"));
      last.emplace_back(c.rank, c.hidden_size, true, own.scope("up"));
    }
    last.emplace_back(c.intermediate_size, c.hidden_size, true, b.scope("down"));
  }
  void forward(In in, View delta) const {
    const Step& step = in.frame.step;
    const auto gelu = [&](View x) {
      step.kernels.elementwise.activate(Activation::gelu, x.data, x.stride, x.rows, x.cols, x.data, x.stride);
    };
    const View u = step.arena.take_view(in.x.rows, up.out()), g = step.arena.take_view(in.x.rows, gate.out());
    const View y = step.arena.take_view(in.x.rows, delta.cols);
    up.forward(in.x, u, in.frame);
    gelu(u);
    gate.forward(u, g, in.frame);
    for (index_t t = 0; t < g.rows; ++t) softmax_row(g[t]);
    for (std::size_t a = 0; a < last.size(); ++a) {
      const View r = a < first.size() ? step.arena.take_view(in.x.rows, first[a].out()) : u;
      if (a < first.size()) first[a].forward(u, r, in.frame), gelu(r);
      last[a].forward(r, y, in.frame);
      for (index_t t = 0; t < y.rows; ++t)
        for (index_t i = 0; i < y.cols; ++i) delta(t, i) = (a > 0 ? delta(t, i) : 0.0f) + g(t, static_cast<index_t>(a)) * y(t, i);
    }
  }
  Linear up, gate;
  std::vector<Linear> first, last;
};

}  // namespace hw
