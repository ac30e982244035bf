#pragma once
// The filters between a row of logits and the choice of a token. Each is a struct with parameters and `apply`; so is one of your own:
//
//     struct OnlyEven {
//       static constexpr const char* kName = "only_even";
//       void apply(hw::Candidates& candidates, const hw::SamplingContext&) const {
//         candidates.keep([](std::int32_t id, float) { return id % 2 == 0; });
//       }
//     };
//     hw::SamplingChain chain;
//     chain.add(hw::TopK{40}).add(OnlyEven{}).add(hw::Temperature{0.8f});
//
// What they compute is what Hugging Face's logits processors of these names compute.

#include <algorithm>
#include <cmath>
#include <concepts>
#include <functional>
#include <iterator>
#include <string>

#include "headwise/core/rng.hpp"
#include "headwise/generate/candidates.hpp"

namespace hw {

namespace detail {
// Tokens of probability >= least; the best ones always.
void keep_probable(Candidates& candidates, std::span<const double> p, double least);
}  // namespace detail

/// What a filter may look at beside the logits.
struct SamplingContext {
  std::span<const std::int32_t> ids;  // of the sequence so far, prompt included; -1 for rows given as vectors
  Rng& rng;
};

template <class T>
concept SamplingFilter = std::copy_constructible<T> && requires(T filter, Candidates& candidates, const SamplingContext& context) {
  { T::kName } -> std::convertible_to<std::string>;
  filter.apply(candidates, context);
};

/// Filters in the order in which they run.
class SamplingChain {
 public:
  template <SamplingFilter Filter>
  SamplingChain& add(Filter filter) {
    links_.push_back(
        {Filter::kName, [filter](Candidates& candidates, const SamplingContext& context) mutable { filter.apply(candidates, context); }});
    return *this;
  }
  /// The filters of another chain, after those that are here.
  SamplingChain& add(SamplingChain other) {
    links_.insert(links_.end(), std::make_move_iterator(other.links_.begin()), std::make_move_iterator(other.links_.end()));
    return *this;
  }
  /// Runs all. Errors: a filter leaves no token (it is named).
  void apply(Candidates& candidates, const SamplingContext& context);
  /// Runs all until one leaves no token, and returns the name of that one; empty: all ran.
  std::string_view emptied_by(Candidates& candidates, const SamplingContext& context);
  std::vector<std::string> names() const;

