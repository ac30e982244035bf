#pragma once
// Convolutions that make rows of a signal in time.

#include <vector>

#include "headwise/kernels/activation.hpp"
#include "headwise/layers/linear.hpp"

namespace hw {

/// For each stage  x_t <- norm(act(sum_j W_j x_{stride t + j - padding} + b)),  rows outside of the signal being 0;  then scale x
///
/// The rows of the signal are frames of features, or samples (one column).
/// Weights: `convs.<i>.weight` (channels, in kernel_size), the kernel's index inside; `convs.<i>.bias`; `convs.<i>.norm.weight` and `.bias`
/// (channels). Gated stages have the rows of twice as many channels.
class ConvFront {
 public:
  struct Stage {
    index_t channels = 0;  // that it makes
    index_t kernel_size = 1;
    index_t stride = 1;
    index_t padding = 0;  // zeros on either side
    bool bias = true;
    bool gated = false;  // the first half of the channels times the sigmoid of the second           GLU, arXiv:1612.08083
    Activation activation = Activation::identity;
    float norm_eps = 0.0f;  // above 0: a norm over all rows and channels together      GroupNorm of one group, arXiv:1803.08494
  };
  struct Config {
    index_t signal_size = 0;
    std::vector<Stage> stages{};
    float scale = 1.0f;
  };

  /// Errors: no stages, sizes that are not positive.
  ConvFront(const Config& c, const Build& b);

  index_t signal_size() const noexcept { return config_.signal_size; }
  index_t width() const noexcept { return config_.stages.back().channels; }
  index_t rows(index_t n) const noexcept;
  /// Shapes: signal (n, signal_size), rows (rows(n), width).
  void forward(ConstView signal, View rows, const Frame& f) const;

 private:
  struct Conv {
    Linear map;
    std::vector<float> weight, bias;  // of the norm
  };
  Config config_;
  std::vector<Conv> convs_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/conv_front.inl.hpp"
#endif
