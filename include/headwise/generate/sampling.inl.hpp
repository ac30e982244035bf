#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/generate/check_option.hpp"
#include "headwise/generate/sampling.hpp"

namespace hw {
HEADWISE_INLINE void SamplingOptions::validate(index_t vocab_size) const {
  const auto share = [](std::string_view name, float value) {
    detail::require(value >= 0 && value <= 1, name, "a number from 0 to 1", value);
  };
  const auto number = [](std::string_view name, float value) { detail::require(std::isfinite(value), name, "a finite number", value); };
  for (const auto& [id, bias] : logit_bias) {
    if (id < 0 || id >= vocab_size) fail("logit_bias", concat("ids from 0 to ", vocab_size - 1), concat(id));
    detail::require(bias < -Candidates::kOut, concat("logit_bias of token ", id), "a finite number or -inf", bias);
  }
  detail::require(repetition_penalty > 0 && std::isfinite(repetition_penalty), "repetition_penalty", "a finite number above 0",
                  repetition_penalty);
  number("frequency_penalty", frequency_penalty);
  number("presence_penalty", presence_penalty);
  if (penalty_window < -1) fail("penalty_window", "a count of at least 0, or -1 for all", concat(penalty_window));
  if (no_repeat_ngram_size < 0) fail("no_repeat_ngram_size", "a count of at least 0", concat(no_repeat_ngram_size));
  const auto positive = [](std::string_view name, float value, float least) {
    detail::require(value >= least && std::isfinite(value), name,
                    least > 0 ? "a finite number of at least 1" : "a finite number of at least 0", value);
  };
  positive("dry_multiplier", dry_multiplier, 0);
  positive("dry_base", dry_base, 1);
  detail::require_count("dry_allowed_length", dry_allowed_length, 0);
  detail::require_ids("dry_breakers", dry_breakers, vocab_size);
  detail::require(temperature >= 0 && std::isfinite(temperature), "temperature", "a finite number of at least 0", temperature);
  if (top_k < 0) fail("top_k", "a count of at least 0", concat(top_k));
  share("top_p", top_p);
  share("min_p", min_p);
  share("typical_p", typical_p);
  share("epsilon_cutoff", epsilon_cutoff);
  share("eta_cutoff", eta_cutoff);
  positive("top_n_sigma", top_n_sigma, 0);
  positive("top_a", top_a, 0);
  share("xtc_probability", xtc_probability);
  share("xtc_threshold", xtc_threshold);
  if (mirostat < 0 || mirostat > 2) fail("mirostat", "0, 1 or 2", concat(mirostat));
  positive("mirostat_tau", mirostat_tau, 0);
  positive("mirostat_eta", mirostat_eta, 0);
}

HEADWISE_INLINE SamplingChain SamplingOptions::chain() const {
  SamplingChain chain = processors;
  if (!logit_bias.empty()) chain.add(LogitBias{logit_bias});
  if (repetition_penalty != 1) chain.add(RepetitionPenalty{repetition_penalty, penalty_window});
  if (frequency_penalty != 0 || presence_penalty != 0) chain.add(OccurrencePenalty{frequency_penalty, presence_penalty, penalty_window});
  if (no_repeat_ngram_size > 0) chain.add(NoRepeatNgram{no_repeat_ngram_size});
  if (dry_multiplier > 0) chain.add(Dry{dry_multiplier, dry_base, dry_allowed_length, penalty_window, dry_breakers});
  if (temperature == 0) return chain;
  if (temperature != 1) chain.add(Temperature{temperature});
  if (top_k > 0) chain.add(TopK{top_k});
  if (top_p < 1) chain.add(TopP{top_p});
  if (min_p > 0) chain.add(MinP{min_p});
  if (typical_p < 1) chain.add(TypicalP{typical_p});
  if (epsilon_cutoff > 0) chain.add(EpsilonCutoff{epsilon_cutoff});
  if (eta_cutoff > 0) chain.add(EtaCutoff{eta_cutoff});
  if (top_n_sigma > 0) chain.add(TopNSigma{top_n_sigma});
  if (top_a > 0) chain.add(TopA{top_a});
  if (xtc_probability > 0) chain.add(Xtc{xtc_threshold, xtc_probability});
  const Surprise surprise{static_cast<double>(mirostat_tau), static_cast<double>(mirostat_eta)};
  if (mirostat == 1) chain.add(Mirostat{surprise});
  if (mirostat == 2) chain.add(MirostatV2{surprise});
  return chain;
}

HEADWISE_INLINE Sampler::Sampler(const SamplingOptions& options, index_t vocab_size)
    : Sampler((options.validate(vocab_size), options.chain()), vocab_size, options.seed, options.temperature == 0) {}

HEADWISE_INLINE Sampler::Sampler(SamplingChain chain, index_t vocab_size, std::uint64_t seed, bool greedy)
    : chain_(std::move(chain)), candidates_(vocab_size), rng_(seed), greedy_(greedy) {}

HEADWISE_INLINE std::int32_t Sampler::sample(std::span<float> logits, std::span<const std::int32_t> ids) {
  Rng rng = rng_;  // an error leaves the sequence where it was
  candidates_.reset(logits);
  chain_.apply(candidates_, {ids, rng});
  probability_ = 1;
  if (greedy_) {
    rng_ = rng;
    return candidates_.best();
  }
  // The first token at which the sum of the probabilities exceeds a uniform number.
  const std::span<const double> p = candidates_.probabilities();
  const double u = rng.uniform();
  double sum = 0;
  std::size_t chosen = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] > 0) chosen = i;  // also where rounding leaves the sum below u to the end
    if ((sum += p[i]) > u) break;
  }
  rng_ = rng;
  probability_ = p[chosen];
  return candidates_.ids()[chosen];
}

}  // namespace hw
