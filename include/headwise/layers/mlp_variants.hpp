#pragma once
// Feed-forward layers of papers: an Mlp and a gated Mlp around an activation of your own. Not in the umbrella header.

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "headwise/layers/mlp.hpp"
#include "headwise/layers/norms.hpp"
#include "headwise/layers/small_matrix.hpp"

namespace hw {

/// y = W2 act(W1 x): `A` has a Config, a constructor (const Config&, index_t f, const Build&) and forward(View h, const Frame&), in place.
/// Weights: `up` (f, d), `down` (d, f), the activation's in this scope.
template <class A>
struct MlpWith {
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    index_t hidden_size = 0, intermediate_size = 0;
    typename A::Config activation{};
  };
  MlpWith(const Config& c, const Build& b)
      : up(c.hidden_size, c.intermediate_size, false, b.scope("up")),
        down(c.intermediate_size, c.hidden_size, false, b.scope("down")),
        activation(c.activation, c.intermediate_size, b) {}
  void forward(In in, View delta) const {
    const View h = in.frame.step.arena.take_view(in.x.rows, up.out());
    up.forward(in.x, h, in.frame);
    activation.forward(h, in.frame);
    down.forward(h, delta, in.frame);
  }
  Linear up, down;
  A activation;
};

/// y = W2 combine(Wg x, Wu x): `G` has what MlpWith's activation has, with forward(View g, View u, const Frame&), which leaves its result
/// in g. Weights: `gate`, `up` (f, d), `down` (d, f), the combination's in this scope.
template <class G>
struct GatedMlpWith {
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    index_t hidden_size = 0, intermediate_size = 0;
    typename G::Config gate{};
  };
  GatedMlpWith(const Config& c, const Build& b)
      : gate_up(c.hidden_size, {{"gate", c.intermediate_size}, {"up", c.intermediate_size}}, b),
        down(c.intermediate_size, c.hidden_size, false, b.scope("down")),
        gate(c.gate, c.intermediate_size, b) {}
  void forward(In in, View delta) const {
    const View h = in.frame.step.arena.take_view(in.x.rows, gate_up.out()), g = h.col_range(0, down.in());
    gate_up.forward(in.x, h, in.frame);
    gate.forward(g, h.col_range(down.in(), 2 * down.in()), in.frame);
    down.forward(g, delta, in.frame);
  }
  Linear gate_up, down;
  G gate;
};

/// (clamp(u, -c, c) + 1) * g sigmoid(1.702 g), g = min(g, c)                                                          gpt-oss
struct ClampedSwiglu {
  struct Config {
    float limit = 7;
  };
  ClampedSwiglu(const Config& c, index_t, const Build&) : limit(c.limit) {}
  void forward(View g, View u, const Frame&) const {
    for (index_t t = 0; t < g.rows; ++t)
      for (index_t i = 0; i < g.cols; ++i) {
        const float x = std::min(g(t, i), limit);
        g(t, i) = (std::clamp(u(t, i), -limit, limit) + 1) * x / (1 + std::exp(-1.702f * x));
      }
  }
  float limit;
};

/// LN(gelu(g)) * LN(u), with one norm for both                                                              Activator, arXiv:2405.15953
/// Weights: `norm` (f) with a bias.
struct NormedGate {
  struct Config {};
  NormedGate(const Config&, index_t size, const Build& b) : norm({.size = size}, b.scope("norm")) {}
  void forward(View g, View u, const Frame& f) const {
    const auto& kernels = f.step.kernels.elementwise;
    kernels.activate(Activation::gelu, g.data, g.stride, g.rows, g.cols, g.data, g.stride);
    norm.forward(g, g, f);
    norm.forward(u, u, f);
    kernels.gate(Activation::identity, g.data, g.stride, u.data, u.stride, g.rows, g.cols, g.data, g.stride);
  }
  LayerNorm norm;
};

