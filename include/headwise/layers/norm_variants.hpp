#pragma once
// Norms of papers, for the place of RmsNorm or LayerNorm in a block. Not in the umbrella header: include what you use.

#include <cmath>

#include "headwise/layers/norms.hpp"

namespace hw {

/// y = s x / max(|x|_2, eps), with one learned number s                                   ScaleNorm, arXiv:1910.05895
/// Weights: `scale` (1).
struct ScaleNorm {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    float eps = 1e-5f;
  };
  ScaleNorm(const Config& c, const Build& b) : eps(c.eps), scale(b.vector("scale", 1)[0]) {}
  void forward(ConstView x, View y, const Frame& f) const {
    const auto& kernels = f.step.kernels.elementwise;
    kernels.l2_normalise(x.data, x.stride, x.rows, x.cols, eps, y.data, y.stride);
    kernels.scale(y.data, y.stride, scale, y.rows, y.cols, y.data, y.stride);
  }
  float eps, scale;
};

/// y = g tanh(alpha x) + b                                                                Dynamic Tanh, arXiv:2503.10622
/// Weights: `weight` g and `bias` b (d), `alpha` (1).
struct DynamicTanh {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t size = 0;
  };
  DynamicTanh(const Config& c, const Build& b)
      : alpha(b.vector("alpha", 1)[0]), weight(b.vector("weight", c.size)), bias(b.vector("bias", c.size)) {}
  void forward(ConstView x, View y, const Frame&) const {
    for (index_t t = 0; t < x.rows; ++t)
      for (std::size_t i = 0; i < weight.size(); ++i) y.row(t)[i] = weight[i] * std::tanh(alpha * x.row(t)[i]) + bias[i];
  }
  float alpha;
  std::vector<float> weight, bias;
};

/// y = x / sqrt(mean over the group of x^2 + eps) * g, in `groups` of consecutive features    Grouped RMSNorm, as in Mamba-2,
/// arXiv:2405.21060 Weights: `weight` g (d).
struct GroupRmsNorm {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t size = 0, groups = 1;
    float eps = 1e-6f;
  };
  GroupRmsNorm(const Config& c, const Build& b) : config(c), weight(b.vector("weight", c.size)) {
    if (c.groups <= 0 || c.size % c.groups != 0)
      fail(b.path("weight"), "a number of groups that divides the width", std::to_string(c.groups));
  }
  void forward(ConstView x, View y, const Frame& f) const {
    const index_t n = config.size / config.groups;
    for (index_t at = 0; at < config.size; at += n)
      f.step.kernels.elementwise.rms_norm(x.data + at, x.stride, x.rows, n, weight.data() + at, config.eps, y.data + at, y.stride);
  }
  Config config;
  std::vector<float> weight;
};

/// y = x / max(|x|_2, eps)
struct L2Norm {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    float eps = 1e-12f;
  };
  L2Norm(const Config& c, const Build&) : eps(c.eps) {}
  void forward(ConstView x, View y, const Frame& f) const {
    f.step.kernels.elementwise.l2_normalise(x.data, x.stride, x.rows, x.cols, eps, y.data, y.stride);
  }
  float eps;
};

/// u_i / sqrt((sum u^2 + (sum u)^2) / d + eps): LayerNorm of a vector of d features with mean zero of which the last is not kept.
///                                                                                        CRMSNorm, arXiv:2305.14858
struct CompressedRmsNorm {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    float eps = 1e-5f;
  };
  CompressedRmsNorm(const Config& c, const Build&) : eps(c.eps) {}
  void forward(ConstView x, View y, const Frame&) const {
    for (index_t t = 0; t < x.rows; ++t) {
      float sum = 0, squares = 0;
      for (const float u : x[t]) sum += u, squares += u * u;
      const float scale = 1 / std::sqrt((squares + sum * sum) / static_cast<float>(x.cols + 1) + eps);
      for (index_t i = 0; i < x.cols; ++i) y(t, i) = x(t, i) * scale;
    }
  }
  float eps;
};

