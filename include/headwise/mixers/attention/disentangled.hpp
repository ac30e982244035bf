#pragma once
// Scores of content and position apart.

#include <optional>
#include <vector>

#include "headwise/layers/embedding.hpp"
#include "headwise/mixers/attention/project.hpp"

namespace hw {

/// s_ie = scale (q_i . k_e + q_i . P_r + k_e . Q_r),  r = bucket(i - e) + span in [0, 2 span)              DeBERTa, arXiv:2006.03654
///
/// P = W_pk R + b_pk and Q = W_pq R + b_pq per head, R the learned (and normed) rows of relative positions: they depend on the weights
/// alone, and are made when the model is built. With `log_buckets` distances from span / 2 on grow with the logarithm up to
/// max_distance.                                                                             DeBERTa v2 and v3, arXiv:2111.09543
///
/// Weights: those of QkvProjection; `relative.weight` (2 span, d), `relative_norm.*` by its config; `pos_key` and `pos_query` (h k, d).
/// Only for attention without states. Memory: 2 span floats a row and head for either term.
class DisentangledProjection {
 public:
  struct Config {
    index_t hidden_size = 0;
    index_t num_attention_heads = 0;
    index_t head_dim = 0;
    bool bias = false;  // of q, k and v
    bool key_bias = true;
    index_t span = 0;  // 0: no relative positions
    bool log_buckets = false;
    index_t max_distance = 0;
    float scale = 1.0f;                                    // of the attention that it belongs to
    bool position_keys = false, position_queries = false;  // which of the two terms there are
    bool pos_key_bias = false, pos_query_bias = false;
    AnyNormConfig norm{};
  };

  DisentangledProjection(const Config& c, const Build& b);
  index_t heads() const noexcept { return content_.heads(); }
  kernels::KvLayout layout() const noexcept { return content_.layout(); }
  void project(In in, Qkv& o) const;
  void adjust(const ScoreSite& at, const kernels::ScoreTile& tile) const noexcept;

  /// r of a distance i - e.
  static index_t position(const Config& c, index_t distance) noexcept;

 private:
  std::vector<Linear> per_head(ConstView relative, const char* name, bool bias, const Build& b) const;
  View multiply(const std::vector<Linear>& heads, View x, const Frame& f) const;

  static constexpr index_t kKnown = 2048;

  Config config_;
  QkvProjection content_;
  std::vector<std::int32_t> known_;     // position of the distances from -kKnown to kKnown
  std::vector<Linear> keys_, queries_;  // of a head: (k) -> (2 span)
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/attention/disentangled.inl.hpp"
#endif
