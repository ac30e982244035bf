#pragma once
// A short convolution of each channel along the sequence.

#include <string_view>
#include <vector>

#include "headwise/flow/build.hpp"
#include "headwise/flow/concepts.hpp"
#include "headwise/flow/recurrent_state.hpp"
#include "headwise/kernels/activation.hpp"

namespace hw {

/// y_t[c] = act(b[c] + sum_j w[c][j] x_{t + j - (kernel_size - 1)}[c]), rows before the sequence being 0.
/// The state keeps the last kernel_size - 1 rows of x. Weights: `weight` (channels, kernel_size), `bias` (channels) if Config::bias.
class CausalConv {
 public:
  using State = RecurrentState;
  static constexpr Couples couples = Couples::past;
  struct Config {
    index_t channels = 0;
    index_t kernel_size = 4;
    bool bias = true;
    Activation activation = Activation::identity;
  };

  /// Error: a kernel without taps.
  CausalConv(const Config& c, const Build& b);
  State make_state() const { return State((config_.kernel_size - 1) * config_.channels); }
  /// Shapes: x (t, channels), y (t, channels), not aliased.
  void forward(ConstView x, View y, const Frame& f, const States<State>& states) const;

 private:
  Config config_;
  std::vector<float> weight_, bias_;  // weight: (taps, channels)
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/causal_conv.inl.hpp"
#endif
