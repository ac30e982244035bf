#pragma once
// What the elementwise kernels compute: the formulas, one plain loop each, in double. Read this first.

#include <cmath>
#include <limits>

#include "headwise/kernels/elementwise.hpp"

namespace hw::kernels::ref {

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

inline double softplus(double x) { return x > 30 ? x : std::log1p(std::exp(x)); }

inline double activation(Activation act, double x) {
  switch (act) {
    case Activation::identity: return x;
    case Activation::relu: return x < 0 ? 0 : x;
    case Activation::relu2: return x < 0 ? 0 : x * x;
    case Activation::gelu: return x * 0.5 * std::erfc(-x * std::sqrt(0.5));
    // 1 + tanh u = 2 sigmoid(2 u), which does not cancel for negative u
    case Activation::gelu_tanh: return x * sigmoid(2 * std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x));
    case Activation::gelu_quick: return x * sigmoid(1.702 * x);
    case Activation::silu: return x * sigmoid(x);
    case Activation::sigmoid: return sigmoid(x);
    case Activation::tanh: return std::tanh(x);
    case Activation::softplus: return softplus(x);
    case Activation::mish: return x * std::tanh(softplus(x));
    case Activation::elu: return x > 0 ? x : std::expm1(x);
  }
  return x;
}

// Every function below handles one row of d elements.

inline void rms_norm(const float* x, index_t d, const float* weight, double eps, double* y) {
  double sum = 0;
  for (index_t j = 0; j < d; ++j) sum += double(x[j]) * x[j];
  const double root = std::sqrt(sum / double(d) + eps);
  for (index_t j = 0; j < d; ++j) y[j] = x[j] / root * (weight ? weight[j] : 1.0);
}

inline void layer_norm(const float* x, index_t d, const float* weight, const float* bias, double eps, double* y) {
  double mean = 0, variance = 0;
  for (index_t j = 0; j < d; ++j) mean += x[j] / double(d);
  for (index_t j = 0; j < d; ++j) variance += (x[j] - mean) * (x[j] - mean) / double(d);
  for (index_t j = 0; j < d; ++j) y[j] = (x[j] - mean) / std::sqrt(variance + eps) * (weight ? weight[j] : 1.0) + (bias ? bias[j] : 0.0);
}

inline void l2_normalise(const float* x, index_t d, double eps, double* y) {
  double sum = 0;
  for (index_t j = 0; j < d; ++j) sum += double(x[j]) * x[j];
  for (index_t j = 0; j < d; ++j) y[j] = x[j] / std::fmax(std::sqrt(sum), eps);
}

inline double max_of(const float* x, index_t d) {
  double m = -std::numeric_limits<double>::infinity();
  for (index_t j = 0; j < d; ++j) m = x[j] > m ? x[j] : m;
  return m;
}

inline void softmax(const float* x, index_t d, double* y) {
  const double m = max_of(x, d);
  double sum = 0;
  for (index_t j = 0; j < d; ++j) sum += y[j] = std::exp(x[j] - m);
  for (index_t j = 0; j < d; ++j) y[j] /= sum;
}

inline double log_sum_exp(const float* x, index_t d) {
  const double m = max_of(x, d);
  double sum = 0;
  for (index_t j = 0; j < d; ++j) sum += std::exp(std::isinf(m) ? x[j] : x[j] - m);
  return std::log(sum) + (std::isinf(m) ? 0 : m);
}

inline double soft_cap(double x, double c) { return c * std::tanh(x / c); }

/// Rotates the first 2 n coordinates of one head.
inline void rope(double* head, const float* cos, const float* sin, index_t n, RopePairs pairs) {
  for (index_t i = 0; i < n; ++i) {
    double& p = head[pairs == RopePairs::halves ? i : 2 * i];
    double& q = head[pairs == RopePairs::halves ? i + n : 2 * i + 1];
    const double a = p * cos[i] - q * sin[i], b = q * cos[i] + p * sin[i];
    p = a;
    q = b;
  }
}

}  // namespace hw::kernels::ref
