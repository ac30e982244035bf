#pragma once
// The first stage of attention: queries, and what one entry caches.

#include <optional>

#include "headwise/layers/linear.hpp"
#include "headwise/layers/norms.hpp"
#include "headwise/mixers/attention/rotary.hpp"

namespace hw {

/// Shapes: q (t, h k), k (t, g k), v (t, g v).
struct Qkv {
  View q, k, v;
  View query_terms{}, key_terms{};  // what a projection's own `adjust` reads of a query's row and of a key's row
};

/// Where a tile of scores lies in the frame: query row i is row `queries` + tile.row[i].token, key j is row `keys` + tile.entry + j, below
/// `end`. Entries of earlier steps have no row: only attention without states has all.
struct ScoreSite {
  const Frame& frame;
  const Qkv& qkv;
  index_t queries;
  index_t keys;
  index_t end;
};

/// What attention asks of a projection: its head counts and sizes, and the rows. It may also have
///   a `State` of its own beside the keys and values (a convolution, a running sum): then project takes its States as well;
///   `adjust(const ScoreSite&, const kernels::ScoreTile&) const noexcept`, which adds to the scaled scores (a mask may, too);
///   `emitted()` and `emit(In, const Qkv&, View heads) const -> View`: what Wo gets in place of the heads' outputs (t, h v), and its width:
///   gates, norms and differences of heads.
template <class P>
concept Project = requires(const P p) {
  { p.heads() } -> std::convertible_to<index_t>;
  { p.layout() } -> std::convertible_to<kernels::KvLayout>;
} && (requires(const P p, In in, Qkv& o) { p.project(in, o); } ||
      requires(const P p, In in, Qkv& o, const States<state_of<P>>& states) { p.project(in, o, states); });

namespace detail {
struct HeadCounts {
  index_t hidden_size, num_attention_heads, num_key_value_heads, head_dim;
};
// Checked here, below both front doors, so that user code gets the errors that a file gets.
void check_heads(const HeadCounts& c, std::string_view where);
}  // namespace detail

/// q = rope(clip(norm(Wq x + bq))), k = rope(clip(norm(Wk x + bk))), v = clip(Wv x + bv)
///
/// Weights: `q` (h k, d), `k` and `v` (g k, d), biases and norms (`q_norm`, `k_norm`) where the config says so. A norm is over each head
/// where its size is head_dim (arXiv:2010.04245), over all heads together where it is their number times head_dim.
class QkvProjection {
 public:
  struct Config {
    index_t hidden_size = 0;
    index_t num_attention_heads = 0;
    index_t num_key_value_heads = 0;
    index_t head_dim = 0;
    bool bias = false;
    bool key_bias = true;                  // k too, where there are biases
    AnyNormConfig q_norm{}, k_norm{};      // before the rotation
    float clip = 0.0f;                     // clip_qkv: into [-clip, clip]; 0: no limit
    std::optional<RotaryConfig> rotary{};  // absent: no rotation
    bool rotate_values = false;            // v as well
    // Queries of entry i are multiplied by 1 + temperature_scale ln(1 + floor((i + 1) / temperature_floor)); 0: by nothing.
    float temperature_scale = 0.0f;
    index_t temperature_floor = 0;
  };

  QkvProjection(const Config& c, const Build& b);
  index_t heads() const noexcept { return config_.num_attention_heads; }
  kernels::KvLayout layout() const noexcept { return {config_.num_key_value_heads, config_.head_dim, config_.head_dim}; }
  void project(In in, Qkv& o) const;

 private:
  Config config_;
  Linear qkv_;
  AnyNorm q_norm_, k_norm_;
  Slot angles_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/attention/project.inl.hpp"
#endif
