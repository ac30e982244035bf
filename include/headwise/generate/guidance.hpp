#pragma once
// Filters that look at a second row of logits: what another model, or the same model after another prompt, says of the next token.

#include <span>
#include <vector>

#include "headwise/generate/samplers.hpp"
#include "headwise/models/model.hpp"

namespace hw {

/// A model beside a text that is being made: its logits after any ids, computing only what they do not share with the ids before.
/// A value: a copy has a state of its own.
class FollowingModel {
 public:
  explicit FollowingModel(const Model& model) : model_(&model), state_(model.make_state()) {}
  FollowingModel(const FollowingModel& other) : model_(other.model_), state_(other.state_.fork()) {}
  FollowingModel(FollowingModel&&) noexcept = default;
  FollowingModel& operator=(const FollowingModel& other) { return *this = FollowingModel(other); }
  FollowingModel& operator=(FollowingModel&&) noexcept = default;

  /// (vocabulary); good until the next call, may be changed. Errors: those of Model::forward; no ids.
  std::span<float> logits(std::span<const std::int32_t> ids);
  const Model& model() const noexcept { return *model_; }

 private:
  const Model* model_;
  StateSet state_;
  Output output_;
};

namespace detail {
/// l = u + scale (c - u), c = log softmax(l), u = log softmax(other).
void guide(std::span<float> l, std::span<const float> other, float scale);
/// l = log p - log q where p >= alpha max p, -inf elsewhere; p = softmax(l), q = softmax(other).
void contrast(std::span<float> l, std::span<const float> other, float alpha);
}  // namespace detail

/// Classifier-free guidance: away from what the model says after `negative_prompt` (and the new tokens, which begin at `begin`), by `scale`
/// (1: no effect).  arXiv:2306.17806; the computation is Hugging Face's. Cost: a forward a token.
struct Guidance {
  static constexpr const char* kName = "guidance";
  FollowingModel model;
  std::vector<std::int32_t> negative_prompt;
  index_t begin;
  float scale;
  void apply(Candidates& candidates, const SamplingContext& context);
  std::vector<std::int32_t> ids{};  // scratch
};

/// Contrastive decoding: what the model says more than a weaker one does, among the tokens that it finds likely.  arXiv:2210.15097
struct ContrastiveDecoding {
  static constexpr const char* kName = "contrastive_decoding";
  FollowingModel amateur;
  float alpha = 0.1f;
  void apply(Candidates& candidates, const SamplingContext& context) {
    detail::contrast(candidates.logits(), amateur.logits(context.ids), alpha);
  }
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/guidance.inl.hpp"
#endif