/// norm(act(h)) before W2                                                                          Sub-LN, arXiv:2210.06423
/// Weights: the norm's in `inner_norm`.
struct NormedActivation {
  struct Config {
    Activation activation = Activation::gelu;
  };
  NormedActivation(const Config& c, index_t size, const Build& b) : activation(c.activation), norm({.size = size}, b.scope("inner_norm")) {}
  void forward(View h, const Frame& f) const {
    f.step.kernels.elementwise.activate(activation, h.data, h.stride, h.rows, h.cols, h.data, h.stride);
    norm.forward(h, h, f);
  }
  Activation activation;
  LayerNorm norm;
};

/// sum_i a_i relu(h)^i, i = 0..3                                                                      PolyReLU, arXiv:2411.03884
/// Weights: `coefficients` (4).
struct PolyRelu {
  struct Config {};
  PolyRelu(const Config&, index_t, const Build& b) : a(b.vector("coefficients", 4)) {}
  void forward(View h, const Frame&) const {
    for (index_t t = 0; t < h.rows; ++t)
      for (float& x : h[t]) {
        const float r = std::max(x, 0.0f);
        x = a[0] + r * (a[1] + r * (a[2] + r * a[3]));
      }
  }
  std::vector<float> a;
};

/// a_3 N(h^3) + a_2 N(h^2) + a_1 N(h) + a_0,  N(u) = u / sqrt(mean(u^2) + eps)                        PolyNorm, arXiv:2411.03884
/// Weights: `coefficients` (4).
struct PolyNorm {
  struct Config {
    float eps = 1e-6f;
  };
  PolyNorm(const Config& c, index_t, const Build& b) : eps(c.eps), a(b.vector("coefficients", 4)) {}
  void forward(View h, const Frame&) const {
    for (index_t t = 0; t < h.rows; ++t) {
      float squares[4] = {};  // sums of (h^i)^2
      for (const float x : h[t])
        for (int i = 1; i < 4; ++i) squares[i] += std::pow(x, 2.0f * static_cast<float>(i));
      for (int i = 1; i < 4; ++i) squares[i] = a[static_cast<std::size_t>(i)] / std::sqrt(squares[i] / static_cast<float>(h.cols) + eps);
      for (float& x : h[t]) x = a[0] + x * (squares[1] + x * (squares[2] + x * squares[3]));
    }
  }
  float eps;
  std::vector<float> a;
};

/// h > 0: p h^2 + beta h;  else n (e^min(h, eps) - 1 - h) + beta h,  p = softplus(alpha_p), n = beta + softplus(alpha_n), eps = -1e-6
///                                                                                                    xIELU, arXiv:2411.13010
/// Weights: `alpha_p`, `alpha_n` (1).
struct Xielu {
  struct Config {
    float beta = 0.5f;
  };
  Xielu(const Config& c, index_t, const Build& b) : beta(c.beta) {
    p = std::log1p(std::exp(b.vector("alpha_p", 1)[0]));
    n = c.beta + std::log1p(std::exp(b.vector("alpha_n", 1)[0]));
  }
  void forward(View h, const Frame&) const {
    for (index_t t = 0; t < h.rows; ++t)
      for (float& x : h[t]) x = beta * x + (x > 0 ? p * x * x : n * (std::expm1(std::min(x, -1e-6f)) - x));
  }
  float beta, p, n;
};

/// sum_i silu(a_i h + c_i)                                                     series activation of PanGu-pi, arXiv:2312.17276
/// Weights: `scales` a, `shifts` c (terms, f).
struct SeriesActivation {
  struct Config {
    index_t terms = 3;
  };
  SeriesActivation(const Config& c, index_t size, const Build& b)
      : scales("scales", c.terms, size, b), shifts("shifts", c.terms, size, b) {}
  void forward(View h, const Frame&) const {
    for (index_t t = 0; t < h.rows; ++t)
      for (index_t i = 0; i < h.cols; ++i) {
        float sum = 0;
        for (index_t n = 0; n < scales.rows; ++n) {
          const float z = scales(n, i) * h(t, i) + shifts(n, i);
          sum += z / (1 + std::exp(-z));
        }
        h(t, i) = sum;
      }
  }
  SmallMatrix scales, shifts;
};

}  // namespace hw
