#pragma once
// Joins of papers: how a sublayer's delta comes back to the stream, and what the stream is. Not in the umbrella header.

#include <array>
#include <cmath>
#include <vector>

#include "headwise/blocks/join.hpp"
#include "headwise/layers/linear.hpp"
#include "headwise/layers/small_matrix.hpp"

namespace hw {

/// x = norm(alpha x + sublayer(x))                                                                     DeepNorm, arXiv:2203.00555
/// Weights: the norm's in `post_norm`.
template <Norm N>
struct DeepAdd {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    typename N::Config norm{};
    float alpha = 1;
  };
  DeepAdd(const Config& c, const Build& b) : norm(c.norm, b.scope("post_norm")), alpha(c.alpha) {}
  ConstView read(const Frame& f) const { return f.at({}); }
  void write(const Frame& f, ConstView, View delta) const {
    const View x = f.at({});
    f.step.kernels.elementwise.add_scaled(x.data, x.stride, alpha, delta.data, delta.stride, 1, x.rows, x.cols, x.data, x.stride);
    norm.forward(x, x, f);
  }
  N norm;
  float alpha;
};

/// in = norm(x);  x = alpha in + beta sublayer(in): the stream goes on from what the sublayer saw           MiniMax-01, arXiv:2501.08313
/// Weights: the norm's in `norm`.
template <Norm N>
struct AddToNormed {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    typename N::Config norm{};
    float alpha = 1, beta = 1;
  };
  AddToNormed(const Config& c, const Build& b) : norm(c.norm, b.scope("norm")), alpha(c.alpha), beta(c.beta) {}
  ConstView read(const Frame& f) const {
    const View x = f.at({}), in = f.step.arena.take_view(x.rows, x.cols);
    norm.forward(x, in, f);
    return in;
  }
  void write(const Frame& f, ConstView in, View delta) const {
    const View x = f.at({});
    f.step.parallel_rows(x.rows, x.cols, [&](index_t begin, index_t end) {
      f.step.kernels.elementwise.add_scaled(in.row(begin), in.stride, alpha, delta.row(begin), delta.stride, beta, end - begin, x.cols,
                                            x.row(begin), x.stride);
    });
  }
  N norm;
  float alpha, beta;
};

/// in = norm(x);  x = (x + c) a + (sublayer(in) + e) b, channel by channel                        residual scaling, arXiv:2511.17127
/// Weights: the norm's in `norm`; `stream_shift` c, `stream_gain` a, `delta_shift` e, `delta_gain` b (d).
template <Norm N>
struct AffineAdd {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    typename N::Config norm{};
    index_t size = 0;
  };
  AffineAdd(const Config& c, const Build& b)
      : norm(c.norm, b.scope("norm")),
        shift{b.vector("stream_shift", c.size), b.vector("delta_shift", c.size)},
        gain{b.vector("stream_gain", c.size), b.vector("delta_gain", c.size)} {}
  ConstView read(const Frame& f) const {
    const View x = f.at({}), in = f.step.arena.take_view(x.rows, x.cols);
    norm.forward(x, in, f);
    return in;
  }
  void write(const Frame& f, ConstView, View delta) const {
    const View x = f.at({});
    f.step.parallel_rows(x.rows, 4 * x.cols, [&](index_t begin, index_t end) {
      for (index_t t = begin; t < end; ++t)
        for (std::size_t i = 0; i < gain[0].size(); ++i)
          x.row(t)[i] = (x.row(t)[i] + shift[0][i]) * gain[0][i] + (delta.row(t)[i] + shift[1][i]) * gain[1][i];
    });
  }
  N norm;
  std::array<std::vector<float>, 2> shift, gain;  // of the stream, of the delta
};

