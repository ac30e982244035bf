#pragma once
// Feed-forward sublayers.

#include <string_view>

#include "headwise/kernels/activation.hpp"
#include "headwise/layers/linear.hpp"

namespace hw {

/// y = W2 act(W1 x + b1) + b2
/// Weights: `up` (f, d), `down` (d, f), with biases where Config::bias says so.
class Mlp {
 public:
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    index_t hidden_size = 0;
    index_t intermediate_size = 0;
    Activation activation = Activation::gelu;
    bool bias = false;
  };
  Mlp(const Config& c, const Build& b);
  void forward(In in, View delta) const;

 private:
  Activation activation_;
  Linear up_, down_;
};

/// y = W2 (act(Wg x) * (Wu x))                                                    GLU variants, arXiv:2002.05202
/// Weights: `gate` and `up` (f, d), `down` (d, f), with biases where Config::bias says so.
/// Shapes: x (t, d) in, y (t, d) out, not aliased.  Cost: 6 t d f flops.
class GatedMlp {
 public:
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    index_t hidden_size = 0;
    index_t intermediate_size = 0;
    Activation activation = Activation::silu;
    bool bias = false;
  };
  GatedMlp(const Config& c, const Build& b);
  void forward(In in, View delta) const;

 private:
  Activation activation_;
  Linear gate_up_, down_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/layers/mlp.inl.hpp"
#endif
