#pragma once
// Speculative decoding: a drafter guesses the next tokens, the model checks all of them in one step. The text is that of `generate`, token
// for token; what changes is how many steps it takes.

#include <span>
#include <vector>

#include "headwise/core/function_ref.hpp"
#include "headwise/generate/generate.hpp"
#include "headwise/generate/guidance.hpp"

namespace hw {

/// Guesses what comes after `ids`: writes at most `count` ids to `draft`, or none. `sampler` is as it will be when the first of them is
/// chosen: a drafter that chooses with a copy of it draws the same random numbers, so that it often comes to the same token.
using Drafter =
    FunctionRef<void(std::span<const std::int32_t> ids, index_t count, const Sampler& sampler, std::vector<std::int32_t>& draft)>;

/// What followed the last occurrence of the text's last tokens, the longest of max_ngram to min_ngram that there is one of.
/// Cost: O(ids * (max_ngram - min_ngram + 1)).  Prompt lookup decoding (github.com/apoorvumang/prompt-lookup-decoding)
struct PromptLookup {
  index_t max_ngram = 3, min_ngram = 1;
  void operator()(std::span<const std::int32_t> ids, index_t count, const Sampler&, std::vector<std::int32_t>& draft) const;
};

/// A smaller model of the same vocabulary, in a state of its own that follows the text.  arXiv:2211.17192
class DraftModel {
 public:
  explicit DraftModel(const Model& model) : model_(model) {}
  /// Errors: a sampler of another vocabulary; ids that were given as vectors; those of Model::forward.
  void operator()(std::span<const std::int32_t> ids, index_t count, const Sampler& sampler, std::vector<std::int32_t>& draft);

 private:
  FollowingModel model_;
  std::vector<std::int32_t> context_;
};

struct SpeculativeGeneration : Generation {
  index_t steps = 0;     // in which tokens were made
  index_t drafted = 0;   // tokens guessed
  index_t accepted = 0;  // of them
};

/// What `generate(model, state, prompt, options, on_token)` gives, bit for bit, and the state as it leaves it.
///
/// Each row of a step that checks drafts has the bits it would have in a step of its own, and is sampled from in order with the same
/// random numbers; the step's rows up to the first draft that was not chosen count, and the state is taken back to them (Model::rewind). So
/// the text is the same for greedy decoding and for sampling with a seed, and the distribution is the model's whatever the drafter does; a
/// draft of probability p is accepted with probability p at least where it does not depend on the random numbers.
/// Models whose positions depend on the length (ModelInfo::length_dependent) get no drafts.
/// Errors: those of TokenStream; max_draft < 0; drafts that are no ids of the vocabulary. What a callback throws leaves the state as
/// generate does.
SpeculativeGeneration generate_speculative(const Model& model, StateSet& state, std::vector<std::int32_t> prompt, Drafter drafter,
                                           const GenerateOptions& options = {}, index_t max_draft = 8,
                                           const std::function<bool(std::int32_t)>& on_token = {});

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/speculative.inl.hpp"
#endif
