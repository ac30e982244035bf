#pragma once
// Recurrences and causal convolutions as plain loops: what the kernels are held to.

#include <cmath>
#include <vector>

#include "headwise/kernels/scan.hpp"

namespace hw::kernels::ref {

/// kernels::Scan in double.
inline void scan(const Scan& s) {
  std::vector<double> state(static_cast<std::size_t>(s.keys));
  for (index_t c = 0; c < s.values; ++c) {
    for (index_t i = 0; i < s.keys; ++i) state[static_cast<std::size_t>(i)] = static_cast<double>(s.from[i * s.state_stride + c]);
    for (index_t t = 0; t < s.tokens; ++t) {
      const float *q = s.q + t * s.q_stride, *k = s.k + t * s.k_stride, *d = s.decay + t * s.decay_stride;
      double answer = 0, out = 0, v = static_cast<double>(s.v[t * s.v_stride + c]);
      for (index_t i = 0; i < s.keys; ++i) {
        double& x = state[static_cast<std::size_t>(i)];
        switch (s.kind) {
          case Decay::none: break;
          case Decay::token: x *= static_cast<double>(d[0]); break;
          case Decay::key: x *= static_cast<double>(d[i]); break;
          case Decay::value: x *= static_cast<double>(d[c]); break;
          case Decay::cell: x *= std::exp(static_cast<double>(d[c]) * static_cast<double>(s.rates[i * s.state_stride + c])); break;
        }
        answer += static_cast<double>(k[i]) * x;
      }
      if (s.beta != nullptr) v = static_cast<double>(s.beta[t * s.beta_stride]) * (v - answer);
      for (index_t i = 0; i < s.keys; ++i) {
        double& x = state[static_cast<std::size_t>(i)];
        x += static_cast<double>(k[i]) * v;
        out += static_cast<double>(q[i]) * x;
      }
      s.out[t * s.out_stride + c] = static_cast<float>(out);
    }
    for (index_t i = 0; i < s.keys; ++i) s.to[i * s.state_stride + c] = static_cast<float>(state[static_cast<std::size_t>(i)]);
  }
}

/// kernels::CausalConvolution in double.
inline void convolve(const CausalConvolution& c) {
  for (index_t t = c.first; t < c.last; ++t)
    for (index_t i = 0; i < c.channels; ++i) {
      double sum = c.bias == nullptr ? 0.0 : static_cast<double>(c.bias[i]);
      for (index_t j = 0; j < c.taps; ++j) {
        const index_t row = t + j - (c.taps - 1);
        const float x = row < 0 ? c.tail[(row + c.taps - 1) * c.channels + i] : c.x[row * c.x_stride + i];
        sum += static_cast<double>(c.weight[j * c.channels + i]) * static_cast<double>(x);
      }
      c.y[t * c.y_stride + i] = static_cast<float>(sum);
    }
}

}  // namespace hw::kernels::ref
