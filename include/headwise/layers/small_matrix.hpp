#pragma once
// Matrices of a few numbers, as floats: for policies that multiply by hand.

#include <vector>

#include "headwise/flow/build.hpp"

namespace hw {

/// A matrix of the file, row-major, widened to f32.
struct SmallMatrix {
  index_t rows = 0, cols = 0;
  std::vector<float> values{};

  SmallMatrix() = default;
  SmallMatrix(std::string_view name, index_t rows, index_t cols, const Build& b)
      : rows(rows), cols(cols), values(static_cast<std::size_t>(rows * cols)) {
    const MatrixSource m = b.matrix(name, rows, cols);
    for (index_t r = 0; r < rows; ++r) m.read_row(r, values.data() + r * cols);
  }
  const float* row(index_t r) const noexcept { return values.data() + r * cols; }
  float operator()(index_t r, index_t c) const noexcept { return row(r)[c]; }
  /// Row r . x
  float dot(index_t r, const float* x, index_t stride = 1) const noexcept {
    float sum = 0;
    for (index_t c = 0; c < cols; ++c) sum += row(r)[c] * x[c * stride];
    return sum;
  }
};

}  // namespace hw
