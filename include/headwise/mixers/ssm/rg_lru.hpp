#pragma once
// Griffin's recurrence.

#include <string_view>
#include <vector>

#include "headwise/layers/linear.hpp"
#include "headwise/mixers/causal_conv.hpp"

namespace hw {

/// u = conv(Wx x);  r = sigmoid(Wr u + br), i = sigmoid(Wi u + bi) head by head;  log a = -8 softplus(L) r;
/// h = a h + sqrt(1 - a^2) i u (without the root for the first token);  delta = Wo (h act(Wy x))          RG-LRU, arXiv:2402.19427
/// Weights: `x`, `y` (width, d) and `o` (d, width) with biases, `conv`, for each head j `r.<j>`, `i.<j>` (width / heads square, with
/// biases), `lambda` (width).
class RgLru {
 public:
  using State = AllOf<RecurrentState, RecurrentState>;  // the convolution's rows, h
  static constexpr Couples couples = Couples::past;
  static constexpr std::string_view kName = "recurrent";
  struct Config {
    index_t hidden_size = 0;
    index_t width = 0;
    index_t heads = 0;
    index_t kernel_size = 4;
    Activation activation = Activation::gelu_tanh;
  };

  /// Error: heads that do not divide the width.
  RgLru(const Config& c, const Build& b);
  State make_state() const { return State(conv_.make_state(), RecurrentState(config_.width)); }
  void forward(In in, View delta, const States<State>& states) const;

 private:
  Config config_;
  Linear in_;  // x, y
  CausalConv conv_;
  std::vector<Linear> gates_;  // r_j and i_j in turn
  std::vector<float> rate_;
  Linear out_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/ssm/rg_lru.inl.hpp"
#endif