/// x = (1 - z) x + z tanh(Wg y + Ug (r x)),  y = relu(sublayer(norm(x))),  r = sigmoid(Wr y + Ur x),  z = sigmoid(Wz y + Uz x - b)
///                                                                                                     GTrXL, arXiv:1910.06764
/// Weights: the norm's in `norm`; `from_delta` Wr, Wz, Wg and `from_stream` Ur, Uz, Ug, each of the names `reset`, `update`, `new` below
/// them; `update_bias` b (d).
template <Norm N>
struct GruGate {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    typename N::Config norm{};
    index_t size = 0;
  };
  GruGate(const Config& c, const Build& b)
      : norm(c.norm, b.scope("norm")),
        from_delta(c.size, {{"reset", c.size}, {"update", c.size}, {"new", c.size}}, b.scope("from_delta")),
        from_stream(c.size, {{"reset", c.size}, {"update", c.size}}, b.scope("from_stream")),
        from_reset(c.size, c.size, false, b.scope("from_stream.new")),
        bias(b.vector("update_bias", c.size)) {}
  ConstView read(const Frame& f) const {
    const View x = f.at({}), in = f.step.arena.take_view(x.rows, x.cols);
    norm.forward(x, in, f);
    return in;
  }
  void write(const Frame& f, ConstView, View delta) const {
    const View x = f.at({});
    const index_t d = x.cols;
    Arena& arena = f.step.arena;
    const View w = arena.take_view(x.rows, 3 * d), u = arena.take_view(x.rows, 2 * d), rx = arena.take_view(x.rows, d),
               un = arena.take_view(x.rows, d);
    const auto sigmoid = [](float v) { return 1 / (1 + std::exp(-v)); };
    f.step.kernels.elementwise.activate(Activation::relu, delta.data, delta.stride, delta.rows, d, delta.data, delta.stride);
    from_delta.forward(delta, w, f);
    from_stream.forward(x, u, f);
    for (index_t t = 0; t < x.rows; ++t)
      for (index_t i = 0; i < d; ++i) rx(t, i) = sigmoid(w(t, i) + u(t, i)) * x(t, i);
    from_reset.forward(rx, un, f);
    for (index_t t = 0; t < x.rows; ++t)
      for (index_t i = 0; i < d; ++i) {
        const float z = sigmoid(w(t, d + i) + u(t, d + i) - bias[static_cast<std::size_t>(i)]);
        x(t, i) = (1 - z) * x(t, i) + z * std::tanh(w(t, 2 * d + i) + un(t, i));
      }
  }
  N norm;
  Linear from_delta, from_stream, from_reset;
  std::vector<float> bias;
};

/// How n streams H_s of a row are mixed: alpha = A + a tanh(norm(H_s) W_a) (n, 1 + n), beta = B + b tanh(norm(H_s) . w_b) (n);
/// norm(x) = normed(x) (1 + gamma), normed a LayerNorm or x / |x| sqrt(d).                   Hyper-connections, arXiv:2409.19606
/// Weights: `static_alpha` A (n, 1 + n), `static_beta` B (n); where dynamic `dynamic_alpha` W_a^T (1 + n, d), `dynamic_beta` w_b (1, d),
/// `gamma` (d), `alpha_scale` a, `beta_scale` b (1).
struct StreamMixture {
  struct Config {
    index_t streams = 0, size = 0;
    bool dynamic = true, layer_norm = false;
  };
  StreamMixture(const Config& c, const Build& b)
      : config(c), alpha("static_alpha", c.streams, c.streams + 1, b), beta(b.vector("static_beta", c.streams)) {
    if (!c.dynamic) return;
    dynamic_alpha = {"dynamic_alpha", c.streams + 1, c.size, b}, dynamic_beta = {"dynamic_beta", 1, c.size, b};
    gamma = b.vector("gamma", c.size), scale = {b.vector("alpha_scale", 1)[0], b.vector("beta_scale", 1)[0]};
    for (float& g : gamma) g += 1;
  }
  // To alpha, and beta behind it. `x`: scratch (d).
  void weights(const float* h, const Step& step, float* x, float* to) const {
    const index_t n = config.streams, d = config.size;
    const auto& kernels = step.kernels.elementwise;
    for (index_t s = 0; s < n; ++s, h += d) {
      if (config.dynamic && config.layer_norm) kernels.layer_norm(h, d, 1, d, gamma.data(), nullptr, 1e-5f, x, d);
      if (config.dynamic && !config.layer_norm) kernels.rms_norm(h, d, 1, d, gamma.data(), 0, x, d);
      for (index_t r = 0; r <= n; ++r)
        to[s * (n + 1) + r] = alpha(s, r) + (config.dynamic ? scale[0] * std::tanh(dynamic_alpha.dot(r, x)) : 0);
      to[n * (n + 1) + s] = beta[static_cast<std::size_t>(s)] + (config.dynamic ? scale[1] * std::tanh(dynamic_beta.dot(0, x)) : 0);
    }
  }
  Config config;
  SmallMatrix alpha, dynamic_alpha, dynamic_beta;
  std::vector<float> beta, gamma;
  std::array<float, 2> scale{};
};

