#pragma once
// Mixture of attention heads: experts own the queries and the outputs, keys and values are everybody's.

#include <optional>
#include <vector>

#include "headwise/mixers/attention/attention.hpp"
#include "headwise/moe/experts.hpp"
#include "headwise/moe/router.hpp"

namespace hw {

/// q_i = rope(Wq_e x) for the row's i-th expert e;  k = rope(Wk x),  v = Wv x
/// delta = sum_i w_i Wo_e softmax(q_i k / sqrt(head_dim)) v  + b                        MoA, arXiv:2210.05144; JetMoe, arXiv:2404.07413
///
/// An expert has as many heads as there are of k, each of which meets its own. Experts that no row chose are not touched.
/// Weights: the router's in scope `router`, `k` and `v` (g k, d), for each expert `q.<e>` (g k, d) and `o.<e>` (d, g k), and `bias` (d).
class RoutedAttention {
 public:
  using State = KvState;
  static constexpr Couples couples = Couples::past;
  static constexpr std::string_view kName = "attention";
  struct Config {
    index_t num_key_value_heads = 0;
    index_t head_dim = 0;
    TopKRouter::Config router{};
    std::optional<RotaryConfig> rotary{};  // absent: no rotation
    Causal mask{};
    bool bias = false;
  };

  RoutedAttention(const Config& c, const Build& b);
  State make_state() const { return KvState(layout_); }
  void forward(In in, View delta, const States<State>& states) const;

 private:
  // y of each place by its expert's matrix.
  static void run(const std::vector<Linear>& experts, const detail::Dispatch& d, ConstView x, View y, const Frame& f);
  // Moves heads between the rows of items, (items, g k), and the rows of queries, (t, g, top_k, k).
  template <class Move>
  void each_head(const Plan& plan, const detail::Dispatch& d, Move move) const;
  Qkv project(In in, const Plan& plan, const detail::Dispatch& d) const;

  Config config_;
  kernels::KvLayout layout_;
  TopKRouter router_;
  Linear kv_;
  std::vector<Linear> q_, o_;
  std::vector<float> bias_;
  Slot angles_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/attention/routed_attention.inl.hpp"
#endif
