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
    friend bool operator==(const Config&, const Config&) = default;
  };
  Mlp(const Config& c, const Build& b);
  void forward(In in, View delta) const {
    const Mlp* const self = this;
    const index_t begin[] = {0, in.x.rows};
    forward_groups({&self, 1}, begin, in, delta);
  }
  /// Several at once (experts): rows [begin[g], begin[g + 1]) are those of mlps[g]. All have the sizes of the first.
  static void forward_groups(std::span<const Mlp* const> mlps, std::span<const index_t> begin, In in, View delta);

 private:
  Activation activation_;
  Linear up_, down_;
};

/// y = W2 (act(g) * (u + up_offset)),  g = min(gate_scale Wg x, limit),  u = clamp(Wu x, -limit, limit)
///                                                                                              GLU variants, arXiv:2002.05202
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
    float gate_scale = 1.0f;
    float limit = 0.0f;  // 0: none
    float up_offset = 0.0f;
    friend bool operator==(const Config&, const Config&) = default;
  };
  GatedMlp(const Config& c, const Build& b);
  void forward(In in, View delta) const {
    const GatedMlp* const self = this;
    const index_t begin[] = {0, in.x.rows};
    forward_groups({&self, 1}, begin, in, delta);
  }
  /// Several at once (experts): rows [begin[g], begin[g + 1]) are those of mlps[g]. All have the sizes of the first.
  static void forward_groups(std::span<const GatedMlp* const> mlps, std::span<const index_t> begin, In in, View delta);

 private:
  Activation activation_;
  float gate_scale_, limit_, up_offset_;
  Linear gate_up_, down_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/layers/mlp.inl.hpp"
#endif
