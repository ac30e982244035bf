#pragma once
// Routers that hand something down the depth. Not in the umbrella header.

#include <optional>
#include <string>
#include <vector>

#include "headwise/layers/norms.hpp"
#include "headwise/layers/small_matrix.hpp"
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

/// G = W x + R G', G' the G of the layer before;  p = softmax(G), the top_k best, weighed by p            MoE++, arXiv:2410.07348
/// Weights: `weight` (experts, d), and but in the first of the layers `residual` R (experts, experts).
struct ResidualRouter {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t hidden_size = 0, num_experts = 0, top_k = 2;
    bool first = false;
  };
  ResidualRouter(const Config& c, const Build& b)
      : config(c),
        logits(c.hidden_size, c.num_experts, false, b.as_filed()),
        before(b.step_stream("router logits", c.num_experts, [](const TokenSet&, View) {})),
        where(b.path("")) {
    if (c.top_k < 1 || c.top_k > c.num_experts) fail(b.path("top_k"), concat("from 1 to ", c.num_experts), std::to_string(c.top_k));
    if (!c.first) residual = SmallMatrix("residual", c.num_experts, c.num_experts, b);
  }
  index_t experts() const noexcept { return config.num_experts; }
  Plan route(In in) const {
    const View g = in.frame.step.arena.take_view(in.x.rows, experts()), kept = in.frame.at(before);
    logits.forward(in.x, g, in.frame);
    return make_plan(in.frame.step, g.rows, config.top_k, [&](index_t row, Choice& choice) {
      for (index_t e = 0; e < residual.rows; ++e) g(row, e) += residual.dot(e, kept.row(row));
      detail::check_scores(g[row], row, where);
      std::copy_n(g.row(row), experts(), kept.row(row));
      softmax_row(g[row]);
      choose_best(g[row], config.top_k, choice);
    });
  }
  Config config;
  Linear logits;
  SmallMatrix residual;
  Slot before;
  std::string where;
};

/// The plan that the layer before made: R makes that of the next layer from this layer's rows, so that its experts are known early; the
/// first of the layers makes its own, too. A row's experts are in ascending order.                     pre-gating, arXiv:2308.12066
/// Weights: R's in scope `next`, but in the last of the layers; in the first also in scope `own`.
template <Router R>
struct PreGated {
  static constexpr Couples couples = couples_of<R>;
  struct Config {
    typename R::Config router{};
    bool first = false, last = false;
  };
  PreGated(const Config& c, const Build& b)
      : count(c.router.num_experts), kept(b.step_stream("next experts", count, [](const TokenSet&, View) {})) {
    if (c.first) own.emplace(c.router, b.scope("own"));
    if (!c.last) next.emplace(c.router, b.scope("next"));
  }
  index_t experts() const noexcept { return count; }
  Plan route(In in) const {
    const View w = in.frame.at(kept);
    const Plan now = own ? own->route(in) : make_plan(in.frame.step, in.x.rows, count, [&](index_t row, Choice& choice) {
      for (index_t e = 0; e < count; ++e)
        if (w(row, e) != 0) choice.add(e, w(row, e));
    });
    if (!next) return now;
    const ArenaScope scope(in.frame.step.arena);
    const Plan later = next->route(in);
    for (index_t row = 0; row < w.rows; ++row) {
      std::fill_n(w.row(row), count, 0.0f);
      for (auto i = static_cast<std::size_t>(later.begin[static_cast<std::size_t>(row)]);
           i < static_cast<std::size_t>(later.begin[static_cast<std::size_t>(row) + 1]); ++i)
        w(row, later.item[i]) = later.w_out.empty() ? 1.0f : later.w_out[i];
    }
    return now;
  }
  index_t count;
  Slot kept;
  std::optional<R> own, next;
};

}  // namespace hw
