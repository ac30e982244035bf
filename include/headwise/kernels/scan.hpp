#pragma once
// Recurrences over matrix states, and the short convolutions that go with them.

#include "headwise/core/config.hpp"
#include "headwise/kernels/target.hpp"

namespace hw::kernels {

/// What a state is multiplied with before a token is added: nothing; a number of the token; one for each key row; one for each value
/// column; exp(d_t[value] rates[key][value]).
enum class Decay : std::uint8_t { none, token, key, value, cell };

/// S is (keys, values). For each token t in turn:
///
///   S = decay_t * S + k_t v_t^T                  or, where there is a beta (delta rule, arXiv:2406.06484, arXiv:2412.06464),
///   S = decay_t * S;  S = S + k_t (beta_t (v_t - S^T k_t))^T
///   out_t = S^T q_t
///
/// Columns do not meet: a call may be a range of them. Sums over keys are one chain, keys ascending. A token's bits depend on S and its own
/// row, so that a scan may be cut anywhere. `to` may not be `from`; both have rows state_stride apart. Cost: 4 keys values flops a token (6
/// with a beta), no allocation.
struct Scan {
  index_t tokens = 0, keys = 0, values = 0;
  const float *q = nullptr, *k = nullptr, *v = nullptr;
  index_t q_stride = 0, k_stride = 0, v_stride = 0;
  Decay kind = Decay::none;
  const float* decay = nullptr;  // factors; for `cell`, d
  index_t decay_stride = 0;
  const float* rates = nullptr;  // (keys, values), rows state_stride apart
  const float* beta = nullptr;   // null: no delta rule
  index_t beta_stride = 0;
  const float* from = nullptr;
  float* to = nullptr;
  index_t state_stride = 0;
  float* out = nullptr;
  index_t out_stride = 0;
};

/// y_t[c] = b[c] + sum_j w[j][c] x_{t + j - (taps - 1)}[c], j ascending; rows before the first are those of `tail` (taps - 1, channels).
/// for the tokens [first, last). bias may be null; y may not be x.
struct CausalConvolution {
  index_t first = 0, last = 0, channels = 0, taps = 0;
  const float* tail = nullptr;
  const float* x = nullptr;
  index_t x_stride = 0;
  const float* weight = nullptr;  // (taps, channels)
  const float* bias = nullptr;
  float* y = nullptr;
  index_t y_stride = 0;
};

struct ScanKernels {
  void (*scan)(const Scan& s);
  void (*convolve)(const CausalConvolution& c);
};

/// Not in `Table`: programs without recurrences do not compile them.
const ScanKernels& scan_kernels(Target target);

}  // namespace hw::kernels

#if HEADWISE_DEFINITIONS
#include "headwise/kernels/scan.inl.hpp"
#endif
