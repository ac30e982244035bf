#pragma once
// Positions of papers: what turns queries and keys by where they are. Each takes the projection that it changes. Not in the umbrella
// header.

#include <cmath>

#include "headwise/layers/small_matrix.hpp"
#include "headwise/mixers/attention/attention.hpp"

namespace hw {

/// q' = q z^(p / base), k' = k z^(-p / base) for each pair of coordinates, z_i = (i / (k / 2) + gamma) / (1 + gamma), over a projection
/// that rotates neighbours: far keys fade                                                        xPos, arXiv:2212.10554
template <class P>
struct Xpos : P {
  struct Config : P::Config {
    float scale_base = 512, gamma = 0.4f;
  };
  Xpos(const Config& c, const Build& b) : P(c, b), config(c) {}
  void project(In in, Qkv& o) const {
    P::project(in, o);
    const index_t n = this->layout().key_dim;
    for (index_t t = 0; t < o.q.rows; ++t)
      for (index_t i = 0; i < n; ++i) {
        const float z = (static_cast<float>(i / 2 * 2) / static_cast<float>(n) + config.gamma) / (1 + config.gamma);
        const float power = std::pow(z, in.frame.tokens().coord[static_cast<std::size_t>(t * in.frame.tokens().axes)] / config.scale_base);
        for (index_t at = i; at < o.q.cols; at += n) o.q(t, at) *= power;
        for (index_t at = i; at < o.k.cols; at += n) o.k(t, at) /= power;
      }
  }
  Config config;
};

/// Coordinates `first` and `second` of a head turn by (coordinate `axis` of the row) * frequency.
struct RotatedPair {
  index_t first = 0, second = 0;
  int axis = 0;
  double frequency = 0;
};

/// Rotation by several coordinates of a row: rows and columns of an image, time, places on a map; any real numbers.
/// The layouts are lists of pairs: axial_halves, axial_pairs and sections make the usual ones.
template <class P>
struct AxialRotary : P {
  struct Config : P::Config {
    std::vector<RotatedPair> pairs{};
  };
  AxialRotary(const Config& c, const Build& b) : P(c, b), pairs(c.pairs) {}
  void project(In in, Qkv& o) const {
    P::project(in, o);
    const TokenSet& tokens = in.frame.tokens();
    for (index_t t = 0; t < o.q.rows; ++t)
      for (const RotatedPair& p : pairs) {
        const double angle = p.frequency * static_cast<double>(tokens.coord[static_cast<std::size_t>(t * tokens.axes + p.axis)]);
        const auto cos = static_cast<float>(std::cos(angle)), sin = static_cast<float>(std::sin(angle));
        for (const View& x : {o.q, o.k})
          for (float* head = x.row(t); head < x.row(t) + x.cols; head += this->layout().key_dim) {
            const float a = head[p.first], b = head[p.second];
            head[p.first] = a * cos - b * sin, head[p.second] = b * cos + a * sin;
          }
      }
  }
  std::vector<RotatedPair> pairs;
};

/// The first half of a head by axis 0, the second by axis 1, each rotated by halves, f_i = theta^(-4i / k).
inline std::vector<RotatedPair> axial_halves(index_t head_dim, double theta = 10000) {
  std::vector<RotatedPair> out;
  const index_t n = head_dim / 4;
  for (index_t i = 0; i < 2 * n; ++i)
    out.push_back({i / n * 2 * n + i % n, i / n * 2 * n + i % n + n, static_cast<int>(i / n),
                   std::pow(theta, -static_cast<double>(i % n) / static_cast<double>(n))});
  return out;
}
/// Pairs (i, i + k / 2), the first half of them by axis 0, the second by axis 1: Qwen2-VL's images, arXiv:2409.12191
inline std::vector<RotatedPair> axial_pairs(index_t head_dim, double theta = 10000) {
  std::vector<RotatedPair> out;
  const index_t n = head_dim / 4;
  for (index_t i = 0; i < 2 * n; ++i)
    out.push_back({i, i + 2 * n, static_cast<int>(i / n), std::pow(theta, -static_cast<double>(i % n) / static_cast<double>(n))});
  return out;
}
/// Pairs (i, i + k / 2), f_i = theta^(-2i / k), sections[a] of them by axis a, in order: M-RoPE, arXiv:2409.12191
inline std::vector<RotatedPair> sections(const std::vector<index_t>& sections, index_t head_dim, double theta = 10000) {
  std::vector<RotatedPair> out;
  for (std::size_t a = 0; a < sections.size(); ++a)
    for (index_t n = 0; n < sections[a]; ++n) {
      const auto i = static_cast<index_t>(out.size());
      out.push_back(
          {i, i + head_dim / 2, static_cast<int>(a), std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim))});
    }
  return out;
}

/// ln of the frequencies at the length scale s, by an ordinary differential equation that is learned:
/// dz/ds = W_down silu(W_up (z + n(s))) + n'(s), z(1) = ln f, n_i(s) = ln f_i - 2i / (k - 2) ln(2s - 1)        CLEX, arXiv:2310.16450
/// By Runge and Kutta's 3/8 rule in steps of a half. Weights: `up` (2m, m), `down` (m, 2m), m = k / 2.
/// f_i / exp(z_i) are RotaryConfig::frequency_factors of a projection that caches keys for one length scale.
struct ClexFrequencies {
  ClexFrequencies(index_t head_dim, const Build& b) : m(head_dim / 2), up("up", 2 * m, m, b), down("down", m, 2 * m, b) {}
  std::vector<float> derivative(float s, const std::vector<float>& z) const {
    std::vector<float> in(z), hidden(2 * z.size()), out(z.size());
    const auto rate = [&](index_t i) { return -2 * static_cast<float>(i) / static_cast<float>(2 * m - 2); };
    for (index_t i = 0; i < m; ++i) in[static_cast<std::size_t>(i)] += base(i) + rate(i) * std::log(2 * s - 1);
    for (index_t i = 0; i < 2 * m; ++i) {
      const float h = up.dot(i, in.data());
      hidden[static_cast<std::size_t>(i)] = h / (1 + std::exp(-h));
    }
    for (index_t i = 0; i < m; ++i) out[static_cast<std::size_t>(i)] = down.dot(i, hidden.data()) + rate(i) * 2 / (2 * s - 1);
    return out;
  }
  std::vector<float> at(int scale) const {
    std::vector<float> z;
    for (index_t i = 0; i < m; ++i) z.push_back(base(i));
    const auto plus = [&](std::vector<float> a, float c, const std::vector<float>& k) {
      for (std::size_t i = 0; i < a.size(); ++i) a[i] += c * k[i];
      return a;
    };
    for (float s = 1, h = 0.5f; s < static_cast<float>(scale); s += h) {
      const auto k1 = derivative(s, z), k2 = derivative(s + h / 3, plus(z, h / 3, k1));
      const auto k3 = derivative(s + 2 * h / 3, plus(plus(z, h, k2), -h / 3, k1)),
                 k4 = derivative(s + h, plus(plus(plus(z, h, k1), -h, k2), h, k3));
      z = plus(plus(plus(plus(z, h / 8, k1), 3 * h / 8, k2), 3 * h / 8, k3), h / 8, k4);
    }
    return z;
  }
  float base(index_t i) const { return -static_cast<float>(i) / static_cast<float>(m) * std::log(10000.0f); }
  index_t m;
  SmallMatrix up, down;
};

}  // namespace hw
