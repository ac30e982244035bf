#pragma once
// mLSTM: a matrix memory with exponential input gates, as xLSTM-7B has it.                     arXiv:2405.04517, 2503.13427

#include <string_view>
#include <vector>

#include "headwise/flow/recurrent_state.hpp"
#include "headwise/layers/linear.hpp"

namespace hw {

/// By head, with i_t, f_t = cap tanh((Wi x, Wf x) / cap) and q scaled by 1 / sqrt(k):
///   m_t = max(log sigmoid(f_t) + m_{t-1}, i_t),  F = e^{log sigmoid(f_t) + m_{t-1} - m_t},  I = e^{i_t - m_t},  m_{-1} = 0
///   C_t = F C_{t-1} + I k_t^T v_t,  n_t = F n_{t-1} + I k_t
///   o_t = q_t C_t / (max(|q_t n_t|, e^{-m_t}) + eps)
///   delta_t = Wo (sigmoid(Wg x_t) * norm(o_t)), a LayerNorm of each head without a bias
/// Weights: `q`, `k` (h qk, d), `v`, `gate` (h hv, d), `input`, `forget` (h, d) with biases, `head_norm.weight` (h hv), `o` (d, h hv).
/// State: for each head C (qk, hv), n (qk), m.
class Mlstm {
 public:
  static constexpr Couples couples = Couples::past;
  static constexpr std::string_view kName = "mlstm";
  using State = RecurrentState;
  struct Config {
    index_t hidden_size = 0;
    index_t heads = 0;
    index_t qk_head_dim = 0;
    index_t v_head_dim = 0;
    float gate_soft_cap = 15.0f;
    float eps = 1e-6f;
    float norm_eps = 1e-6f;
  };
  Mlstm(const Config& c, const Build& b);
  State make_state() const { return State(config_.heads * head_width()); }
  void forward(In in, View delta, const States<State>& states) const;

 private:
  index_t head_width() const noexcept { return config_.qk_head_dim * (config_.v_head_dim + 1) + 1; }
  void scan(const RecurrentState::Move& move, ConstView qkvg, ConstView gates, RowRange rows, index_t head, View out) const noexcept;

  Config config_;
  Linear in_, gates_, output_;
  std::vector<float> norm_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/xlstm/mlstm.inl.hpp"
#endif
