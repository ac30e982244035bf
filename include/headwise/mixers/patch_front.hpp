#pragma once
// The rows of an image.

#include <vector>

#include "headwise/layers/linear.hpp"

namespace hw {

/// rows = [C; W patch_0 + b; W patch_1 + b; ...] + P,  patches line by line                                        ViT, arXiv:2010.11929
///
/// The signal of an image of c channels is (c height, width): the lines of the first channel, then those of the next.
/// Weights: `patches.weight` (d, c p p) and `patches.bias`; `prefix` (prefix_rows d), learned rows before the patches; `positions` (a row
/// for each).
class PatchFront {
 public:
  struct Config {
    index_t channels = 3;
    index_t height = 0;
    index_t width = 0;
    index_t patch_size = 0;
    index_t hidden_size = 0;
    index_t prefix_rows = 1;

    index_t patches() const noexcept { return (height / patch_size) * (width / patch_size); }
  };

  /// Errors: sizes that are not positive, patches that do not fill the image.
  PatchFront(const Config& c, const Build& b);

  index_t signal_size() const noexcept { return config_.width; }
  index_t width() const noexcept { return config_.hidden_size; }
  /// Errors: an image of another height.
  index_t rows(index_t n) const;
  void forward(ConstView signal, View rows, const Frame& f) const;

 private:
  Config config_;
  Linear patches_;
  std::vector<float> prefix_, positions_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/patch_front.inl.hpp"
#endif
