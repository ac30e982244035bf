#pragma once
// A gated short convolution as a mixer.

#include <string_view>

#include "headwise/layers/linear.hpp"
#include "headwise/mixers/causal_conv.hpp"

namespace hw {

/// [b, c, u] = Win x;  delta = Wout (c conv(b u))                                                              LFM2, arXiv:2511.23404
/// Weights: `in` (3 d, d), `conv` (d, kernel_size), `out` (d, d), with biases where the config says so.
class GatedConv {
 public:
  using State = RecurrentState;
  static constexpr Couples couples = Couples::past;
  static constexpr std::string_view kName = "conv";
  struct Config {
    index_t hidden_size = 0;
    index_t kernel_size = 3;
    bool bias = false;  // of all three
  };

  GatedConv(const Config& c, const Build& b);
  State make_state() const { return conv_.make_state(); }
  void forward(In in, View delta, const States<State>& states) const;

 private:
  index_t size_;
  Linear in_;
  CausalConv conv_;
  Linear out_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/gated_conv.inl.hpp"
#endif
