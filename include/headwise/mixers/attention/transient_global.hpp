#pragma once
// Attention to a neighbourhood and to the sums of all blocks.

#include <string_view>
#include <vector>

#include "headwise/layers/norms.hpp"
#include "headwise/mixers/attention/attention.hpp"

namespace hw {

/// delta_i = Wo concat_j softmax(s_j) v,  over the rows e with |e - i| <= radius and one more for each block of block_size rows:
///   x_g = norm(sum of the block's x_e),  k and v of it by the same Wk and Wv
///   s_je = scale q . k_e + B_j[bucket(e - i)],   s_jg = scale q . k_g + G_j[bucket(g - block of i)]                       LongT5,
///   arXiv:2112.07916
///
/// Rows behind the last whole block belong to it; a sequence shorter than a block has none.
/// Weights: the projection's, `o`, `relative_bias.weight` B and `global_bias.weight` G (num_buckets, h), `global_norm.*`.
class TransientGlobalAttention {
 public:
  static constexpr Couples couples = Couples::sequence;
  static constexpr std::string_view kName = "attention";

  struct Config {
    QkvProjection::Config project{};  // without positions
    index_t radius = 0;
    index_t block_size = 0;
    float scale = 1.0f;
    RelativeBias::Config relative{};
    RmsNorm::Config global_norm{};
  };

  /// Errors: a radius below 0, a block_size below 1, a projection that rotates.
  TransientGlobalAttention(const Config& c, const Build& b);
  void forward(In in, View delta) const;

 private:
  Config config_;
  QkvProjection project_;
  kernels::KvLayout layout_;
  Linear output_;
  RelativeBias relative_, global_;
  RmsNorm global_norm_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/attention/transient_global.inl.hpp"
#endif
