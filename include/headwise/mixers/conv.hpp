#pragma once
// Convolution along the tokens.

#include <string_view>

#include "headwise/kernels/activation.hpp"
#include "headwise/layers/linear.hpp"

namespace hw {

/// delta_t = act(sum_j W_j x_{t + j - kernel_size / 2} + b), rows outside of the sequence being 0.
/// Weights: `weight` (d, d kernel_size), the kernel's index inside, and `bias` (d).
class Conv {
 public:
  static constexpr Couples couples = Couples::sequence;
  static constexpr std::string_view kName = "conv";
  struct Config {
    index_t hidden_size = 0;
    index_t kernel_size = 3;  // odd
    Activation activation = Activation::identity;
  };
  Conv(const Config& c, const Build& b);
  void forward(In in, View delta) const;

 private:
  Config config_;
  Linear map_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/conv.inl.hpp"
#endif
