#pragma once
// A learned bias of the scores by distance, in buckets.

#include <vector>

#include "headwise/core/arena.hpp"
#include "headwise/flow/build.hpp"

namespace hw {

/// b_head(e, i) = B[bucket(e - i), head]                                                                    T5, arXiv:1910.10683
///
/// With both directions half of the buckets are for e > i; with the past only, e > i counts as 0. Of a direction's n buckets the first
/// n / 2 are one distance each; the others grow with the logarithm up to max_distance, and the last one has all that is farther.
/// Weights: `weight` (num_buckets, heads). Layers that share a table name the same tensor.
class RelativeBias {
 public:
  struct Config {
    index_t num_buckets = 0;  // 0: no bias
    index_t max_distance = 128;
    bool bidirectional = true;
  };
  /// The bias of every head and distance: values[head (2 reach + 1) + reach + e - i].
  struct Table {
    const float* values = nullptr;
    index_t reach = 0;
  };

  /// Errors: fewer buckets than two a direction, a max_distance that is no larger than the exact buckets.
  RelativeBias(const Config& c, index_t heads, const Build& b);

  /// For the longest sequence of a step.
  Table table(const TokenSet& tokens, Arena& arena) const;
  /// The bucket of distance e - i.
  static index_t bucket(const Config& c, index_t distance) noexcept;

 private:
  Config config_;
  index_t heads_;
  std::vector<float> weight_;  // (buckets, heads)
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/attention/relative_bias.inl.hpp"
#endif
