#pragma once
// What the matrix kernels must give, in plain double loops over the file's bytes.

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "headwise/core/dtype.hpp"
#include "headwise/core/half.hpp"
#include "headwise/kernels/ref/dequantise.hpp"

namespace hw::ref {

/// x as int8 activations stand for it: per 32 values, scale = max |x| / 127 and x = scale * nearest_even(x / scale). A block with a value
/// that is not finite is NaN.
inline std::vector<double> quantised_values(std::span<const float> x) {
  std::vector<double> out(x.size());
  for (std::size_t b = 0; b < x.size(); b += 32) {
    float most = 0;
    bool finite = true;
    for (std::size_t i = b; i < b + 32; ++i) {
      most = std::fmax(most, std::fabs(x[i]));
      finite = finite && std::isfinite(x[i]);
    }
    const float scale = most / 127.0f;
    const float inverse = most < 0x1p-100f ? 0.0f : 127.0f / most;
    for (std::size_t i = b; i < b + 32; ++i)
      out[i] = finite ? static_cast<double>(scale) * std::nearbyint(x[i] * inverse) : std::nan("");
  }
  return out;
}

/// One output and the sum of the magnitudes of its terms, to scale an error by.
struct Product {
  double value = 0, magnitude = 0;
};

/// sum over k of x[k] w[k] + bias, where w is a row of the file and x is quantised first if w is, or rounded to bf16.
inline Product matmul_element(DType weights, const std::byte* row, std::span<const float> x, double bias = 0,
                              bool bf16_activations = false) {
  std::vector<float> w(x.size());
  dequantise_row(weights, row, static_cast<index_t>(x.size()), w.data());
  std::vector<double> values(x.begin(), x.end());
  if (is_quantised(weights)) values = quantised_values(x);
  if (bf16_activations)
    for (double& v : values) v = to_float(to_bf16(static_cast<float>(v)));
  Product out{bias, std::fabs(bias)};
  for (std::size_t k = 0; k < x.size(); ++k) {
    out.value += values[k] * static_cast<double>(w[k]);
    out.magnitude += std::fabs(values[k] * static_cast<double>(w[k]));
  }
  return out;
}

}  // namespace hw::ref
