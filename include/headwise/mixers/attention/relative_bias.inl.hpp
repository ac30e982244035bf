#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/mixers/attention/relative_bias.hpp"

namespace hw {

HEADWISE_LOAD_TIME RelativeBias::RelativeBias(const Config& c, index_t heads, const Build& b) : config_(c), heads_(heads) {
  const index_t exact = (c.bidirectional ? c.num_buckets / 2 : c.num_buckets) / 2;
  if (exact < 1) fail(b.path("weight"), "at least two buckets a direction", std::to_string(c.num_buckets));
  if (c.max_distance <= exact) fail(b.path("weight"), concat("a max_distance above ", exact), std::to_string(c.max_distance));
  const MatrixSource source = b.matrix("weight", c.num_buckets, heads);
  weight_.resize(static_cast<std::size_t>(c.num_buckets * heads));
  for (index_t i = 0; i < c.num_buckets; ++i) source.read_row(i, weight_.data() + i * heads);
}

HEADWISE_INLINE index_t RelativeBias::bucket(const Config& c, index_t distance) noexcept {
  const index_t n = c.bidirectional ? c.num_buckets / 2 : c.num_buckets, exact = n / 2;
  const index_t first = c.bidirectional && distance > 0 ? n : 0;
  const index_t far = c.bidirectional ? std::abs(distance) : std::max<index_t>(-distance, 0);
  if (far < exact) return first + far;
  // In float, as the published models were trained: a distance at a boundary falls where it fell then.
  const float share = std::log(static_cast<float>(far) / static_cast<float>(exact)) /
                      static_cast<float>(std::log(static_cast<double>(c.max_distance) / static_cast<double>(exact)));
  return first + std::min(n - 1, exact + static_cast<index_t>(share * static_cast<float>(n - exact)));
}

HEADWISE_INLINE RelativeBias::Table RelativeBias::table(const TokenSet& tokens, Arena& arena) const {
  index_t longest = 1;
  for (const index_t total : tokens.total) longest = std::max(longest, total);
  const index_t reach = longest - 1, width = 2 * reach + 1;
  const auto values = arena.take<float>(heads_ * width);
  for (index_t distance = -reach; distance <= reach; ++distance) {
    const float* row = weight_.data() + bucket(config_, distance) * heads_;
    for (index_t h = 0; h < heads_; ++h) values[static_cast<std::size_t>(h * width + reach + distance)] = row[h];
  }
  return {values.data(), reach};
}

}  // namespace hw
