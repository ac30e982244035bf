#pragma once
// Mixing by a Fourier transform, without weights.

#include <string_view>
#include <vector>

#include "headwise/flow/build.hpp"
#include "headwise/flow/concepts.hpp"

namespace hw {

/// delta = Re(F_t X F_d), F_n[j, k] = exp(-2 pi i j k / n): over the rows of a sequence and over the columns.       FNet, arXiv:2105.03824
///
/// With C and S the cosines and sines: delta = C_t (X C_d) - S_t (X S_d). Every row counts: what pads a sequence is a token here.
/// Cost: 4 t d (t + d) flops.
class Fourier {
 public:
  static constexpr Couples couples = Couples::sequence;
  static constexpr std::string_view kName = "fourier";
  struct Config {
    index_t size = 0;
  };
  Fourier(const Config& c, const Build& b);
  void forward(In in, View delta) const;

 private:
  std::vector<float> cos_, sin_;  // (d, d)
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/fourier.inl.hpp"
#endif
