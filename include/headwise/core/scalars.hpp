#pragma once
// Scalar functions that gates and routers are made of.

#include <algorithm>
#include <cmath>

namespace hw {

inline float sigmoid(float x) noexcept { return 1.0f / (1.0f + std::exp(-x)); }

/// log(1 + e^x); -softplus(-x) is log sigmoid(x).
inline float softplus(float x) noexcept { return std::max(x, 0.0f) + std::log1p(std::exp(-std::abs(x))); }

}  // namespace hw
