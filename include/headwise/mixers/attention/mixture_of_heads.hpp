#pragma once
// Heads as experts. Not in the umbrella header.

#include <algorithm>

#include "headwise/mixers/attention/attention.hpp"

namespace hw {

/// Head h of a row times its gate: of the `shared` heads a_0 s_h, s = softmax(Ws x); of the others a_1 r_h where r_h is among the top_k
/// largest of r = softmax(Wr x), else 0; a = softmax(Wa x)                                       mixture of heads, arXiv:2410.11842
/// Weights: P's, `groups` (2, d), `shared` (s, d), `routed` (h - s, d).
template <class P>
struct MixtureOfHeads : P {
  struct Config : P::Config {
    index_t shared = 0, top_k = 1;
  };
  MixtureOfHeads(const Config& c, const Build& b)
      : P(c, b),
        shared(c.shared),
        top_k(c.top_k),
        gates(c.hidden_size, {{"groups", 2}, {"shared", shared}, {"routed", this->heads() - shared}}, b) {
    if (shared < 1 || shared >= this->heads() || top_k < 1 || top_k > this->heads() - shared)
      fail(b.path("routed"), "shared and chosen heads that together are heads", concat(shared, " and ", top_k));
  }
  View emit(In in, const Qkv&, View heads) const {
    const View all = in.frame.step.arena.take_view(heads.rows, gates.out());
    const index_t n = this->layout().value_dim, routed = this->heads() - shared;
    gates.forward(in.x, all, in.frame);
    for (index_t t = 0; t < heads.rows; ++t) {
      float *const a = all.row(t), *const s = a + 2, *const r = s + shared;
      for (const auto& [x, size] : {std::pair(a, index_t{2}), {s, shared}, {r, routed}})
        in.frame.step.kernels.elementwise.softmax(x, size, 1, size, x, size);
      for (index_t h = 0; h < shared + routed; ++h) {
        const float better = h < shared ? 0 : static_cast<float>(std::count_if(r, r + routed, [&](float v) { return v > s[h]; }));
        const float gate = h < shared ? a[0] * s[h] : better < static_cast<float>(top_k) ? a[1] * s[h] : 0.0f;
        for (index_t i = h * n; i < (h + 1) * n; ++i) heads(t, i) *= gate;
      }
    }
    return heads;
  }
  index_t shared, top_k;
  Linear gates;
};

}  // namespace hw
