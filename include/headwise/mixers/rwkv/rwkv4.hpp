#pragma once
// RWKV-4: a decaying average of values in the place of attention, and a feed-forward layer that sees the token before.
// arXiv:2305.13048

#include <string_view>
#include <vector>

#include "headwise/flow/recurrent_state.hpp"
#include "headwise/layers/linear.hpp"

namespace hw {

/// y_t = mu * x_t + (1 - mu) * x_{t-1}, x_{-1} = 0, for several mu.
/// Weights: each of `names` (d), in the part's own scope.
class TokenShift {
 public:
  TokenShift(index_t width, std::initializer_list<std::string_view> names, const Build& b);

  /// Rows of one sequence, by the i-th mu. `before`: the row before the first one (width).
  void forward(std::size_t i, ConstView x, RowRange rows, const float* before, View y) const noexcept;

 private:
  std::vector<std::vector<float>> mu_;
};

/// r, k, v = Wr shift_r(x), Wk shift_k(x), Wv shift_v(x), and by channel, with w = -exp(decay) and u = first:
///   o_t = (sum_{i<t} e^{(t-1-i) w + k_i} v_i + e^{u + k_t} v_t) / (the same sum without v)
///   delta_t = Wo (sigmoid(r_t) * o_t)
/// Sums are kept divided by their largest power of e.
/// Weights: `receptance`, `key`, `value` (a, d), `output` (d, a), `decay`, `first` (a), `mix_receptance`, `mix_key`, `mix_value` (d).
/// State: the last row (d), the two sums and their exponent (3 a).
class RwkvTimeMix {
 public:
  static constexpr Couples couples = Couples::past;
  static constexpr std::string_view kName = "time_mix";
  using State = RecurrentState;
  struct Config {
    index_t hidden_size = 0;
    index_t attention_hidden_size = 0;
  };
  RwkvTimeMix(const Config& c, const Build& b);
  State make_state() const { return State(config_.hidden_size + 3 * config_.attention_hidden_size); }
  void forward(In in, View delta, const States<State>& states) const;

 private:
  void scan(const RecurrentState::Move& sums, View key, ConstView value, RowRange rows, index_t begin, index_t end) const noexcept;

  Config config_;
  TokenShift shift_;
  Linear receptance_, key_, value_, output_;
  std::vector<float> decay_, first_;
};

/// delta_t = sigmoid(Wr shift_r(x)) * Wv relu(Wk shift_k(x))^2
/// Weights: `key` (f, d), `receptance` (d, d), `value` (d, f), `mix_key`, `mix_receptance` (d).  State: the last row (d).
class RwkvChannelMix {
 public:
  static constexpr Couples couples = Couples::past;
  static constexpr std::string_view kName = "channel_mix";
  using State = RecurrentState;
  struct Config {
    index_t hidden_size = 0;
    index_t intermediate_size = 0;
  };
  RwkvChannelMix(const Config& c, const Build& b);
  State make_state() const { return State(config_.hidden_size); }
  void forward(In in, View delta, const States<State>& states) const;

 private:
  Config config_;
  TokenShift shift_;
  Linear key_, receptance_, value_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/rwkv/rwkv4.inl.hpp"
#endif
