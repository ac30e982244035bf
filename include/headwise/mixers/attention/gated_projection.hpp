#pragma once
// Queries, keys and values, and a gate for what the heads gather.

#include "headwise/mixers/attention/project.hpp"

namespace hw {

/// QkvProjection, and behind the softmax  out = sigmoid(Wg x) * out                           gated attention, arXiv:2505.06708
/// Weights: those of QkvProjection, and `gate` (h k, d).
class GatedQkvProjection {
 public:
  using Config = QkvProjection::Config;
  GatedQkvProjection(const Config& c, const Build& b)
      : qkv_(c, b), gate_(c.hidden_size, c.num_attention_heads * c.head_dim, c.bias, b.scope("gate")) {}
  index_t heads() const noexcept { return qkv_.heads(); }
  kernels::KvLayout layout() const noexcept { return qkv_.layout(); }
  void project(In in, Qkv& o) const { qkv_.project(in, o); }
  View emit(In in, const Qkv&, View heads) const {
    const Step& step = in.frame.step;
    const View g = step.arena.take_view(heads.rows, heads.cols);
    gate_.forward(in.x, g, in.frame);
    step.parallel_rows(heads.rows, 8 * heads.cols, [&](index_t first, index_t last) {
      step.kernels.elementwise.gate(Activation::sigmoid, g.row(first), g.stride, heads.row(first), heads.stride, last - first, heads.cols,
                                    heads.row(first), heads.stride);
    });
    return heads;
  }

 private:
  QkvProjection qkv_;
  Linear gate_;
};

}  // namespace hw
