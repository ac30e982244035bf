#pragma once
// Compressed convolutional attention: queries and keys that short convolutions mix with those of earlier tokens.

#include <vector>

#include "headwise/flow/recurrent_state.hpp"
#include "headwise/mixers/attention/project.hpp"

namespace hw {

/// u = [Wq x, Wk x];  c = conv2(conv1(u));  m_h = (u_h + u_g(h)) / 2 for query head h and its key head g(h);
/// q_h = rope(n(c_h + m_h)),  k_g = rope(n(c_g + mean of g's m) t_g),  n(z) = sqrt(k) z / |z|;  v = [Wv x_t, Wd x_{t-1}]
///                                                                                                          CCA, arXiv:2510.04476
/// conv1 is depthwise, conv2 mixes the channels of a head; both are causal and have biases; u and x are 0 before the sequence (conv1(u) is
/// its bias there). The columns of v are Wv's, then Wd's, and only then heads.
/// Weights: `q` (h k, d), `k` (g k, d), `v`, `v_delayed` (g k / 2, d); `depthwise.weight` (h k + g k, taps), `grouped.weight` (h k + g k,
/// k taps): inputs, then taps; their `bias`; `key_scale` t (g). State: the last rows of u, the last of Wd x.
class ConvolvedProjection {
 public:
  using State = RecurrentState;
  struct Config {
    index_t hidden_size = 0;
    index_t num_attention_heads = 0;
    index_t num_key_value_heads = 0;
    index_t head_dim = 0;
    index_t depthwise_taps = 2;
    index_t grouped_taps = 2;
    RotaryConfig rotary{};
  };
  /// Errors: head counts that do not divide; an odd number of value columns; no taps, or more than 64.
  ConvolvedProjection(const Config& c, const Build& b);
  index_t heads() const noexcept { return config_.num_attention_heads; }
  kernels::KvLayout layout() const noexcept { return {config_.num_key_value_heads, config_.head_dim, config_.head_dim}; }
  State make_state() const { return State(kept() * mixed() + half()); }
  void project(In in, Qkv& o, const States<State>& states) const;

 private:
  index_t mixed() const noexcept { return (config_.num_attention_heads + config_.num_key_value_heads) * config_.head_dim; }
  index_t half() const noexcept { return config_.num_key_value_heads * config_.head_dim / 2; }
  index_t kept() const noexcept { return config_.depthwise_taps + config_.grouped_taps - 2; }
  // conv2(conv1(u)) of one token, whose rows of u, the kept ones first, begin at u. `scratch`: a row.
  void convolve(const float* u, index_t stride, float* scratch, float* out) const noexcept;

  Config config_;
  Linear in_;                                                               // q, k, v, v_delayed
  std::vector<float> depthwise_, depthwise_bias_, grouped_, grouped_bias_;  // (taps, channels); (taps, inputs of a head, channels)
  std::vector<float> key_scale_;
  Slot angles_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/attention/convolved_projection.inl.hpp"
#endif