/// y = g z / sqrt(psi2 + eps) + b,  z = x / sqrt(mean over the group of x^2 + eps), psi2 a stored quadratic mean  PowerNorm,
/// arXiv:2003.07845 Weights: `weight` g, `bias` b, `running_phi` psi2 (d). groups = 0: z = x.
struct PowerNorm {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t size = 0, groups = 0;
    float eps = 1e-5f;
  };
  PowerNorm(const Config& c, const Build& b)
      : config(c), weight(b.vector("weight", c.size)), bias(b.vector("bias", c.size)), ones(weight.size(), 1.0f) {
    const auto psi2 = b.vector("running_phi", c.size);
    for (std::size_t i = 0; i < psi2.size(); ++i) weight[i] /= std::sqrt(psi2[i] + c.eps);
  }
  void forward(ConstView x, View y, const Frame& f) const {
    const index_t n = config.groups > 0 ? config.size / config.groups : 0;
    for (index_t at = 0; n > 0 && at < config.size; at += n)
      f.step.kernels.elementwise.rms_norm(x.data + at, x.stride, x.rows, n, ones.data(), config.eps, y.data + at, y.stride);
    const ConstView z = n > 0 ? ConstView(y) : x;
    for (index_t t = 0; t < x.rows; ++t)
      for (std::size_t i = 0; i < weight.size(); ++i) y.row(t)[i] = z.row(t)[i] * weight[i] + bias[i];
  }
  Config config;
  std::vector<float> weight, bias, ones;
};

/// y = (x - mu) / sqrt(var + eps) g + b + eta x, with stored mu and var                   RepBN, arXiv:2405.11582
/// Weights: `weight` g, `bias` b, `running_mean`, `running_var` (d), `alpha` eta (1). At load it becomes one multiplication and addition.
struct RepBatchNorm {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t size = 0;
    float eps = 1e-5f;
  };
  RepBatchNorm(const Config& c, const Build& b) : weight(b.vector("weight", c.size)), bias(b.vector("bias", c.size)) {
    const auto mean = b.vector("running_mean", c.size), var = b.vector("running_var", c.size), eta = b.vector("alpha", 1);
    for (std::size_t i = 0; i < mean.size(); ++i) {
      weight[i] /= std::sqrt(var[i] + c.eps);
      bias[i] -= mean[i] * weight[i];
      weight[i] += eta[0];
    }
  }
  void forward(ConstView x, View y, const Frame&) const {
    for (index_t t = 0; t < x.rows; ++t)
      for (std::size_t i = 0; i < weight.size(); ++i) y.row(t)[i] = x.row(t)[i] * weight[i] + bias[i];
  }
  std::vector<float> weight, bias;
};

/// y = sigmoid(v x) * x / sqrt(mean(x^2) + eps) * g                                       gated RMSNorm of ReLA-g, arXiv:2104.07012
/// Weights: `weight` g, `gate` v (d).
struct SelfGatedRmsNorm {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t size = 0;
    float eps = 1e-6f;
  };
  SelfGatedRmsNorm(const Config& c, const Build& b) : eps(c.eps), weight(b.vector("weight", c.size)), gate(b.vector("gate", c.size)) {}
  void forward(ConstView x, View y, const Frame& f) const {
    const View g = f.step.arena.take_view(x.rows, x.cols);
    for (index_t t = 0; t < x.rows; ++t)
      for (std::size_t i = 0; i < gate.size(); ++i) g.row(t)[i] = gate[i] * x.row(t)[i];
    f.step.kernels.elementwise.rms_norm(x.data, x.stride, x.rows, x.cols, weight.data(), eps, y.data, y.stride);
    f.step.kernels.elementwise.gate(Activation::sigmoid, g.data, g.stride, y.data, y.stride, y.rows, y.cols, y.data, y.stride);
  }
  float eps;
  std::vector<float> weight, gate;
};

/// y = g x: in the place of the norm on a delta, x + g * sublayer(norm(x))                 LayerScale, arXiv:2103.17239
/// Weights: `weight` g (d).
struct LayerScale {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t size = 0;
  };
  LayerScale(const Config& c, const Build& b) : weight(b.vector("weight", c.size)) {}
  void forward(ConstView x, View y, const Frame&) const {
    for (index_t t = 0; t < x.rows; ++t)
      for (std::size_t i = 0; i < weight.size(); ++i) y.row(t)[i] = weight[i] * x.row(t)[i];
  }
  std::vector<float> weight;
};

}  // namespace hw
