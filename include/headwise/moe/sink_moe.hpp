#pragma once
// Experts that share their weights' sum with experts which every token passes. Not in the umbrella header.

#include <string_view>
#include <vector>

#include "headwise/layers/mlp.hpp"
#include "headwise/moe/experts.hpp"
#include "headwise/moe/row_router.hpp"

namespace hw {

/// p = sigmoid(W x), over the experts and, behind them, the shared ones; C = the top_k experts of largest p_e + c_e;
/// y = g scale sum over e in C or shared of p_e / (sum of those p) expert_e(x)
/// Shared experts take weight from the chosen as a sink does. Weights: `router.weight` (experts + shared, d), `router.choice_bias` c
/// (experts), `router.scale` g (1), the experts' in `experts.<i>` and `shared.<i>`. Error, in forward: scores that are not numbers.
class SinkMoe {
 public:
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    GatedMlp::Config expert{};
    index_t num_experts = 0;
    index_t shared = 0;
    index_t top_k = 0;
    float scale = 1.0f;
  };
  /// Errors: more chosen than there are; more shared than others.
  SinkMoe(const Config& c, const Build& b)
      : config_(checked(c, b)),
        experts_({std::vector(static_cast<std::size_t>(c.num_experts), c.expert)}, b.scope("experts")),
        shared_({std::vector(static_cast<std::size_t>(c.shared), c.expert)}, b.scope("shared")),
        logits_(c.expert.hidden_size, c.num_experts + c.shared, false, b.scope("router").as_filed()),
        choice_bias_(b.vector("router.choice_bias", c.num_experts)),
        scale_(c.scale * b.vector("router.scale", 1)[0]),
        where_(b.path("router")) {}

  void forward(In in, View delta) const {
    const Step& step = in.frame.step;
    const auto n = static_cast<std::size_t>(config_.num_experts), s = static_cast<std::size_t>(config_.shared);
    const View p = step.arena.take_view(in.x.rows, logits_.out()), other = step.arena.take_view(delta.rows, delta.cols);
    const auto biased = step.arena.take<float>(config_.num_experts);
    logits_.forward(in.x, p, in.frame);
    const Plan plan = make_plan(step, in.x.rows, config_.top_k, [&](index_t row, Choice& choice) {
      detail::check_scores(p[row], row, where_);
      for (float& v : p[row]) v = sigmoid(v);
      for (std::size_t e = 0; e < n; ++e) biased[e] = p[row][e] + choice_bias_[e];
      choose_best(biased, config_.top_k, choice);
      float sum = 0;
      for (std::size_t j = 0; j < s; ++j) sum += p[row][n + j];
      for (int i = 0; i < choice.size(); ++i)
        sum += choice.weights()[static_cast<std::size_t>(i)] = p[row][static_cast<std::size_t>(choice.item(i))];
      const float factor = scale_ / std::max(sum, std::numeric_limits<float>::min());
      for (float& w : choice.weights()) w *= factor;
      for (std::size_t j = 0; j < s; ++j) p[row][n + j] *= factor;
    });
    experts_.apply(in, plan, delta);
    if (s == 0) return;
    shared_.apply(in,
                  make_plan(step, in.x.rows, config_.shared,
                            [&](index_t row, Choice& choice) {
                              for (std::size_t j = 0; j < s; ++j) choice.add(static_cast<index_t>(j), p[row][n + j]);
                            }),
                  other);
    for (index_t t = 0; t < delta.rows; ++t) step.kernels.elementwise.add(delta.row(t), other.row(t), delta.row(t), delta.cols);
  }

 private:
  static const Config& checked(const Config& c, const Build& b) {
    if (c.num_experts < 1 || c.top_k < 1 || c.top_k > c.num_experts)
      fail(b.path("router"), concat("1 to ", c.num_experts, " experts for each token"), std::to_string(c.top_k));
    if (c.shared < 0 || c.shared > c.num_experts)
      fail(b.path("shared"), concat("0 to ", c.num_experts, " shared experts"), std::to_string(c.shared));
    return c;
  }

  Config config_;
  Experts<GatedMlp> experts_, shared_;
  Linear logits_;
  std::vector<float> choice_bias_;
  float scale_;
  std::string where_;
};

}  // namespace hw
