#pragma once
// Which experts a row goes to: a router looks at the rows and gives a plan.

#include <string>
#include <vector>

#include "headwise/layers/linear.hpp"

namespace hw {

/// `route(in)`: a plan in the step's arena whose items are experts. `experts()`: how many it chooses from.
template <class R>
concept Router = requires(const R r, In in) {
  { r.route(in) } -> std::same_as<Plan>;
  { r.experts() } -> std::convertible_to<index_t>;
};

/// What a router makes of its logits before it compares them.
enum class RouterScore : std::uint8_t { softmax, sigmoid };

/// s = score(Wx + b);  the top_k experts e of largest s_e + c_e, inside the top_groups groups where there are groups;
/// w_e = scale s_e, or scale s_e / sum of the chosen s
///
/// Softmax over the chosen logits alone (Mixtral) is softmax over all and `renormalise`. c (`choice_bias`) chooses and does not weigh
/// (arXiv:2412.19437). A group's score is its largest s + c, or the sum of its two largest (`group_pairs`) (arXiv:2405.04434). With
/// `scale_input` the weight multiplies the expert's input. The matrix keeps the file's type where weights are quantised at load. Ties go to
/// the lower expert; a row's experts are in ascending order. Weights: `weight` (experts, d), `bias` and `choice_bias` (experts) where the
/// config says so. Error, in forward: scores that are not numbers.
class TopKRouter {
 public:
  struct Config {
    index_t hidden_size = 0;
    index_t num_experts = 0;
    index_t top_k = 0;
    RouterScore score = RouterScore::softmax;
    bool renormalise = true;
    float scale = 1.0f;
    bool bias = false;
    bool choice_bias = false;
    index_t groups = 1;
    index_t top_groups = 1;
    bool group_pairs = false;
    bool scale_input = false;
  };

  /// Errors: more chosen than there are; groups that do not divide the experts, or too small to choose from.
  TopKRouter(const Config& c, const Build& b);
  Plan route(In in) const;
  index_t experts() const noexcept { return config_.num_experts; }

 private:
  Config config_;
  Linear logits_;
  std::vector<float> choice_bias_;
  std::string where_;
};

/// Two experts, each weighed by a softmax of its own over the logits that are near its maximum:
/// w_1 = softmax over {j: (m - l_j) / max(|l_j|, m) <= 2 eps} of l at e_1 = argmax l, m = l_{e_1}; w_2 the same without e_1.
///                                                                                     SparseMixer, arXiv:2310.00811, PhiMoE
/// Weights: `weight` (experts, d). Error, in forward: scores that are not numbers.
class SparseMixerRouter {
 public:
  struct Config {
    index_t hidden_size = 0;
    index_t num_experts = 0;
    float epsilon = 0.01f;  // router_jitter_noise
  };

  /// Error: fewer than two experts.
  SparseMixerRouter(const Config& c, const Build& b);
  Plan route(In in) const;
  index_t experts() const noexcept { return config_.num_experts; }

 private:
  Config config_;
  Linear logits_;
  std::string where_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/moe/router.inl.hpp"
#endif
