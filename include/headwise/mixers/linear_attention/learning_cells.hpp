#pragma once
// Cells for Recurrence whose memory is trained by what passes, and one of polynomials. Not in the umbrella header.

#include "headwise/mixers/linear_attention/cells.hpp"

namespace hw {
namespace detail {

/// z = (z - mean) / sqrt(variance + 1e-6); gives the divisor's inverse.
inline float normalise(float* z, index_t n) noexcept {
  const float size = static_cast<float>(n), mean = std::accumulate(z, z + n, 0.0f) / size;
  float sum = 0;
  for (index_t j = 0; j < n; ++j) sum += (z[j] - mean) * (z[j] - mean);
  const float inverse = 1 / std::sqrt(sum / size + 1e-6f);
  for (index_t j = 0; j < n; ++j) z[j] = (z[j] - mean) * inverse;
  return inverse;
}

/// d/dz |u norm(z) + w + k - v|^2 / 2 in the place of z.
inline void norm_loss_gradient(float* z, const float* u, const float* w, const float* k, const float* v, index_t n) noexcept {
  const float inverse = normalise(z, n);
  float mean = 0, along = 0;
  const auto gradient = [&](index_t j) { return u[j] * (u[j] * z[j] + w[j] + k[j] - v[j]) / static_cast<float>(n); };
  for (index_t j = 0; j < n; ++j) mean += gradient(j), along += gradient(j) * z[j];
  for (index_t j = 0; j < n; ++j) z[j] = (gradient(j) * static_cast<float>(n) - mean - z[j] * along) * inverse;
}

/// The orthogonal matrix near to x (rows >= cols) by five steps of Newton and Schulz, as Muon takes them; scratch: 2 cols^2 + cols floats.
inline void orthogonalise(float* x, index_t rows, index_t cols, float* scratch) noexcept {
  const float size = std::sqrt(std::inner_product(x, x + rows * cols, x, 0.0f)) + 1e-7f;
  for (index_t i = 0; i < rows * cols; ++i) x[i] /= size;
  float *const a = scratch, *const b = a + cols * cols, *const row = b + cols * cols;
  for (int step = 0; step < 5; ++step) {
    for (index_t i = 0; i < cols * cols; ++i) {
      a[i] = 0;
      for (index_t r = 0; r < rows; ++r) a[i] += x[r * cols + i / cols] * x[r * cols + i % cols];
    }
    for (index_t i = 0; i < cols * cols; ++i)
      b[i] = -4.7750f * a[i] + 2.0315f * dot(a + i / cols * cols, a + i % cols, cols, cols) + (i / cols == i % cols ? 3.4445f : 0.0f);
    for (index_t r = 0; r < rows; ++r) {
      std::copy_n(x + r * cols, cols, row);
      for (index_t c = 0; c < cols; ++c) x[r * cols + c] = dot(row, b + c, cols, cols);
    }
  }
}

/// e^m of a square matrix: its series at m / 2^10, squared ten times.
inline std::vector<double> exponential(std::vector<double> m, index_t n) {
  const auto at = [](index_t i) { return static_cast<std::size_t>(i); };
  const auto multiply = [&](const std::vector<double>& x, const std::vector<double>& y) {
    std::vector<double> out(x.size());
    for (index_t i = 0; i < n * n * n; ++i) out[at(i / n / n * n + i % n)] += x[at(i / n)] * y[at(i / n % n * n + i % n)];
    return out;
  };
  std::vector<double> term(m.size()), sum(m.size());
  for (double& v : m) v /= 1024;
  for (index_t i = 0; i < n; ++i) term[at(i * n + i)] = sum[at(i * n + i)] = 1;
  for (int i = 1; i < 12; ++i) {
    term = multiply(term, m);
    for (std::size_t j = 0; j < sum.size(); ++j) sum[j] += term[j] /= i;
  }
  for (int i = 0; i < 10; ++i) sum = multiply(sum, sum);
  return sum;
}

}  // namespace detail

/// A linear map M of [k, 1] by head, trained in mini-batches to give v - k: z = M [k, 1]; G = d/dz |g norm(z) + b - (v - k)|^2 / 2;
/// z_q = (M - c_t sum l_j [k_j, 1] G_j) [q, 1] with the sum over the mini-batch so far; o = r + g norm(z_q) + b; behind a mini-batch M is
/// what its last token read by. r = z_q of q / sqrt(n), c = sigmoid(Wl x), l = 1; or, `by_position`, r = q, c a weight of the place in the
/// mini-batch, l = sigmoid(Wl x).                                                                        TTT-Linear, arXiv:2407.04620
/// Weights: `q`, `k`, `v` (h n, d), `rate` (h, d), `init` (h, (n + 1) n + 2 n): M at first, g, b; `position` (batch).
struct TttLinear {
  struct Config {
    index_t hidden_size = 0, num_heads = 1, head_dim = 0, batch = 16;
    bool by_position = false;
  };
  TttLinear(const Config& config, const Build& b)
      : c(config),
        init("init", c.num_heads, own + 2 * n, b),
        position(c.by_position ? b.vector("position", c.batch) : std::vector<float>()) {}
  index_t state() const { return c.num_heads * 2 * own + 1; }
  index_t scratch() const { return n; }
  index_t width() const { return c.num_heads * n; }
  std::vector<LinearPart> parts() const { return {{"q", width()}, {"k", width()}, {"v", width()}, {"rate", c.num_heads}}; }
  void step(const float* x, float* all, float* o, float* z) const {
    const auto place = static_cast<index_t>(all[state() - 1]);
    for (index_t h = 0; h < c.num_heads; ++h) {
      const float *const q = x + h * n, *const k = q + width(), *const v = k + width(), *const u = init.row(h) + own, *const w = u + n;
      float *const m = all + h * 2 * own, *const sum = m + own;  // m: M less what it was first
      const float rate = sigmoid(x[3 * width() + h]), read = c.by_position ? position[static_cast<std::size_t>(place)] : rate;
      const auto apply = [&](const float* in, float scale, float less) {
        for (index_t i = 0; i < own; ++i)
          z[i % n] = (i < n ? 0.0f : z[i % n]) + (i < n * n ? scale * in[i / n] : 1.0f) * (init(h, i) + m[i] - less * sum[i]);
      };
      apply(k, 1, 0);
      detail::norm_loss_gradient(z, u, w, k, v, n);
      for (index_t i = 0; i < own; ++i) sum[i] += (c.by_position ? rate : 1.0f) * (i < n * n ? k[i / n] : 1.0f) * z[i % n];
      apply(q, c.by_position ? 1.0f : 1.0f / std::sqrt(static_cast<float>(n)), read);
      std::copy_n(c.by_position ? q : z, n, o + h * n);
      detail::normalise(z, n);
      for (index_t j = h * n; j < (h + 1) * n; ++j) o[j] += u[j % n] * z[j % n] + w[j % n];
      for (index_t i = 0; i < own && place + 1 == c.batch; ++i) m[i] -= read * sum[i], sum[i] = 0;
    }
    all[state() - 1] = static_cast<float>((place + 1) % c.batch);
  }
  Config c;
  index_t n = c.head_dim, own = (n + 1) * n;
  SmallMatrix init;
  std::vector<float> position;
};

/// f = [1, k, k k^T];  D_t = 2 sum_a g_ta f_{t-a} (M^T f_{t-a} - v_{t-a})^T over the last `window` tokens;  M = a M - e D;  o = M^T f(q).
/// With `muon` M = a M - e Muon(S), S = t S + D. The gates g, a, e, t are sigmoids of Wx.                    ATLAS, arXiv:2505.23735
/// Weights: `q`, `k` (n, d), `v` (p, d), `window` (c, d), `alpha`, `eta`, `theta` (1, d). State: M, S, and what the window holds.
struct OmegaMemory {
  struct Config {
    index_t hidden_size = 0, key_dim = 0, value_dim = 0, window = 1;
    bool muon = false;
  };
  OmegaMemory(const Config& config, const Build&) : c(config), n(c.key_dim), p(c.value_dim), f(1 + n + n * n), own(n + p + 1) {}
  index_t state() const { return 2 * f * p + c.window * own; }
  index_t scratch() const { return f * p + f + 2 * p * p + p; }
  index_t width() const { return p; }
  std::vector<LinearPart> parts() const {
    return {{"q", n}, {"k", n}, {"v", p}, {"window", c.window}, {"alpha", 1}, {"eta", 1}, {"theta", 1}};
  }
  void features(const float* x, float* to) const {
    *to++ = 1;
    to = std::copy_n(x, n, to);
    for (index_t i = 0; i < n * n; ++i) *to++ = x[i / n] * x[i % n];
  }
  void step(const float* x, float* m, float* o, float* d) const {
    const float *const window = x + 2 * n + p, *const gate = window + c.window;
    float *const s = m + f * p, *const held = s + f * p, *const phi = d + f * p;
    std::copy_backward(held, held + (c.window - 1) * own, held + c.window * own);
    std::copy_n(x + n, n + p, held);
    held[n + p] = 1;  // there is a token
    std::fill_n(d, f * p, 0.0f);
    for (index_t a = 0; a < c.window && held[a * own + n + p] != 0; ++a) {
      features(held + a * own, phi);
      for (index_t j = 0; j < p; ++j) {
        const float error = 2 * sigmoid(window[a]) * (detail::dot(phi, m + j, f, p) - held[a * own + n + j]);
        for (index_t i = 0; i < f; ++i) d[i * p + j] += phi[i] * error;
      }
    }
    for (index_t i = 0; i < f * p && c.muon; ++i) d[i] = s[i] = sigmoid(gate[2]) * s[i] + d[i];
    if (c.muon) detail::orthogonalise(d, f, p, phi + f);
    for (index_t i = 0; i < f * p; ++i) m[i] = sigmoid(gate[0]) * m[i] - sigmoid(gate[1]) * d[i];
    features(x, phi);
    for (index_t j = 0; j < p; ++j) o[j] = detail::dot(phi, m + j, f, p);
  }
  Config c;
  index_t n, p, f, own;
};

/// m = A m + B u, u = relu(wu x + bu): the Legendre polynomials of the last `theta` values of u, which is held for a token;
/// h = relu(Wm m + Wx x + b)                                                                             LMUFormer, arXiv:2402.04882
/// Weights: `u` (1, d) and `x` (p, d) with biases; `memory` (p, order).
struct LegendreMemory {
  struct Config {
    index_t hidden_size = 0, width = 0, order = 0;
    double theta = 1;
  };
  LegendreMemory(const Config& config, const Build& b) : c(config), n(c.order), mix("memory", c.width, n, b) {
    std::vector<double> l(static_cast<std::size_t>((n + 1) * (n + 1)));  // [[A, B], [0, 0]] of the differential equation
    for (index_t i = 0; i < n; ++i)
      for (index_t j = 0; j <= n; ++j)
        l[static_cast<std::size_t>(i * (n + 1) + j)] = (2.0 * static_cast<double>(i) + 1) / c.theta *
                                                       (j == n                     ? (i % 2 ? -1 : 1)
                                                        : i < j || (i - j + 1) % 2 ? -1
                                                                                   : 1);
    for (const double v : detail::exponential(l, n + 1)) a.push_back(static_cast<float>(v));
  }
  index_t state() const { return n; }
  index_t scratch() const { return n + 1; }
  index_t width() const { return c.width; }
  std::vector<LinearPart> parts() const { return {{"u", 1, true}, {"x", c.width, true}}; }
  void step(const float* x, float* m, float* o, float* before) const {
    std::copy_n(m, n, before);
    before[n] = std::max(x[0], 0.0f);
    for (index_t i = 0; i < n; ++i) m[i] = detail::dot(a.data() + i * (n + 1), before, n + 1);
    for (index_t i = 0; i < c.width; ++i) o[i] = std::max(mix.dot(i, m) + x[1 + i], 0.0f);
  }
  Config c;
  index_t n;
  SmallMatrix mix;
  std::vector<float> a;
};

}  // namespace hw
