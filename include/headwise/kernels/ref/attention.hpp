#pragma once
// Attention by its formula: whole score rows, plain loops, in double. Read this first; kernels/attention.hpp says the same in words.

#include <cmath>
#include <limits>
#include <vector>

#include "headwise/kernels/attention.hpp"

namespace hw::kernels::ref {

/// Keys and values of one KV head as plain rows: entry e at k + e k_stride and v + e v_stride. `entries` of them exist.
struct KeysValues {
  const float* k;
  index_t k_stride;
  const float* v;
  index_t v_stride;
  index_t entries;
};

inline bool sees(const Attend& a, index_t token, index_t entry) {
  if (entry < a.visible[token].begin || entry >= a.visible[token].end) return false;
  return a.sees == nullptr || ((*a.sees)(token, entry / kKeyBlock) >> (entry % kKeyBlock) & 1) != 0;
}

/// The scores of query (token, head) and every entry; -inf where it sees none.
inline std::vector<double> scores(const Attend& a, const KeysValues& kv, index_t token, index_t head) {
  std::vector<double> s(static_cast<std::size_t>(kv.entries), -std::numeric_limits<double>::infinity());
  for (index_t e = 0; e < kv.entries; ++e) {
    if (!sees(a, token, e)) continue;
    double x = 0;
    for (index_t d = 0; d < a.layout.key_dim; ++d)
      x += double(a.q[token * a.q_token_stride + head * a.q_head_stride + d]) * kv.k[e * kv.k_stride + d];
    x *= a.scale;
    if (a.soft_cap != 0) x = a.soft_cap * std::tanh(x / a.soft_cap);
    if (a.alibi != nullptr) x += double(a.alibi[head]) * double(e - a.query_entry[token]);
    if (a.bias != nullptr) x += a.bias[token * a.bias_token_stride + head * a.bias_head_stride + e];
    s[static_cast<std::size_t>(e)] = x;
  }
  return s;
}

/// exp(s - max) / (sum of them + exp(sink - max)); zeros where everything is -inf.
inline void softmax_with_sink(std::vector<double>& s, const float* sink) {
  double m = sink != nullptr ? double(*sink) : -std::numeric_limits<double>::infinity();
  for (const double x : s) m = x > m ? x : m;
  double sum = sink != nullptr ? std::exp(*sink - m) : 0;
  for (double& x : s) sum += x = x == -std::numeric_limits<double>::infinity() ? 0 : std::exp(x - m);
  for (double& x : s) x = sum == 0 ? 0 : x / sum;
}

/// sum_e w_e v_e over the entries that (token, head) sees.
inline std::vector<double> weigh(const Attend& a, const KeysValues& kv, index_t token, const std::vector<double>& w) {
  std::vector<double> out(static_cast<std::size_t>(a.layout.value_dim), 0.0);
  for (index_t e = 0; e < kv.entries; ++e) {
    if (!sees(a, token, e)) continue;
    for (index_t d = 0; d < a.layout.value_dim; ++d)
      out[static_cast<std::size_t>(d)] += w[static_cast<std::size_t>(e)] * kv.v[e * kv.v_stride + d];
  }
  return out;
}

/// One row of attention.
inline std::vector<double> attend(const Attend& a, const KeysValues& kv, index_t token, index_t head) {
  std::vector<double> w = scores(a, kv, token, head);
  softmax_with_sink(w, a.sink != nullptr ? a.sink + head : nullptr);
  return weigh(a, kv, token, w);
}

}  // namespace hw::kernels::ref
