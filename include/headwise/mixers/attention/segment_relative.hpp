#pragma once
// Scores by sinusoids of the distance, and by being of the same segment.

#include <vector>

#include "headwise/mixers/attention/project.hpp"

namespace hw {

/// s_ie = scale ((q_i + u) . k_e + (q_i + w) . R_{i-e} + (q_i + z) . S_{seg_i != seg_e})
///                                                                     Transformer-XL, arXiv:1901.02860; XLNet, arXiv:1906.08237
/// R_n = W_r [sin(n f), cos(n f)], f_j = 10000^(-2j / d); S: two vectors a head, for the same segment (TokenSet::mark) and another.
///
/// Weights: `q`, `k`, `v`, `r` (h k, d) without biases; `content_bias` u, `position_bias` w, `segment_bias` z (h k), `segments` (2, h k).
/// Only for attention without states.
class SegmentRelativeProjection {
 public:
  struct Config {
    index_t hidden_size = 0;
    index_t num_attention_heads = 0;
    index_t head_dim = 0;
    float scale = 1.0f;  // of the attention that it belongs to
  };
  SegmentRelativeProjection(const Config& c, const Build& b);
  index_t heads() const noexcept { return config_.num_attention_heads; }
  kernels::KvLayout layout() const noexcept { return {heads(), config_.head_dim, config_.head_dim}; }
  void project(In in, Qkv& o) const;
  void adjust(const ScoreSite& at, const kernels::ScoreTile& tile) const noexcept;

 private:
  Config config_;
  Linear qkv_, positions_;
  std::vector<float> content_, to_position_, to_segment_;  // u; w - u and z - u, since q carries u
  std::vector<float> segments_;                            // (2, h k)
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/attention/segment_relative.inl.hpp"
#endif
