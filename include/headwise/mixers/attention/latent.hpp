#pragma once
// Multi-head latent attention: what an entry caches is a latent that all heads share.

#include <optional>
#include <vector>

#include "headwise/layers/linear.hpp"
#include "headwise/layers/norms.hpp"
#include "headwise/mixers/attention/project.hpp"

namespace hw {

/// c = norm(Wc x), r = rope(Wr x);   q_j = [q'_j, rope(q''_j)] of Wq x or Wq norm(Wa x);   s_j = q'_j . Uk_j c + q''_j . r,  v_j = Uv_j c
///                                                                                                     MLA, arXiv:2405.04434
/// The absorbed form, for any number of rows: the query of head j is [Uk_j^T q'_j, q''_j], every head reads the one key [c, r] and the one
/// value c, and `emit` applies Uv_j to what head j has gathered. The cache holds kv_rank + rope_dim values of key and kv_rank of value.
/// Weights: `q` (h (nope + rope), d), or `q_down` (q_rank, d), `q_norm`, `q` (h (nope + rope), q_rank); `kv_down` (kv_rank + rope, d),
/// `kv_norm`; for each head `key_up.<j>` (kv_rank, nope), which is Uk_j^T, and `value_up.<j>` (v, kv_rank).
class LatentProjection {
 public:
  struct Config {
    index_t hidden_size = 0;
    index_t num_attention_heads = 0;
    index_t q_rank = 0;  // 0: q is made of x itself
    index_t kv_rank = 0;
    index_t nope_dim = 0;
    index_t rope_dim = 0;
    index_t value_dim = 0;
    bool bias = false;  // of q_down and kv_down
    float norm_eps = 1e-6f;
    float q_scale = 1.0f, kv_scale = 1.0f;  // of the latents behind their norms (arXiv:2509.01322)
    RotaryConfig rotary{};                  // dims 0: r and q'' are not rotated
  };

  LatentProjection(const Config& c, const Build& b);
  index_t heads() const noexcept { return config_.num_attention_heads; }
  kernels::KvLayout layout() const noexcept { return {1, config_.kv_rank + config_.rope_dim, config_.kv_rank}; }
  void project(In in, Qkv& o) const;
  /// (t, h kv_rank) to (t, h v).
  View emit(In in, const Qkv& qkv, View heads) const;
  index_t emitted() const noexcept { return config_.num_attention_heads * config_.value_dim; }

 private:
  // x (t, h a) to y (t, h b), head j by layers[j]; heads' rows begin x_step and y_step apart.
  void each_head(const std::vector<Linear>& layers, ConstView x, index_t x_step, View y, index_t y_step, const Frame& f) const;

  Config config_;
  std::optional<Linear> q_down_;
  Linear q_, kv_down_;
  std::optional<RmsNorm> q_norm_;
  RmsNorm kv_norm_;
  std::vector<Linear> key_up_, value_up_;
  Slot angles_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/attention/latent.inl.hpp"
#endif