/// The stream is n streams side by side, (t, n d). in = sum_s alpha_s0 H_s,  H'_r = sum_s alpha_s(1+r) H_s + beta_r delta
///                                                                                               Hyper-connections, arXiv:2409.19606
struct HyperConnections {
  static constexpr Couples couples = Couples::nothing;
  using Config = StreamMixture::Config;
  HyperConnections(const Config& c, const Build& b) : n(c.streams), d(c.size), mixture(c, b) {}
  index_t delta_width(const Frame&) const noexcept { return d; }
  // What a row becomes, (1 + n, d): the input, and the streams without the delta; returns beta.
  const float* mixed(const float* h, const Step& step, View to) const {
    const View x = step.arena.take_view(1, d), w = step.arena.take_view(1, n * (n + 2));
    mixture.weights(h, step, x.data, w.data);
    for (index_t r = 0; r <= n; ++r)
      for (index_t i = 0; i < d; ++i) {
        to(r, i) = 0;
        for (index_t s = 0; s < n; ++s) to(r, i) += w.data[s * (n + 1) + r] * h[s * d + i];
      }
    return w.data + n * (n + 1);
  }
  ConstView read(const Frame& f) const {
    const View x = f.at({}), in = f.step.arena.take_view(x.rows, d), all = f.step.arena.take_view(n + 1, d);
    for (index_t t = 0; t < x.rows; ++t) {
      const ArenaScope scope(f.step.arena);
      mixed(x.row(t), f.step, all);
      std::copy_n(all.row(0), d, in.row(t));
    }
    return in;
  }
  void write(const Frame& f, ConstView, View delta) const {
    const View x = f.at({}), all = f.step.arena.take_view(n + 1, d);
    for (index_t t = 0; t < x.rows; ++t) {
      const ArenaScope scope(f.step.arena);
      const float* beta = mixed(x.row(t), f.step, all);
      for (index_t i = 0; i < n * d; ++i) x(t, i) = all.row(1)[i] + beta[i / d] * delta(t, i % d);
    }
  }
  index_t n, d;
  StreamMixture mixture;
};

/// After block i the stream becomes sum_j alpha_ij X_j over what all blocks gave so far, X_0 the embedding: every `dilation`-th back from
/// i.
///                                                                                                     DenseFormer, arXiv:2402.02622
/// A member of a block; the first, with depth 0, only keeps the stream. Weights: `alpha` (depth + 1), in the block's scope.
struct DepthAverage {
  static constexpr Couples couples = Couples::nothing;
  using State = NoState;
  struct Config {
    int depth = 0, dilation = 1;
    std::string name{"depth_average"};
  };
  DepthAverage(const Config& c, const Build& b) : config(c) {
    for (int i = 0; i <= c.depth; ++i) slots.push_back(b.slot(concat("depth average ", i)));
    if (c.depth > 0) alpha = b.scope(c.name).vector("alpha", c.depth + 1);
  }
  void forward(const Frame& f, const TapPoint&, const States<State>&) const {
    const View x = f.at({}), kept = f.step.arena.take_view(x.rows, x.cols);
    NoNorm().forward(x, kept, f);
    f.publish(slots.back(), kept);
    if (config.depth == 0) return;
    for (index_t t = 0; t < x.rows; ++t) std::fill_n(x.row(t), x.cols, 0.0f);
    for (int j = config.depth % config.dilation; j <= config.depth; j += config.dilation) {
      const View z = f.at(slots[static_cast<std::size_t>(j)]);
      f.step.kernels.elementwise.add_scaled(x.data, x.stride, 1, z.data, z.stride, alpha[static_cast<std::size_t>(j)], x.rows, x.cols,
                                            x.data, x.stride);
    }
  }
  Config config;
  std::vector<Slot> slots;
  std::vector<float> alpha;
};

}  // namespace hw
