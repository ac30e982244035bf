#pragma once
// Linear attention with the gated delta rule.

#include <string_view>
#include <vector>

#include "headwise/layers/linear.hpp"
#include "headwise/mixers/causal_conv.hpp"

namespace hw {

/// [q, k, v] = silu(conv([Wq x, Wk x, Wv x]));  k = k / |k|, q = q / (|q| sqrt(key_dim));  b = sigmoid(Wb x);
/// a = exp(-e^A softplus(Wa x + c));  S = a S;  S = S + k (b (v - S^T k))^T;  o = S^T q;  delta = Wo (norm(o) gate(Wz x))
///                                                                                gated delta net, arXiv:2412.06464
/// With `key_decay` a head has an a for each of its keys: S = diag(a) S               Kimi delta attention, arXiv:2510.26692
/// With a `decay_floor` f < 0 no decay is stronger than e^f: a = exp(f sigmoid(e^A (Wa x + c))).
/// Key heads are shared by value_heads / key_heads value heads each. The norm is over each head's value_dim.
/// Weights: `q`, `k` (key_heads key_dim, d), `v`, `z` (value_heads value_dim, d), `b`, `a` (value_heads, d), `conv` (over q, k, v),
/// `a_log`, `dt_bias` (value_heads), `head_norm.weight` (value_dim), `o` (d, value_heads value_dim). With key_decay `a` and `dt_bias` have
/// value_heads key_dim rows. Of low rank: Wa is `a` (.., decay_rank) after `a_down` (decay_rank, d), Wz is `z` after `z_down`.
class GatedDeltaNet {
 public:
  using State = AllOf<RecurrentState, RecurrentState>;  // the convolution's rows, the heads' matrices
  static constexpr Couples couples = Couples::past;
  static constexpr std::string_view kName = "linear_attention";
  struct Config {
    index_t hidden_size = 0;
    index_t key_heads = 0;
    index_t value_heads = 0;
    index_t key_dim = 0;
    index_t value_dim = 0;
    index_t kernel_size = 4;
    bool negative_eigenvalues = false;  // b = 2 sigmoid (arXiv:2411.12537)
    Activation gate = Activation::silu;
    bool key_decay = false;
    float decay_floor = 0.0f;               // 0: none
    index_t decay_rank = 0, gate_rank = 0;  // of Wa and Wz; 0: full
    float norm_eps = 1e-6f;
  };

  /// Errors: sizes below 1; key heads that do not divide the value heads; a floor above 0.
  GatedDeltaNet(const Config& c, const Build& b);
  State make_state() const { return State(conv_.make_state(), RecurrentState(config_.value_heads * config_.key_dim * config_.value_dim)); }
  void forward(In in, View delta, const States<State>& states) const;

 private:
  index_t keys() const noexcept { return config_.key_heads * config_.key_dim; }
  index_t values() const noexcept { return config_.value_heads * config_.value_dim; }
  index_t decays() const noexcept { return config_.value_heads * (config_.key_decay ? config_.key_dim : 1); }

  Config config_;
  Linear in_;  // q, k, v, z or z_down, b, a or a_down
  Linear z_up_, a_up_;
  CausalConv conv_;
  std::vector<float> rate_, step_bias_, norm_;
  Linear out_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/linear_attention/gated_delta_net.inl.hpp"
#endif
