#pragma once
// RWKV-5 and RWKV-6: matrix states over the scan kernels, rows mixed with the one before. Not in the umbrella header.
// Eagle and Finch, arXiv:2404.05892

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/core/scalars.hpp"
#include "headwise/layers/linear.hpp"
#include "headwise/layers/small_matrix.hpp"
#include "headwise/mixers/linear_attention/linear_attention.hpp"

namespace hw {

/// With x' the row before x and z_c = x + (x' - x) * m_c:  r, k, v, g = W_c z_c for each c; by head
///   o_t = S_{t-1}^T r + (r . (u * k)) v,   S_t = Diag(w) S_{t-1} + k v^T,   w = exp(-exp(w0)),   delta = Wo (silu(g) * norm(o))
/// Finch (`rank` above 0):  m_c = mu_c + B_c tanh(A_c (x + (x' - x) * mu_x)),  w = exp(-exp(w0 + D2 tanh(D1 z_w))).
/// Weights: `r`, `k` (h n, d), `v`, `g` (h p, d), `o`, `mix.<c>` (d), `w0`, `u` (h n), `norm.weight`, `norm.bias` (h p); Finch: `mix.x`,
/// `mix.w` (d), `mix_down.<c>` (rank, d), `mix_up.<c>` (d, rank), `decay_down` (decay_rank, d), `decay_up` (h n, decay_rank).
/// State: S of each head, then the last row.
class Rwkv6 {
 public:
  static constexpr Couples couples = Couples::past;
  static constexpr std::string_view kName = "time_mix";
  using State = RecurrentState;
  struct Config {
    LinearAttentionSize size{};
    index_t rank = 0, decay_rank = 0;
    float norm_eps = 64e-5f;
  };
  Rwkv6(const Config& c, const Build& b);
  State make_state() const { return State(matrices() + c_.size.hidden_size); }
  void forward(In in, View delta, const States<State>& states) const;

 private:
  enum Part { r, k, v, g, w, kParts };  // w: the decay's
  index_t matrices() const noexcept { return c_.size.keys() * c_.size.value_dim; }
  void mix(int part, ConstView x, ConstView before, View out, const Frame& f) const;

  Config c_;
  std::vector<float> mu_[kParts + 1], w0_, u_, gain_, bias_;
  Linear in_[kParts - 1], down_[kParts], up_[kParts], decay_down_, decay_up_, out_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/rwkv/rwkv6.inl.hpp"
#endif
