#pragma once
// Beam search: the most probable continuations instead of one, over any model and state.

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "headwise/generate/constraints.hpp"
#include "headwise/generate/generate.hpp"

namespace hw {

/// When a search that has `num_beams` finished sequences may end: when no running beam is better at its present length (no), at once (yes),
/// or when no running beam can become better at any length up to the limit (never).
enum class EarlyStopping : std::uint8_t { no, yes, never };

/// How to search, by Hugging Face's names. The processors run on the log probabilities in the order of the fields.
struct BeamOptions {
  index_t num_beams = 4;
  index_t num_return_sequences = 1;  // <= num_beams
  index_t max_new_tokens = 256;      // > 0; bounded by the model's positions
  float length_penalty = 1;          // score = (sum of log probabilities) / (new tokens)^length_penalty
  EarlyStopping early_stopping = EarlyStopping::no;
  std::vector<std::int32_t> eos_ids{};  // end a sequence; the id is part of it

  // Groups search beside each other, each with num_beams / num_beam_groups beams; what earlier groups chose in a step costs
  // diversity_penalty for each time it was chosen (Hamming diversity, arXiv:1610.02424). Scores include the penalty.
  index_t num_beam_groups = 1;
  float diversity_penalty = 0;

  std::vector<std::pair<std::int32_t, float>> logit_bias{};  // -inf: suppressed
  float repetition_penalty = 1;
  index_t no_repeat_ngram_size = 0;
  std::vector<std::vector<std::int32_t>> bad_words{};  // sequences of ids that must not come up
  index_t min_length = 0;                              // no eos before so many tokens, those of the state and the prompt included
  index_t min_new_tokens = 0;                          // no eos before so many new tokens
  // The ids that may follow (new and old tokens so far): prefixes, tries, grammars. A beam that nothing may follow is dropped.
  std::function<std::vector<std::int32_t>(std::span<const std::int32_t>)> prefix_allowed_ids{};
  std::optional<std::int32_t> forced_bos_id{};     // the second token of a sequence, after a decoder's start token
  std::optional<std::int32_t> forced_eos_id{};     // the last of max_new_tokens
  std::vector<std::int32_t> begin_suppress_ids{};  // not as the first new token
  SamplingChain processors{};                      // filters of your own, after those above

  index_t prefill_chunk = 512;

  /// Errors: a value that makes no sense, with its name and what is allowed; ids outside of the vocabulary.
  void validate(index_t vocab_size) const;
  /// The processors that are on, for sequences whose new tokens begin at `begin` and end before `limit`.
  SamplingChain chain(index_t begin, index_t limit) const;
};

/// One found sequence.
struct Beam {
  std::vector<std::int32_t> ids;             // new tokens, with the eos that ended them
  std::vector<float> log_probs;              // of each, after the processors
  double score = 0;                          // what sequences are ranked by
  FinishReason finish = FinishReason::none;  // stop_id or length
};

/// The best `num_return_sequences` continuations of `prompt` in `state`, best first; fewer where the processors leave fewer.
///
/// All beams of a step run as one batch; each is a fork of `state`, which stays as it is. What Hugging Face's generate(num_beams=...,
/// do_sample=False) defines (version 5; each group is such a search): in each step the best max(2, 1 + eos ids) * num_beams
/// continuations are looked at, finished ones count where they are among the best num_beams, the best num_beams of the others go on.
/// Continuations of probability 0 are dropped, not kept with a score of -1e9; ties go to the better beam, then the smaller id. With one
/// beam and no length penalty the result is greedy decoding. Errors: BeamOptions::validate, Model::forward; an empty prompt; processors
/// that leave no sequence at all. Cost: a step is a batch of num_beams rows and O(num_beams * vocabulary).
std::vector<Beam> beam_search(const Model& model, const StateSet& state, std::span<const std::int32_t> prompt,
                              const BeamOptions& options = {});

/// The same for several prompts, each in its state; steps of all run as one batch, and each has the result it would have alone.
struct BeamSource {
  const StateSet* state;
  std::span<const std::int32_t> prompt;
};
std::vector<std::vector<Beam>> beam_search(const Model& model, std::span<const BeamSource> sources, const BeamOptions& options = {});

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/beam.inl.hpp"
#endif
