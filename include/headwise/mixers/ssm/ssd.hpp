#pragma once
// Mamba-2.

#include <array>
#include <string_view>
#include <vector>

#include "headwise/layers/linear.hpp"
#include "headwise/mixers/causal_conv.hpp"

namespace hw {

/// [z, u, d] = Win x;  [x, B, C] = silu(conv(u));  d_h = clamp(softplus(d_h + b_h));
/// S_h = exp(-d_h e^{A_h}) S_h + B (d_h x_h)^T;  y_h = S_h^T C + D_h x_h;  delta = Wout gated(y, z)           SSD, arXiv:2405.21060
///
/// B and C are shared by the heads of a group. gated: norm(y silu(z)), over the whole row or each of norm_groups parts; norm(y) silu(z)
/// with norm_before_gate; y silu(z) without a norm. Weights: `in` (z, then u, then d: rows), `conv`, `dt_bias`, `a_log`, `d_skip` (heads),
/// `gate_norm.weight` (inner), `out` (d, inner).
class Ssd {
 public:
  using State = AllOf<RecurrentState, RecurrentState>;  // the convolution's rows, the heads' matrices
  static constexpr Couples couples = Couples::past;
  static constexpr std::string_view kName = "ssm";
  struct Config {
    index_t hidden_size = 0;
    index_t heads = 0;
    index_t head_dim = 0;
    index_t groups = 1;
    index_t state_size = 0;
    index_t kernel_size = 4;
    bool conv_bias = true;
    bool bias = false;  // of in and out
    bool norm = true;
    bool norm_before_gate = false;
    index_t norm_groups = 1;
    float norm_eps = 1e-5f;
    float min_step = 0.0f;  // time_step_limit; the larger end 0: none
    float max_step = 0.0f;
    // Falcon-H1: what x, and of Win x the parts z, x, B, C, d are multiplied with.
    float in_scale = 1.0f;
    std::array<float, 5> part_scales{1, 1, 1, 1, 1};
  };

  /// Errors: groups that do not divide the heads; sizes below 1.
  Ssd(const Config& c, const Build& b);
  State make_state() const { return State(conv_.make_state(), RecurrentState(config_.heads * config_.state_size * config_.head_dim)); }
  void forward(In in, View delta, const States<State>& states) const;

 private:
  index_t inner() const noexcept { return config_.heads * config_.head_dim; }
  index_t shared() const noexcept { return config_.groups * config_.state_size; }  // columns of B, and of C
  void gate(View y, ConstView z, const Step& step) const;

  Config config_;
  Linear in_;
  CausalConv conv_;
  std::vector<float> step_bias_, rate_, skip_, norm_;
  Linear out_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/ssm/ssd.inl.hpp"
#endif
