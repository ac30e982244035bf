#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/layers/pooling.hpp"

namespace hw {

HEADWISE_INLINE void pool(Pooling pooling, ConstView x, std::span<float> out) noexcept {
  const auto cols = static_cast<index_t>(out.size());
  if (pooling == Pooling::none || pooling == Pooling::first || pooling == Pooling::last) {
    std::copy_n(x.row(pooling == Pooling::last ? x.rows - 1 : 0), cols, out.data());
    return;
  }
  for (index_t j = 0; j < cols; ++j) {
    double sum = 0, weight = 0;
    float most = x(0, j);
    for (index_t i = 0; i < x.rows; ++i) {
      const double w = pooling == Pooling::weighted_mean ? static_cast<double>(i + 1) : 1.0;
      sum += w * static_cast<double>(x(i, j));
      weight += w;
      most = std::max(most, x(i, j));
    }
    if (pooling == Pooling::mean_sqrt) weight = std::sqrt(weight);
    out[static_cast<std::size_t>(j)] = pooling == Pooling::max ? most : static_cast<float>(sum / weight);
  }
}

}  // namespace hw
