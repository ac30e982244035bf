#pragma once
// Normalisation of rows.

#include <string>
#include <variant>
#include <vector>

#include "headwise/flow/build.hpp"
#include "headwise/flow/concepts.hpp"

namespace hw {

/// y = x. The place where an architecture has no norm.
struct NoNorm {
  struct Config {};
  NoNorm() = default;
  NoNorm(const Config&, const Build&) {}
  static constexpr Couples couples = Couples::nothing;
  void forward(ConstView x, View y, const Frame&) const noexcept {
    if (x.data == y.data) return;
    for (index_t i = 0; i < x.rows; ++i) std::copy_n(x.row(i), x.cols, y.row(i));
  }
};

/// y = x / sqrt(mean(x^2) + eps) * w                                             RMSNorm, arXiv:1910.07467
/// Weights: `weight` (d), unless Config::weight says there is none. Families whose file stores w - 1 (Gemma) add 1 in their weight map.
class RmsNorm {
 public:
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t size = 0;
    float eps = 1e-6f;
    bool weight = true;
  };

  RmsNorm(const Config& c, const Build& b)
      : size_(c.size), eps_(c.eps), weight_(c.weight ? b.vector("weight", c.size) : std::vector<float>()), where_(b.path("")) {}

  /// Error: rows of another width than Config::size.
  void forward(ConstView x, View y, const Frame& f) const {
    detail::check_width(where_, "input", x.cols, size_);
    f.step.parallel_rows(x.rows, x.cols, [&](index_t begin, index_t end) {
      f.step.kernels.elementwise.rms_norm(x.row(begin), x.stride, end - begin, x.cols, weight_.empty() ? nullptr : weight_.data(), eps_,
                                          y.row(begin), y.stride);
    });
  }

 private:
  index_t size_;
  float eps_;
  std::vector<float> weight_;
  std::string where_;
};

/// y = (x - mean(x)) / sqrt(var(x) + eps) * w + b                                LayerNorm, arXiv:1607.06450
/// Weights: `weight` (d), and `bias` (d) where Config::bias says so.
class LayerNorm {
 public:
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t size = 0;
    float eps = 1e-5f;
    bool bias = true;
  };

  LayerNorm(const Config& c, const Build& b)
      : eps_(c.eps),
        weight_(b.vector("weight", c.size)),
        bias_(c.bias ? b.vector("bias", c.size) : std::vector<float>()),
        where_(b.path("")) {}

  /// Error: rows of another width than Config::size.
  void forward(ConstView x, View y, const Frame& f) const {
    detail::check_width(where_, "input", x.cols, static_cast<index_t>(weight_.size()));
    f.step.parallel_rows(x.rows, x.cols, [&](index_t begin, index_t end) {
      f.step.kernels.elementwise.layer_norm(x.row(begin), x.stride, end - begin, x.cols, weight_.data(),
                                            bias_.empty() ? nullptr : bias_.data(), eps_, y.row(begin), y.stride);
    });
  }

 private:
  float eps_;
  std::vector<float> weight_;
  std::vector<float> bias_;
  std::string where_;
};

/// y = x * w + b, in the place of a norm: nothing is measured                     "NoNorm" of MobileBERT, arXiv:2004.02984
/// Weights: `weight`, `bias` (d).
class Affine {
 public:
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t size = 0;
  };

  Affine(const Config& c, const Build& b) : weight_(b.vector("weight", c.size)), bias_(b.vector("bias", c.size)), where_(b.path("")) {}

  /// Error: rows of another width than Config::size.
  void forward(ConstView x, View y, const Frame& f) const {
    detail::check_width(where_, "input", x.cols, static_cast<index_t>(weight_.size()));
    f.step.parallel_rows(x.rows, x.cols, [&](index_t begin, index_t end) {
      const kernels::ElementwiseKernels& kernel = f.step.kernels.elementwise;
      kernel.gate(Activation::identity, weight_.data(), 0, x.row(begin), x.stride, end - begin, x.cols, y.row(begin), y.stride);
      for (index_t t = begin; t < end; ++t) kernel.add(y.row(t), bias_.data(), y.row(t), y.cols);
    });
  }

 private:
  std::vector<float> weight_, bias_;
  std::string where_;
};

/// A norm that is chosen by the configuration.
using AnyNorm = std::variant<NoNorm, RmsNorm, LayerNorm, Affine>;
using AnyNormConfig = std::variant<NoNorm::Config, RmsNorm::Config, LayerNorm::Config, Affine::Config>;

inline AnyNorm make_norm(const AnyNormConfig& config, const Build& b) {
  if (const auto* c = std::get_if<RmsNorm::Config>(&config)) return RmsNorm(*c, b);
  if (const auto* c = std::get_if<LayerNorm::Config>(&config)) return LayerNorm(*c, b);
  if (const auto* c = std::get_if<Affine::Config>(&config)) return Affine(*c, b);
  return NoNorm();
}

/// The same as a part: one type of block for checkpoints with one norm or another.
class ChosenNorm {
 public:
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    AnyNormConfig norm{};
  };
  ChosenNorm(const Config& c, const Build& b) : norm_(make_norm(c.norm, b)) {}
  void forward(ConstView x, View y, const Frame& f) const {
    std::visit([&](const auto& norm) { norm.forward(x, y, f); }, norm_);
  }

 private:
  AnyNorm norm_;
};

/// The width of its rows; 0 for NoNorm, which takes any.
inline index_t size_of(const AnyNormConfig& config) noexcept {
  if (const auto* c = std::get_if<RmsNorm::Config>(&config)) return c->size;
  if (const auto* c = std::get_if<LayerNorm::Config>(&config)) return c->size;
  if (const auto* c = std::get_if<Affine::Config>(&config)) return c->size;
  return 0;
}

}  // namespace hw
