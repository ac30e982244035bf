#pragma once
// Choosing the next token from one row of logits.

#include <optional>

#include "headwise/generate/samplers.hpp"

namespace hw {

/// How to choose tokens, by Hugging Face's names. The filters run in the order of the fields, on what the ones before them left.
/// The default is greedy.
struct SamplingOptions {
  SamplingChain processors{};                                // filters of your own (constraints, guidance), before all others
  std::vector<std::pair<std::int32_t, float>> logit_bias{};  // added to these tokens' logits; -inf bans
  float repetition_penalty = 1;                              // > 0; 1: off
  float frequency_penalty = 0;                               // times the occurrences; 0: off
  float presence_penalty = 0;                                // 0: off
  index_t penalty_window = -1;                               // of the last ids; the three above look at these. -1: all, prompt included
  index_t no_repeat_ngram_size = 0;                          // 0: off
  float dry_multiplier = 0;                                  // 0: off
  float dry_base = 1.75f;                                    // >= 1
  index_t dry_allowed_length = 2;                            // repetitions that cost nothing are shorter
  std::vector<std::int32_t> dry_breakers{};                  // tokens that no repetition goes over
  float temperature = 0;                                     // 0: greedy, the filters below have no effect
  index_t top_k = 0;                                         // 0: off
  float top_p = 1;                                           // 0: the best token; 1: off
  float min_p = 0;                                           // 0: off
  float typical_p = 1;                                       // 1: off
  float epsilon_cutoff = 0;                                  // 0: off
  float eta_cutoff = 0;                                      // 0: off
  float top_n_sigma = 0;                                     // 0: off
  float top_a = 0;                                           // 0: off
  float xtc_probability = 0;                                 // 0: off
  float xtc_threshold = 0.1f;                                // above 0.5: no effect
  int mirostat = 0;                                          // 1 or 2, algorithm of the paper; 0: off
  float mirostat_tau = 5;                                    // bits a token
  float mirostat_eta = 0.1f;                                 // how fast it learns
  std::uint64_t seed = 0;

  /// Errors: a value that makes no sense, with its name and what is allowed; ids outside of the vocabulary.
  void validate(index_t vocab_size) const;

  /// The filters that are on.
  SamplingChain chain() const;
};

/// Chooses tokens, one row of logits after the other. A value: a copy goes on by itself from the same place. One thread at a time.
///
/// Reproducible: a choice depends on the logits, the ids so far, the options and how many choices were drawn before, on nothing else (no
/// clock, no std distribution). The random numbers are the same bits on every platform. Between platforms whose arithmetic or logits differ
/// in the last bits, a token differs only where the random number falls into that difference (about 1e-15 for equal logits).
class Sampler {
 public:
  /// Errors: those of SamplingOptions::validate.
  Sampler(const SamplingOptions& options, index_t vocab_size);
  /// Filters of your own making; greedy takes the best token of what they leave.
  Sampler(SamplingChain chain, index_t vocab_size, std::uint64_t seed, bool greedy = false);

  /// The next token. `logits`: (vocabulary), changed in place: -inf where a filter dropped the token. `ids`: the sequence so far.
  /// Errors: NaN or only -inf in the logits; a filter that leaves no token. The random numbers go on where they were then.
  /// Cost: O(vocabulary), no sort of it; no allocation but that of a user's filter.
  std::int32_t sample(std::span<float> logits, std::span<const std::int32_t> ids);

  /// Of the newest token, among those that the filters left; 1 when greedy.
  double probability() const noexcept { return probability_; }

  const SamplingChain& chain() const noexcept { return chain_; }

 private:
  SamplingChain chain_;
  Candidates candidates_;
  Rng rng_;
  bool greedy_;
  double probability_ = 1;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/sampling.inl.hpp"
#endif
