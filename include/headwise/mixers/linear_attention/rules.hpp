#pragma once
// Rules of papers for LinearAttention. Not in the umbrella header.

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "headwise/core/scalars.hpp"
#include "headwise/layers/linear.hpp"
#include "headwise/mixers/attention/rotary.hpp"
#include "headwise/mixers/linear_attention/linear_attention.hpp"

namespace hw {
namespace detail {

inline void each(View x, const auto& change) {
  for (index_t t = 0; t < x.rows; ++t)
    for (index_t i = 0; i < x.cols; ++i) x(t, i) = change(x(t, i), i);
}
/// Every n columns divided by their length, and times `scale`.
inline void unit(View x, index_t n, float scale) {
  for (index_t t = 0; t < x.rows; ++t)
    for (float* part = x.row(t); part != x.row(t) + x.cols; part += n) {
      float sum = 1e-6f;
      for (index_t i = 0; i < n; ++i) sum += part[i] * part[i];
      for (index_t i = 0; i < n; ++i) part[i] *= scale / std::sqrt(sum);
    }
}
inline void activate(Activation a, View x, const Frame& f) {
  f.step.kernels.elementwise.activate(a, x.data, x.stride, x.rows, x.cols, x.data, x.stride);
}
inline float root(index_t n) noexcept { return 1.0f / std::sqrt(static_cast<float>(n)); }

}  // namespace detail

/// S = Diag(a) S + k v^T, o = S^T q / sqrt(n), a = sigmoid(Wa2 Wa1 x + ba)^(1/16); y = silu(Wg x) * norm(o)        GLA, arXiv:2312.06635
/// Weights: `q`, `k` (h n, d), `v`, `gate` (h p, d), `a1` (rank, d), `a2` (h n, rank) with a bias, `head_norm.weight` (p).
struct GatedLinearRule {
  static constexpr kernels::Decay kDecay = kernels::Decay::key;
  static constexpr bool kDelta = false;
  struct Config {
    LinearAttentionSize size{};
    index_t rank = 16;
    float norm_eps = 1e-5f;
  };
  GatedLinearRule(const Config& c, const Build& b)
      : size(c.size),
        rank(c.rank),
        eps(c.norm_eps),
        second(rank, size.keys(), true, b.scope("a2")),
        norm(b.vector("head_norm.weight", size.value_dim)) {}
  index_t width() const { return size.values(); }
  std::vector<LinearPart> parts() const {
    return {{"q", size.keys()}, {"k", size.keys()}, {"v", size.values()}, {"gate", size.values()}, {"a1", rank}};
  }
  LinearRows rows(View all, const Frame& f) const {
    const index_t n = size.keys(), p = size.values();
    const View a = f.step.arena.take_view(all.rows, n), q = all.col_range(0, n);
    second.forward(all.col_range(2 * n + 2 * p, all.cols), a, f);
    detail::each(a, [](float x, index_t) { return std::exp(-softplus(-x) / 16); });
    detail::each(q, [s = detail::root(size.key_dim)](float x, index_t) { return x * s; });
    return {q, all.col_range(n, 2 * n), all.col_range(2 * n, 2 * n + p), a};
  }
  View read(View all, View o, const Frame& f) const {
    const auto& kernels = f.step.kernels.elementwise;
    for (index_t t = 0; t < o.rows; ++t)
      kernels.rms_norm(o.row(t), size.value_dim, size.num_heads, size.value_dim, norm.data(), eps, o.row(t), size.value_dim);
    kernels.gate(Activation::silu, all.data + 2 * size.keys() + o.cols, all.stride, o.data, o.stride, o.rows, o.cols, o.data, o.stride);
    return o;
  }
  LinearAttentionSize size;
  index_t rank;
  float eps;
  Linear second;
  std::vector<float> norm;
};

/// S = g_h S + k v^T, o = S^T q / sqrt(n), g_h = 1 - 2^(-5-h), q and k rotated; y = silu(Wg x) * norm(o)       RetNet, arXiv:2307.08621
/// Weights: `q`, `k` (h n, d), `v`, `gate` (h p, d).
struct RetentionRule {
  static constexpr kernels::Decay kDecay = kernels::Decay::token;
  static constexpr bool kDelta = false;
  struct Config {
    LinearAttentionSize size{};
    RotaryConfig rotary{};
  };
  RetentionRule(const Config& c, const Build& b) : size(c.size), rotary(c.rotary), angles(rotary_stream(c.rotary, b)) {
    check_rotary(c.rotary, size.key_dim, b.path("q"));
    for (index_t h = 0; h < size.num_heads; ++h) decay.push_back(1 - std::exp2(-5 - static_cast<float>(h)));
  }
  index_t width() const { return size.values(); }
  std::vector<LinearPart> parts() const { return {{"q", size.keys()}, {"k", size.keys()}, {"v", size.values()}, {"gate", size.values()}}; }
  LinearRows rows(View all, const Frame& f) const {
    const index_t n = size.keys(), half = rotary.dims / 2;
    const ConstView angle = f.at(angles);
    f.step.kernels.elementwise.rope(all.data, all.stride, all.rows, 2 * size.num_heads, size.key_dim, angle.data, angle.data + half,
                                    angle.stride, half, rotary.pairs);
    detail::each(all.col_range(0, n), [s = detail::root(size.key_dim)](float x, index_t) { return x * s; });
    return {all.col_range(0, n), all.col_range(n, 2 * n), all.col_range(2 * n, 2 * n + size.values()),
            ConstView(decay.data(), all.rows, size.num_heads, 0)};
  }
  View read(View all, View o, const Frame& f) const {
    const auto& kernels = f.step.kernels.elementwise;
    for (index_t t = 0; t < o.rows; ++t)
      kernels.rms_norm(o.row(t), size.value_dim, size.num_heads, size.value_dim, nullptr, 1e-6f, o.row(t), size.value_dim);
    kernels.gate(Activation::silu, all.data + 2 * size.keys() + o.cols, all.stride, o.data, o.stride, o.rows, o.cols, o.data, o.stride);
    return o;
  }
  LinearAttentionSize size;
  RotaryConfig rotary;
  Slot angles;
  std::vector<float> decay;
};

/// S = a S; S = S + k (b (v - S^T k))^T; o = S^T q / sqrt(n); q, k = act(Wq x), act(Wk x) of length 1 by head, b = sigmoid(Wb x);
/// a = exp(-e^A softplus(Wa x + c)), none, by head or by key        DeltaNet arXiv:2406.06484, gated arXiv:2412.06464, KDA arXiv:2510.26692
/// Value heads share key_heads. Weights: `q`, `k` (g n, d), `v` (h p, d), `b` (h, d); `a` (h or h n, d), `a_log` (h), `dt_bias` (h or h n).
template <kernels::Decay D>
struct DeltaRule {
  static constexpr kernels::Decay kDecay = D;
  static constexpr bool kDelta = true;
  struct Config {
    LinearAttentionSize size{};
    index_t key_heads = 0;
    Activation activation = Activation::identity;
  };
  DeltaRule(const Config& c, const Build& b) : size(c.size), keys(c.key_heads * size.key_dim), act(c.activation) {
    if (c.key_heads < 1 || size.num_heads % c.key_heads != 0) fail(b.path("k"), "key heads that divide the heads", concat(c.key_heads));
    decays = D == kernels::Decay::none ? 0 : D == kernels::Decay::token ? size.num_heads : size.keys();
    if (decays > 0) rate = b.vector("a_log", size.num_heads), bias = b.vector("dt_bias", decays);
  }
  index_t width() const { return size.values(); }
  std::vector<LinearPart> parts() const {
    std::vector<LinearPart> out{{"q", keys}, {"k", keys}, {"v", size.values()}, {"b", size.num_heads}};
    if (decays > 0) out.push_back({"a", decays});
    return out;
  }
  LinearRows rows(View all, const Frame& f) const {
    const index_t n = size.key_dim, share = size.keys() / keys, p = size.values();
    const View qk = f.step.arena.take_view(all.rows, 2 * size.keys()), q = qk.col_range(0, size.keys()),
               b = all.col_range(2 * keys + p, 2 * keys + p + size.num_heads), a = all.col_range(all.cols - decays, all.cols);
    detail::activate(act, all.col_range(0, 2 * keys), f);
    for (index_t t = 0; t < all.rows; ++t)
      for (index_t h = 0; h < 2 * size.num_heads; ++h) std::copy_n(all.row(t) + h / share * n, n, qk.row(t) + h * n);
    detail::unit(qk, n, 1);
    detail::each(q, [s = detail::root(n)](float x, index_t) { return x * s; });
    detail::activate(Activation::sigmoid, b, f);
    const index_t each = decays / size.num_heads;
    detail::each(a, [&](float x, index_t i) { return std::exp(-std::exp(rate[i / each]) * softplus(x + bias[i])); });
    return {q, qk.col_range(size.keys(), qk.cols), all.col_range(2 * keys, 2 * keys + p), a, b};
  }
  LinearAttentionSize size;
  index_t keys, decays = 0;
  Activation act;
  std::vector<float> rate, bias;
};

/// Two delta steps a token behind one decay: S = a S; S = S + k_i (b_i (v_i - S^T k_i))^T for i = 0, 1; o = S^T q / sqrt(n);
/// b = 2 sigmoid(Wb x), a = sigmoid(Wa x), k of length 1                                                 DeltaProduct, arXiv:2502.10297
/// Weights: `q` (h n, d), `k` (2 h n, d), `v` (2 h p, d), `b` (2 h, d), the first step's rows first; `a` (h, d).
struct DeltaProductRule {
  static constexpr kernels::Decay kDecay = kernels::Decay::token;
  static constexpr bool kDelta = true;
  static constexpr index_t kWrites = 2;
  using Config = LinearAttentionSize;
  DeltaProductRule(const Config& c, const Build&) : size(c) {}
  index_t width() const { return size.values(); }
  std::vector<LinearPart> parts() const {
    const index_t h = size.num_heads;
    return {{"q", size.keys()}, {"k", 2 * size.keys()}, {"v", 2 * size.values()}, {"b", 2 * h}, {"a", h}};
  }
  LinearRows rows(View all, const Frame& f) const {
    const index_t n = size.keys(), p = size.values(), h = size.num_heads, b = 3 * n + 2 * p;
    const auto copy = [&](index_t from, index_t cols, index_t to, View out) {
      for (index_t t = 0; t < all.rows; ++t) std::copy_n(all.row(t) + from, cols, out.row(t) + to);
      return out;
    };
    Arena& arena = f.step.arena;
    detail::unit(all.col_range(n, 3 * n), size.key_dim, 1);
    detail::each(all.col_range(0, n), [s = detail::root(size.key_dim)](float x, index_t) { return x * s; });
    detail::each(all.col_range(b, b + 3 * h), [&](float x, index_t i) { return (i < 2 * h ? 2 : 1) * sigmoid(x); });
    const View q = copy(0, n, n, copy(0, n, 0, arena.take_view(all.rows, 2 * n))), decay = arena.take_view(all.rows, 2 * h);
    copy(b + 2 * h, h, 0, decay);
    detail::each(decay.col_range(h, 2 * h), [](float, index_t) { return 1.0f; });
    return {q, copy(n, 2 * n, 0, arena.take_view(all.rows, 2 * n)), copy(3 * n, 2 * p, 0, arena.take_view(all.rows, 2 * p)), decay,
            copy(b, 2 * h, 0, arena.take_view(all.rows, 2 * h))};
  }
  LinearAttentionSize size;
};

/// S = Diag(f) S + (1 - f) v^T, o = S^T q / sqrt(n), f = l + (1 - l) sigmoid(Wf x), q = silu(Wq x); y = norm(o)    HGRN2, arXiv:2404.07904
/// Weights: `q`, `f` (h n, d), `v` (h p, d), `lower` (h n), `norm.weight` (h p).
struct Hgrn2Rule {
  static constexpr kernels::Decay kDecay = kernels::Decay::key;
  static constexpr bool kDelta = false;
  using Config = LinearAttentionSize;
  Hgrn2Rule(const Config& c, const Build& b) : size(c), lower(b.vector("lower", c.keys())), norm(b.vector("norm.weight", c.values())) {}
  index_t width() const { return size.values(); }
  std::vector<LinearPart> parts() const { return {{"q", size.keys()}, {"f", size.keys()}, {"v", size.values()}}; }
  LinearRows rows(View all, const Frame& f) const {
    const index_t n = size.keys();
    const View q = all.col_range(0, n), forget = all.col_range(n, 2 * n), k = f.step.arena.take_view(all.rows, n);
    detail::activate(Activation::silu, q, f);
    detail::each(q, [s = detail::root(size.key_dim)](float x, index_t) { return x * s; });
    detail::each(forget, [&](float x, index_t i) { return lower[i] + (1 - lower[i]) * sigmoid(x); });
    for (index_t t = 0; t < all.rows; ++t)
      for (index_t i = 0; i < n; ++i) k(t, i) = 1 - forget(t, i);
    return {q, k, all.col_range(2 * n, all.cols), forget};
  }
  View read(View, View o, const Frame& f) const {
    f.step.kernels.elementwise.rms_norm(o.data, o.stride, o.rows, o.cols, norm.data(), 1e-5f, o.data, o.stride);
    return o;
  }
  LinearAttentionSize size;
  std::vector<float> lower, norm;
};

/// o = phi(q) S / (phi(q) . z + 1e-6), S = S + phi(k) v^T, z = z + phi(k), phi(x) = elu(x) + 1: z is a column of S whose values are 1
///                                                                                        linear transformers, arXiv:2006.16236
/// Weights: `q`, `k` (h n, d), `v` (h p, d).
struct EluRule {
  static constexpr kernels::Decay kDecay = kernels::Decay::none;
  static constexpr bool kDelta = false;
  using Config = LinearAttentionSize;
  EluRule(const Config& c, const Build&) : size(c), values(c.values()) { ++size.value_dim; }
  index_t width() const { return values; }
  std::vector<LinearPart> parts() const { return {{"q", size.keys()}, {"k", size.keys()}, {"v", values}}; }
  LinearRows rows(View all, const Frame& f) const {
    const index_t n = size.keys(), p = size.value_dim - 1;
    const View v = f.step.arena.take_view(all.rows, size.values());
    detail::each(all.col_range(0, 2 * n), [](float x, index_t) { return x > 0 ? x + 1 : std::exp(x); });
    for (index_t t = 0; t < v.rows; ++t)
      for (index_t i = 0; i < v.cols; ++i) v(t, i) = i % (p + 1) == p ? 1.0f : all(t, 2 * n + i / (p + 1) * p + i % (p + 1));
    return {all.col_range(0, n), all.col_range(n, 2 * n), v};
  }
  View read(View, View o, const Frame& f) const {
    const index_t p = size.value_dim - 1;
    const View out = f.step.arena.take_view(o.rows, values);
    for (index_t t = 0; t < out.rows; ++t)
      for (index_t i = 0; i < values; ++i) out(t, i) = o(t, i / p * (p + 1) + i % p) / (o(t, i / p * (p + 1) + p) + 1e-6f);
    return out;
  }
  LinearAttentionSize size;
  index_t values;
};

/// S = l_h S + k v^T, o = S^T q; q, k = silu(Wq x), silu(Wk x) times the cosines and then the sines of t theta; y = (Wu x) * norm(o)
/// l_h = exp(-2^(-8 h / heads) (1 - layer / (layers - 1) + 1e-5)), h from 1                             TransNormerLLM, arXiv:2307.14995
/// Weights: `q`, `k`, `v`, `gate` (h n, d), `theta` (h, n).
struct TransNormerRule {
  static constexpr kernels::Decay kDecay = kernels::Decay::token;
  static constexpr bool kDelta = false;
  struct Config {
    index_t hidden_size = 0, num_heads = 0, head_dim = 0, layer = 0, layers = 2;
  };
  TransNormerRule(const Config& c, const Build& b)
      : size{c.hidden_size, c.num_heads, 2 * c.head_dim, c.head_dim}, theta(b.vector("theta", size.values())) {
    const double depth = 1 - static_cast<double>(c.layer) / static_cast<double>(c.layers - 1) + 1e-5;
    for (index_t h = 1; h <= c.num_heads; ++h)
      decay.push_back(static_cast<float>(std::exp(-std::exp2(-8.0 * static_cast<double>(h) / static_cast<double>(c.num_heads)) * depth)));
  }
  index_t width() const { return size.values(); }
  std::vector<LinearPart> parts() const { return {{"q", width()}, {"k", width()}, {"v", width()}, {"gate", width()}}; }
  LinearRows rows(View all, const Frame& f) const {
    const index_t n = size.value_dim, w = width();
    const View qk = f.step.arena.take_view(all.rows, 4 * w);
    detail::activate(Activation::silu, all.col_range(0, 2 * w), f);
    for (index_t t = 0; t < all.rows; ++t)
      for (index_t i = 0; i < 2 * w; ++i) {
        const float angle = theta[static_cast<std::size_t>(i % w)] * f.tokens().coord[static_cast<std::size_t>(t * f.tokens().axes)];
        qk(t, i / n * 2 * n + i % n) = all(t, i) * std::cos(angle);
        qk(t, i / n * 2 * n + n + i % n) = all(t, i) * std::sin(angle);
      }
    return {qk.col_range(0, 2 * w), qk.col_range(2 * w, 4 * w), all.col_range(2 * w, 3 * w),
            ConstView(decay.data(), all.rows, size.num_heads, 0)};
  }
  View read(View all, View o, const Frame& f) const {
    const auto& kernels = f.step.kernels.elementwise;
    kernels.rms_norm(o.data, o.stride, o.rows, o.cols, nullptr, 1e-12f, o.data, o.stride);
    kernels.gate(Activation::identity, all.data + 3 * width(), all.stride, o.data, o.stride, o.rows, o.cols, o.data, o.stride);
    return o;
  }
  LinearAttentionSize size;
  std::vector<float> theta, decay;
};

}  // namespace hw
