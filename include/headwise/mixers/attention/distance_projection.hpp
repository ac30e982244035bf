#pragma once
// Queries with a bias of their own for every distance; short convolutions of keys and values. Not in the umbrella header.

#include <vector>

#include "headwise/layers/norms.hpp"
#include "headwise/mixers/attention/project.hpp"
#include "headwise/mixers/causal_conv.hpp"

namespace hw {

/// q = t n(Wq x),  k = n(z(Wk x)),  v = z(Wv x),  z(u) = u + conv(u),  n an RMSNorm of each head;
/// s_ij += t_i r_i . P[i - j] where i - j < extent, r = Wr x of each head;  t_i = 1 + scale ln(max(1, (i + 1) / floor))
/// No positions but these. P is shared by the heads.
/// Weights: `q` (h k, d), `k`, `v` (g k, d), `r` (h rank, d), `kv_conv.weight` (2 g k, taps) over k, v, `q_norm`, `k_norm` (k), `distances`
/// (rank, extent): P transposed. State: the convolutions' rows.
class DistanceProjection {
 public:
  using State = RecurrentState;
  struct Config {
    index_t hidden_size = 0;
    index_t num_attention_heads = 0;
    index_t num_key_value_heads = 0;
    index_t head_dim = 0;
    index_t rank = 0;
    index_t extent = 0;
    index_t kernel_size = 4;
    float temperature_scale = 0.0f;  // 0: t = 1
    float temperature_floor = 1.0f;
    float norm_eps = 1e-6f;
  };
  /// Errors: head counts that do not divide; sizes below 1; a floor that is not positive.
  DistanceProjection(const Config& c, const Build& b);
  index_t heads() const noexcept { return config_.num_attention_heads; }
  kernels::KvLayout layout() const noexcept { return {config_.num_key_value_heads, config_.head_dim, config_.head_dim}; }
  State make_state() const { return conv_.make_state(); }
  void project(In in, Qkv& o, const States<State>& states) const;
  void adjust(const ScoreSite& at, const kernels::ScoreTile& tile) const noexcept;

 private:
  index_t queries() const noexcept { return config_.num_attention_heads * config_.head_dim; }
  index_t keys() const noexcept { return config_.num_key_value_heads * config_.head_dim; }

  Config config_;
  Linear in_;  // k, v, q, r
  CausalConv conv_;
  RmsNorm q_norm_, k_norm_;
  std::vector<float> distances_;  // (rank, extent), the largest distance first: ascending as the keys of a tile
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/attention/distance_projection.inl.hpp"
#endif