 private:
  struct Link {
    std::string name;
    std::function<void(Candidates&, const SamplingContext&)> apply;
  };
  std::vector<Link> links_;
};

/// l += bias of the token; -inf bans it. Errors: an id outside of the vocabulary.
struct LogitBias {
  static constexpr const char* kName = "logit_bias";
  std::vector<std::pair<std::int32_t, float>> bias;
  void apply(Candidates& candidates, const SamplingContext&) const {
    for (const auto& [id, value] : bias) candidates.logit(id) += value;
  }
};

/// l > 0: l / penalty, else l * penalty, once for each token of the last `window` ids (< 0: all).  arXiv:1909.05858
struct RepetitionPenalty {
  static constexpr const char* kName = "repetition_penalty";
  float penalty;
  index_t window = -1;
  void apply(Candidates& candidates, const SamplingContext& context) const;
};

/// l -= frequency * occurrences + presence, for each token of the last `window` ids (< 0: all).
struct OccurrencePenalty {
  static constexpr const char* kName = "frequency_penalty and presence_penalty";
  float frequency, presence;
  index_t window = -1;
  void apply(Candidates& candidates, const SamplingContext& context) const;
};

/// No `size` tokens come twice: bans the token that would complete them.
struct NoRepeatNgram {
  static constexpr const char* kName = "no_repeat_ngram_size";
  index_t size;
  void apply(Candidates& candidates, const SamplingContext& context) const;
};

/// l / temperature, for a temperature above 0.
struct Temperature {
  static constexpr const char* kName = "temperature";
  float temperature;
  void apply(Candidates& candidates, const SamplingContext&) const {
    const float max = candidates.max_logit();
    const float shift = std::fabs(max) > 1e30f * temperature ? max : 0;  // close to 0: what matters are the distances to the best
    for (float& l : candidates.logits()) l = (l - shift) / temperature;  // -inf stays
  }
};

/// The k largest logits; equal ones to the k-th stay.
struct TopK {
  static constexpr const char* kName = "top_k";
  index_t k;
  void apply(Candidates& candidates, const SamplingContext&) const {
    if (k <= 0 || k >= candidates.vocab_size()) return;
    const float least = candidates.logit_of_rank(static_cast<std::size_t>(k));
    candidates.keep([&](std::int32_t, float l) { return l >= least; });
  }
};

/// The fewest tokens that have the probability p together.  arXiv:1904.09751
struct TopP {
  static constexpr const char* kName = "top_p";
  float p;
  void apply(Candidates& candidates, const SamplingContext&) const {
    candidates.probabilities();
    const std::span<const std::int32_t> ids = candidates.ids();
    const std::span<double> rank = candidates.scratch();
    for (std::size_t i = 0; i < rank.size(); ++i) rank[i] = -static_cast<double>(candidates.logit(ids[i]));
    candidates.keep_mass(rank, static_cast<double>(p));
  }
};

/// Tokens of probability >= p times the best one's.  arXiv:2407.01082
struct MinP {
  static constexpr const char* kName = "min_p";
  float p;
  void apply(Candidates& candidates, const SamplingContext&) const {
    const double max = static_cast<double>(candidates.max_logit()), least = static_cast<double>(p);
    candidates.keep([&](std::int32_t, float l) { return detail::exp_nonpositive(static_cast<double>(l) - max) >= least; });
  }
};

/// The fewest tokens of probability p together, beginning with those whose surprise -ln p_i is nearest to the entropy.  arXiv:2202.00666
struct TypicalP {
  static constexpr const char* kName = "typical_p";
  float p;
  void apply(Candidates& candidates, const SamplingContext&) const;
};

/// Tokens of probability >= epsilon, or the best.  arXiv:2210.15191
struct EpsilonCutoff {
  static constexpr const char* kName = "epsilon_cutoff";
  float epsilon;
  void apply(Candidates& candidates, const SamplingContext&) const;
};

/// Tokens of probability >= min(epsilon, sqrt(epsilon) e^-entropy), or the best.  arXiv:2210.15191
struct EtaCutoff {
  static constexpr const char* kName = "eta_cutoff";
  float epsilon;
  void apply(Candidates& candidates, const SamplingContext&) const;
};

/// Tokens with l >= max - n * (standard deviation of the logits).  arXiv:2411.07641
struct TopNSigma {
  static constexpr const char* kName = "top_n_sigma";
  float n;
  void apply(Candidates& candidates, const SamplingContext&) const;
};

/// Tokens of probability >= a * (the best one's)^2.  RWKV-LM, "top-a sampling" (github.com/BlinkDL/RWKV-LM)
struct TopA {
  static constexpr const char* kName = "top_a";
  float a;
  void apply(Candidates& candidates, const SamplingContext&) const {
    const std::span<const double> p = candidates.probabilities();
    const double best = *std::max_element(p.begin(), p.end());
    detail::keep_probable(candidates, p, static_cast<double>(a) * best * best);
  }
};

/// Exclude top choices: with probability `probability`, of the tokens with p >= threshold only the least probable stays (the last of equal
/// ones); all others stay. Takes one random number.  text-generation-webui, pull request 6335
struct Xtc {
  static constexpr const char* kName = "xtc";
  float threshold, probability;
  void apply(Candidates& candidates, const SamplingContext& context) const;
};

/// Don't repeat yourself: l -= multiplier * base^(n - allowed_length) for a token that would make a repetition of the last n tokens longer,
/// where n >= allowed_length is the longest such repetition within the last `window` ids (< 0: all) that has none of `breakers` in it; they
/// themselves cost nothing.
/// Cost: O(window).  text-generation-webui, pull request 5677
struct Dry {
  static constexpr const char* kName = "dry";
  float multiplier, base = 1.75f;
  index_t allowed_length = 2, window = -1;
  std::vector<std::int32_t> breakers{};
  void apply(Candidates& candidates, const SamplingContext& context);
  std::vector<std::size_t> common{}, longest{};  // scratch: suffixes that two places of the text share; by token
};

/// What mirostat learns from its own choices: mu -= eta (-log2 p(x) - tau), where x is the token that was chosen last and p what it was
/// chosen from. Where the sequence did not grow by one token of those, mu stays.
struct Surprise {
  double tau, eta, mu = 2 * tau;
  void learn(const SamplingContext& context);
  void remember(Candidates& candidates, const SamplingContext& context);
  std::size_t length = 0;  // of the sequence, at the next call
  std::vector<std::int32_t> ids{};
  std::vector<double> probabilities{};
};

/// Keeps the surprise of the text near tau bits: the k best tokens, k = (e 2^mu / (1 - V^-e))^(1 / s) with e = s - 1, where s is Zipf's
/// exponent, estimated from the `most` best tokens.  Mirostat, arXiv:2007.14966, algorithm 1
struct Mirostat {
  static constexpr const char* kName = "mirostat";
  Surprise surprise;
  index_t most = 100;
  void apply(Candidates& candidates, const SamplingContext& context);
  std::vector<double> sorted{};  // scratch
};

/// The same without an estimate: tokens with -log2 p <= mu, or the best.  Mirostat 2.0, arXiv:2007.14966, algorithm 2
struct MirostatV2 {
  static constexpr const char* kName = "mirostat";
  Surprise surprise;
  void apply(Candidates& candidates, const SamplingContext& context) {
    surprise.learn(context);
    detail::keep_probable(candidates, candidates.probabilities(), std::exp2(-surprise.mu));
    surprise.remember(candidates, context);
  }
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/samplers.inl.hpp"
#endif
