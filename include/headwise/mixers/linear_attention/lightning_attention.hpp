#pragma once
// Linear attention with a fixed decay for each head.

#include <string_view>
#include <vector>

#include "headwise/flow/recurrent_state.hpp"
#include "headwise/layers/linear.hpp"

namespace hw {

/// [q, k, v] = silu([Wq x, Wk x, Wv x]);  S_j = e^{-s_j} S_j + k_j v_j^T;  o_j = S_j^T q_j;  s_j = slope_scale 2^{-8 (j + 1) / heads};
/// delta = Wo (norm(o) sigmoid(Wg x))                                lightning attention, arXiv:2401.04658, 2501.08313
/// The norm is over all heads together; nothing is divided by a sum of weights or by sqrt(head_dim).
/// Weights: `q`, `k`, `v`, `gate` (heads head_dim, d), `head_norm.weight` (heads head_dim), `o` (d, heads head_dim). State: the matrices S.
class LightningAttention {
 public:
  using State = RecurrentState;
  static constexpr Couples couples = Couples::past;
  static constexpr std::string_view kName = "linear_attention";
  struct Config {
    index_t hidden_size = 0;
    index_t heads = 0;
    index_t head_dim = 0;
    float slope_scale = 1.0f;
    float norm_eps = 1e-6f;
  };

  /// Errors: sizes below 1; a slope below 0 or not finite.
  LightningAttention(const Config& c, const Build& b);
  State make_state() const { return State(width() * config_.head_dim); }
  void forward(In in, View delta, const States<State>& states) const;

 private:
  index_t width() const noexcept { return config_.heads * config_.head_dim; }

  Config config_;
  Linear in_;  // q, k, v, gate
  std::vector<float> decay_, norm_;
  Linear out_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/linear_attention/lightning_attention.inl.hpp"
#endif
