#pragma once
// From a sequence's rows to one vector.

#include <string_view>

#include "headwise/core/error.hpp"
#include "headwise/core/view.hpp"

namespace hw {

/// first: the first row (CLS). last: the last row. mean, max: over all rows. mean_sqrt: sum / sqrt(count).
/// weighted_mean: row i (from 1) weighs i.
enum class Pooling : std::uint8_t { none, first, last, mean, max, mean_sqrt, weighted_mean };

/// out[j] = pool over rows of x[:, j]. Pre: x has at least one row, pooling is not none.
void pool(Pooling pooling, ConstView x, std::span<float> out) noexcept;

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/layers/pooling.inl.hpp"
#endif
