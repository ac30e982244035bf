#pragma once
// Row-wise kernels: one function a target, reached through `Table::elementwise`.

#include "headwise/core/config.hpp"

namespace hw::kernels {

struct ElementwiseKernels {
  /// y[i] = a[i] + b[i], i < n. y may be a or b.
  void (*add)(const float* a, const float* b, float* y, index_t n);
};

}  // namespace hw::kernels
