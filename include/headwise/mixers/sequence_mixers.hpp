#pragma once
// Mixers of papers over whole sequences, for encoders. Not in the umbrella header.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>

#include "headwise/layers/linear.hpp"
#include "headwise/layers/small_matrix.hpp"
#include "headwise/mixers/causal_conv.hpp"

namespace hw {

/// y = Wo softmax(q (E^T k)^T / sqrt(k)) F^T v + bo: keys and values of a fixed number of tokens, projected to r rows along the sequence
///                                                                                                     Linformer, arXiv:2006.04768
/// Weights: `q`, `k`, `v`, `o` (d, d), `o` with a bias; `e`, `f` (tokens, r). A sequence has at most that many tokens.
struct Linformer {
  static constexpr Couples couples = Couples::sequence;
  static constexpr std::string_view kName = "attention";
  struct Config {
    index_t hidden_size = 0, num_attention_heads = 0, tokens = 0, rank = 0;
  };
  Linformer(const Config& c, const Build& b)
      : d(c.hidden_size),
        heads(c.num_attention_heads),
        qkv(d, {{"q", d}, {"k", d}, {"v", d}}, b),
        out(d, d, true, b.scope("o")),
        e("e", c.tokens, c.rank, b),
        f("f", c.tokens, c.rank, b) {}
  void forward(In in, View delta) const {
    Arena& arena = in.frame.step.arena;
    const index_t r = e.cols, n = d / heads;
    const View x = arena.take_view(in.x.rows, 3 * d), kv = arena.take_view(2 * r, d), o = arena.take_view(in.x.rows, d),
               p = arena.take_view(1, r);
    qkv.forward(in.x, x, in.frame);
    for (const RowRange rows : in.frame.tokens().sequences) {
      if (rows.size() > e.rows) fail("linformer", concat("at most ", e.rows, " tokens"), std::to_string(rows.size()));
      std::fill_n(kv.data, 2 * r * d, 0.0f);
      for (index_t t = 0; t < rows.size(); ++t)
        for (index_t i = 0; i < 2 * r * d; ++i)
          kv.data[i] += (i < r * d ? e : f)(t, i / d % r) * x(rows.begin + t, (i < r * d ? d : 2 * d) + i % d);
      for (index_t t = rows.begin; t < rows.end; ++t)
        for (index_t h = 0; h < heads; ++h) {
          for (index_t j = 0; j < r; ++j)
            p(0, j) = std::inner_product(&x(t, h * n), &x(t, h * n) + n, &kv(j, h * n), 0.0f) / std::sqrt(static_cast<float>(n));
          in.frame.step.kernels.elementwise.softmax(p.data, r, 1, r, p.data, r);
          std::fill_n(o.row(t) + h * n, n, 0.0f);
          for (index_t i = 0; i < r * n; ++i) o(t, h * n + i % n) += p(0, i / n) * kv(r + i / n, h * n + i % n);
        }
    }
    out.forward(o, delta, in.frame);
  }
  index_t d, heads;
  Linear qkv, out;
  SmallMatrix e, f;
};

/// Q_h = sum_i softmax_i(w_ah . q_i / sqrt(k)) q_i, p_i = Q * k_i, K_h = sum_i softmax_i(w_bh . p_i / sqrt(k)) p_i, y_i = Wr (K * q_i) + br
/// + q_i over whole sequences; the scores of a head look at the rows of all heads.                         Fastformer, arXiv:2108.09084
/// Weights: `q`, `k`, `r` (d, d), `r` with a bias; `a`, `b` (h, d), block diagonal in the paper's form.
struct Fastformer {
  static constexpr Couples couples = Couples::sequence;
  static constexpr std::string_view kName = "attention";
  struct Config {
    index_t hidden_size = 0, num_attention_heads = 0;
  };
  Fastformer(const Config& c, const Build& build)
      : d(c.hidden_size),
        qk(d, {{"q", d}, {"k", d}}, build),
        r(d, d, true, build.scope("r")),
        a("a", c.num_attention_heads, d, build),
        b("b", c.num_attention_heads, d, build) {}
  // One vector of the rows: a head's columns weighted by its softmax over the rows.
  void sum(ConstView x, const SmallMatrix& by, const Step& step, float* to) const {
    const View p = step.arena.take_view(1, x.rows);
    const index_t n = d / by.rows;
    std::fill_n(to, d, 0.0f);
    for (index_t h = 0; h < by.rows; ++h) {
      for (index_t t = 0; t < x.rows; ++t) p(0, t) = by.dot(h, x.row(t)) / std::sqrt(static_cast<float>(n));
      step.kernels.elementwise.softmax(p.data, x.rows, 1, x.rows, p.data, x.rows);
      for (index_t t = 0; t < x.rows; ++t)
        for (index_t i = h * n; i < (h + 1) * n; ++i) to[i] += p(0, t) * x(t, i);
    }
  }
  void forward(In in, View delta) const {
    const View x = in.frame.step.arena.take_view(in.x.rows, 2 * d), q = x.col_range(0, d), k = x.col_range(d, 2 * d),
               all = in.frame.step.arena.take_view(1, d);
    qk.forward(in.x, x, in.frame);
    for (const RowRange rows : in.frame.tokens().sequences)
      for (const bool keys : {false, true}) {
        sum((keys ? k : q).row_range(rows.begin, rows.end), keys ? b : a, in.frame.step, all.data);
        for (index_t t = rows.begin; t < rows.end; ++t)
          for (index_t i = 0; i < d; ++i) k(t, i) = all(0, i) * (keys ? q : k)(t, i);
      }
    r.forward(k, delta, in.frame);
    in.frame.step.kernels.elementwise.add_scaled(delta.data, delta.stride, 1, q.data, q.stride, 1, q.rows, d, delta.data, delta.stride);
  }
  index_t d;
  Linear qk, r;
  SmallMatrix a, b;
};

/// xi <- softmax_j(beta xi . X_j) X, `updates` times, then o = softmax_j(beta xi . X_j) V X_j, for each head: rows with a mark are the
/// stored patterns X of their sequence, the others states xi; their association space is given.
///                                                                                              Hopfield networks, arXiv:2008.02217
/// Weights: `v` (h k, k).
struct HopfieldRetrieval {
  static constexpr Couples couples = Couples::sequence;
  static constexpr std::string_view kName = "hopfield";
  struct Config {
    index_t num_heads = 1, head_dim = 0, updates = 1;
    float beta = 1;
  };
  HopfieldRetrieval(const Config& c, const Build& b) : config(c), v("v", c.num_heads * c.head_dim, c.head_dim, b) {}
  void forward(In in, View delta) const {
    const index_t n = config.head_dim;
    const auto xi = in.frame.step.arena.take<float>(n), sum = in.frame.step.arena.take<float>(n);
    const auto& mark = in.frame.tokens().mark;
    for (const RowRange rows : in.frame.tokens().sequences)
      for (index_t t = rows.begin; t < rows.end; ++t)
        for (index_t h = 0; h < config.num_heads; ++h) {
          std::copy_n(in.x.row(t) + h * n, n, xi.begin());
          for (index_t step = 0; step <= config.updates; ++step) {
            std::fill(sum.begin(), sum.end(), 0.0f);
            float total = 0;
            for (index_t j = rows.begin; j < rows.end; ++j) {
              const float* x = in.x.row(j) + h * n;
              const float e = std::exp(config.beta * std::inner_product(xi.begin(), xi.end(), x, 0.0f));
              for (index_t i = 0; mark[static_cast<std::size_t>(j)] != 0 && i < n; ++i) sum[static_cast<std::size_t>(i)] += e * x[i];
              if (mark[static_cast<std::size_t>(j)] != 0) total += e;
            }
            for (float& s : sum) s /= total;
            if (step < config.updates) std::copy(sum.begin(), sum.end(), xi.begin());
          }
          for (index_t i = 0; i < n; ++i) delta(t, h * n + i) = v.dot(h * n + i, sum.data());
        }
  }
  Config config;
  SmallMatrix v;
};

/// [v, x_1, .., x_n] = conv(W x) of few taps; z = v; for each i: z = x_i (h_i * z + b_i z), h_i a causal filter as long as the model's
/// window, times exp(-rate l / (window - 1)) + shift; delta = Wo z                                            Hyena, arXiv:2302.10866
/// Weights: `in` ((n + 1) d, d), `conv`, `filter` (n d, window), `rate` (d), `shift` (1), `bias` (n, d), `o` (d, d). A sequence has at most
/// `window` tokens.
struct Hyena {
  static constexpr Couples couples = Couples::sequence;
  static constexpr std::string_view kName = "hyena";
  struct Config {
    index_t hidden_size = 0, order = 2, taps = 3, window = 0;
  };
  Hyena(const Config& config, const Build& b)
      : c(config),
        d(c.hidden_size),
        in(d, (c.order + 1) * d, false, b.scope("in")),
        out(d, d, false, b.scope("o")),
        conv({(c.order + 1) * d, c.taps, true}, b.scope("conv")),
        filter("filter", c.order * d, c.window, b),
        bias("bias", c.order, d, b) {
    const std::vector<float> rate = b.vector("rate", d), shift = b.vector("shift", 1);
    for (std::size_t w = static_cast<std::size_t>(c.window), i = 0; i < filter.values.size(); ++i)
      filter.values[i] *= std::exp(-rate[i / w % rate.size()] * static_cast<float>(i % w) / static_cast<float>(w - 1)) + shift[0];
  }
  void forward(In x, View delta) const {
    const View u = x.frame.step.arena.take_view(x.x.rows, in.out()), z = x.frame.step.arena.take_view(x.x.rows, in.out());
    in.forward(x.x, u, x.frame);
    conv.forward(u, z, x.frame, {});
    for (const RowRange rows : x.frame.tokens().sequences) {
      if (rows.size() > c.window) fail("hyena", concat("at most ", c.window, " tokens"), std::to_string(rows.size()));
      for (index_t i = 0; i < c.order * d; ++i)
        for (index_t t = rows.end - 1; t >= rows.begin; --t) {  // from the last on: those before it are still as they were
          float sum = bias(i / d, i % d) * z(t, i % d);
          for (index_t j = rows.begin; j <= t; ++j) sum += filter(i, t - j) * z(j, i % d);
          z(t, i % d) = z(t, d + i) * sum;
        }
    }
    out.forward(z.col_range(0, d), delta, x.frame);
  }
  Config c;
  index_t d;
  Linear in, out;
  CausalConv conv;
  SmallMatrix filter, bias;
};

}  // namespace hw
