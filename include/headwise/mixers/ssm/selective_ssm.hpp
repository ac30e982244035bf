#pragma once
// Mamba.

#include <optional>
#include <string_view>
#include <vector>

#include "headwise/layers/linear.hpp"
#include "headwise/layers/norms.hpp"
#include "headwise/mixers/causal_conv.hpp"

namespace hw {

/// [u, z] = Win x;  x = silu(conv(u));  [r, B, C] = Wx x;  d = softplus(Wd r + b);
/// S[n][c] = exp(-d_c e^{A[c][n]}) S[n][c] + B_n d_c x_c;  y_c = sum_n C_n S[n][c] + D_c x_c;  delta = Wout (y silu(z))
///                                                                                        selective SSM, arXiv:2312.00752
/// With `inner_norms`, r, B and C pass a norm each (Jamba, arXiv:2403.19887). With several `heads`, each has r, B and C of its own, made of
/// its part of x (Zamba, arXiv:2405.16712).
/// Weights: `in` (2 inner, d), `conv`, `x` (dt_rank + 2 state_size, inner), `dt` (inner, dt_rank) with bias, `a_log` (inner, state_size),
/// `d_skip` (inner), `out` (d, inner); `dt_norm`, `b_norm`, `c_norm`. Of several heads `u` and `z` (inner, d) for `in`, and, with the
/// number of the head, `x.<j>`, `dt.<j>`, `a_log.<j>`, whose inner is that of a head.
class SelectiveSsm {
 public:
  using State = AllOf<RecurrentState, RecurrentState>;  // the convolution's rows, the matrix (state_size, inner)
  static constexpr Couples couples = Couples::past;
  static constexpr std::string_view kName = "ssm";
  struct Config {
    index_t hidden_size = 0;
    index_t inner_size = 0;
    index_t state_size = 0;
    index_t dt_rank = 0;
    index_t kernel_size = 4;
    bool conv_bias = true;
    bool bias = false;  // of in and out
    bool inner_norms = false;
    float norm_eps = 1e-6f;
    index_t heads = 1;
  };

  /// Errors: sizes below 1; heads that do not divide inner_size; inner norms of several heads.
  SelectiveSsm(const Config& c, const Build& b);
  State make_state() const { return State(conv_.make_state(), RecurrentState(config_.state_size * config_.inner_size)); }
  void forward(In in, View delta, const States<State>& states) const;

 private:
  Config config_;
  Linear in_;
  CausalConv conv_;
  std::vector<Linear> x_, dt_;       // one a head
  std::vector<float> rates_, skip_;  // rates: (state_size, inner)
  Linear out_;
  std::optional<RmsNorm> dt_norm_, b_norm_, c_norm_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/ssm/selective_ssm.inl.hpp"
#endif
