#pragma once
// A router that hands its hidden state down the depth. Not in the umbrella header.

#include <vector>

#include "headwise/layers/norms.hpp"
#include "headwise/moe/row_router.hpp"

namespace hw {

/// r = Wd x + bd + s * (r of the layer before);  p = softmax(W3 gelu(W2 gelu(W1 norm(r) + b1) + b2));
/// the expert e of largest p_e + c_e, with weight p_e                                                     ZAYA1, arXiv:2511.17127
/// c (`choice_bias`) chooses and does not weigh. Only the first of the layers has no s. An expert behind the bank's is none: the row keeps
/// its residual. Weights: `down` (n, d), `up.0`, `up.1` (n, n), all with biases, `norm.weight` (n), `out` (experts, n), `choice_bias`
/// (experts), `state_scale` s (n). Error, in forward: scores that are not numbers.
class DepthRouter {
 public:
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t hidden_size = 0;
    index_t num_experts = 0;
    index_t size = 0;  // n
    bool first = false;
    float norm_eps = 1e-5f;
  };
  DepthRouter(const Config& c, const Build& b)
      : down_(c.hidden_size, c.size, true, b.scope("down")),
        hidden_{Linear(c.size, c.size, true, b.scope("up.0")), Linear(c.size, c.size, true, b.scope("up.1"))},
        out_(c.size, c.num_experts, false, b.scope("out").as_filed()),
        norm_({c.size, c.norm_eps}, b.scope("norm")),
        choice_bias_(b.vector("choice_bias", c.num_experts)),
        state_(b.step_stream("router state", c.size, [](const TokenSet&, View) {})),
        where_(b.path("")) {
    if (!c.first) state_scale_ = b.vector("state_scale", c.size);
  }
  index_t experts() const noexcept { return out_.out(); }

  Plan route(In in) const {
    const Step& step = in.frame.step;
    const kernels::ElementwiseKernels& kernels = step.kernels.elementwise;
    const index_t t = in.x.rows, n = down_.out();
    const View r = step.arena.take_view(t, n), x = step.arena.take_view(t, n), p = step.arena.take_view(t, experts()),
               state = in.frame.at(state_);
    down_.forward(in.x, r, in.frame);
    for (index_t i = 0; i < t; ++i) {
      for (std::size_t j = 0; j < state_scale_.size(); ++j) r.row(i)[j] += state_scale_[j] * state.row(i)[j];
      std::copy_n(r.row(i), n, state.row(i));
    }
    norm_.forward(r, r, in.frame);
    for (const Linear& layer : hidden_) {
      layer.forward(r, x, in.frame);
      kernels.activate(Activation::gelu, x.data, x.stride, t, n, r.data, r.stride);
    }
    out_.forward(r, p, in.frame);
    return make_plan(step, t, 1, [&](index_t row, Choice& choice) {
      detail::check_scores(p[row], row, where_);
      softmax_row(p[row]);
      std::size_t best = 0;
      for (std::size_t e = 1; e < choice_bias_.size(); ++e)
        if (p[row][e] + choice_bias_[e] > p[row][best] + choice_bias_[best]) best = e;
      choice.add(static_cast<index_t>(best), p[row][best]);
    });
  }

 private:
  Linear down_;
  std::vector<Linear> hidden_;
  Linear out_;
  RmsNorm norm_;
  std::vector<float> choice_bias_, state_scale_;
  Slot state_;
  std::string where_;
};

}  // namespace hw
