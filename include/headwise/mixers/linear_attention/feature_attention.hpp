#pragma once
// Attention by features of queries and keys, over whole sequences. Not in the umbrella header.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>

#include "headwise/layers/linear.hpp"
#include "headwise/layers/small_matrix.hpp"

namespace hw {

/// o_i = f(q_i) sum_j f(k_j)^T v_j / (f(q_i) . sum_j f(k_j)) by head, over whole sequences; delta = Wo o        arXiv:2006.16236
/// Features have `Config`, a constructor (Config, head size, Build), `size()`, and `make(x, keys, f)` for a head's rows of a sequence.
/// Weights: `q`, `k` (h n, d), `v` (h p, d), `o` (d, h p), the features'. Cost: O(t) of the tokens, not O(t^2).
template <class Features>
struct FeatureAttention {
  static constexpr Couples couples = Couples::sequence;
  static constexpr std::string_view kName = "attention";
  struct Config {
    index_t hidden_size = 0, num_heads = 1, key_dim = 0, value_dim = 0;
    typename Features::Config features{};
  };
  FeatureAttention(const Config& config, const Build& b)
      : c(config),
        in(c.hidden_size, {{"q", c.num_heads * c.key_dim}, {"k", c.num_heads * c.key_dim}, {"v", c.num_heads * c.value_dim}}, b),
        out(c.num_heads * c.value_dim, c.hidden_size, false, b.scope("o")),
        features(c.features, c.key_dim, b) {}
  void forward(In x, View delta) const {
    Arena& arena = x.frame.step.arena;
    const index_t n = c.key_dim, p = c.value_dim, m = features.size(), keys = c.num_heads * n;
    const View all = arena.take_view(x.x.rows, in.out()), o = arena.take_view(x.x.rows, out.in()), f = arena.take_view(x.x.rows, m);
    const View sums = arena.take_view(p, m), total = arena.take_view(1, m);  // of values times features, of features
    in.forward(x.x, all, x.frame);
    for (const RowRange rows : x.frame.tokens().sequences)
      for (index_t h = 0; h < c.num_heads; ++h) {
        const ConstView own = all.row_range(rows.begin, rows.end);
        features.make(own.col_range(keys + h * n, keys + (h + 1) * n), true, f);
        std::fill_n(sums.data, p * m, 0.0f);
        std::fill_n(total.data, m, 0.0f);
        for (index_t j = 0; j < own.rows; ++j)
          for (index_t i = 0; i < m; ++i) {
            total(0, i) += f(j, i);
            for (index_t e = 0; e < p; ++e) sums(e, i) += own(j, 2 * keys + h * p + e) * f(j, i);
          }
        features.make(own.col_range(h * n, (h + 1) * n), false, f);
        const auto along = [&](index_t j, const float* s) { return std::inner_product(s, s + m, f.row(j), 0.0f); };
        for (index_t j = 0; j < own.rows; ++j)
          for (index_t e = 0; e < p; ++e) o(rows.begin + j, h * p + e) = along(j, sums.row(e)) / along(j, total.row(0));
      }
    out.forward(o, delta, x.frame);
  }
  Config c;
  Linear in, out;
  Features features;
};

/// f(x) = (exp(R y - |y|^2 / 2 - c) + 1e-4) / sqrt(m), y = x / n^(1/4); c: the largest of R y, of a query's row or of all keys
///                                                                                             FAVOR+, Performers, arXiv:2009.14794
/// Weights: `projection` R (m, n).
struct PositiveRandomFeatures {
  struct Config {
    index_t features = 0;
  };
  PositiveRandomFeatures(const Config& c, index_t n, const Build& b) : r("projection", c.features, n, b) {}
  index_t size() const { return r.rows; }
  void make(ConstView x, bool keys, View f) const {
    const float scale = std::pow(static_cast<float>(x.cols), -0.25f);
    float most = -std::numeric_limits<float>::infinity();
    for (index_t t = 0; t < x.rows; ++t) {
      for (index_t i = 0; i < r.rows; ++i) f(t, i) = scale * r.dot(i, x.row(t));
      most = std::max(most, *std::max_element(f.row(t), f.row(t) + r.rows));
    }
    for (index_t t = 0; t < x.rows; ++t) {
      const float largest = keys ? most : *std::max_element(f.row(t), f.row(t) + r.rows);
      const float half = scale * scale / 2 * std::inner_product(x.row(t), x.row(t) + x.cols, x.row(t), 0.0f);
      for (index_t i = 0; i < r.rows; ++i) f(t, i) = (std::exp(f(t, i) - half - largest) + 1e-4f) / std::sqrt(static_cast<float>(r.rows));
    }
  }
  SmallMatrix r;
};

/// f(x) = exp(W y - |y|^2 / 2) / sqrt(m), or [cos W y, sin W y] / sqrt(m); y = x / n^(1/4), row r of W is mean_c + deviation_c * noise_r,
/// c = r mod the components                                                        Spectral kernels, arXiv:2110.08323
/// Weights: `mean`, `deviation` (components, n), `noise` (m, n).
struct SpectralFeatures {
  struct Config {
    index_t features = 0, components = 1;
    bool positive = true;
  };
  SpectralFeatures(const Config& c, index_t n, const Build& b) : positive(c.positive), w("noise", c.features, n, b) {
    const SmallMatrix mean("mean", c.components, n, b), deviation("deviation", c.components, n, b);
    for (index_t i = 0; i < c.features * n; ++i) {
      const index_t at = i / n % c.components;
      float& v = w.values[static_cast<std::size_t>(i)];
      v = mean(at, i % n) + deviation(at, i % n) * v;
    }
  }
  index_t size() const { return positive ? w.rows : 2 * w.rows; }
  void make(ConstView x, bool, View f) const {
    const float scale = std::pow(static_cast<float>(x.cols), -0.25f), root = 1 / std::sqrt(static_cast<float>(w.rows));
    for (index_t t = 0; t < x.rows; ++t)
      for (index_t i = 0; i < w.rows; ++i) {
        const float angle = scale * w.dot(i, x.row(t));
        const float half = scale * scale / 2 * std::inner_product(x.row(t), x.row(t) + x.cols, x.row(t), 0.0f);
        f(t, i) = root * (positive ? std::exp(angle - half) : std::cos(angle));
        if (!positive) f(t, w.rows + i) = root * std::sin(angle);
      }
  }
  bool positive;
  SmallMatrix w;
};

}  // namespace hw
