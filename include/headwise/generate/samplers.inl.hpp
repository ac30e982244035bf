#pragma once
#include <algorithm>

#include "headwise/generate/samplers.hpp"

namespace hw {
namespace detail {

inline std::span<const std::int32_t> last_ids(std::span<const std::int32_t> ids, index_t window) {
  return window < 0 || static_cast<std::size_t>(window) >= ids.size() ? ids : ids.last(static_cast<std::size_t>(window));
}

// -sum p ln p
inline double entropy(std::span<const double> p) {
  double sum = 0;
  for (const double x : p)
    if (x > 0) sum -= x * std::log(x);
  return sum;
}

// Tokens of probability >= least; the best ones always.
inline void keep_probable(Candidates& candidates, std::span<const double> p, double least) {
  const double best = *std::max_element(p.begin(), p.end());
  std::size_t i = 0;
  candidates.keep([&](std::int32_t, float) { return p[i] >= least || p[i] == best ? ++i, true : (++i, false); });
}

}  // namespace detail

HEADWISE_INLINE void SamplingChain::apply(Candidates& candidates, const SamplingContext& context) {
  const std::string_view filter = emptied_by(candidates, context);
  if (!filter.empty()) fail("sampling", concat("the filter '", filter, "' leaves no token to choose from"));
}

HEADWISE_INLINE std::string_view SamplingChain::emptied_by(Candidates& candidates, const SamplingContext& context) {
  for (Link& link : links_) {
    link.apply(candidates, context);
    if (!candidates.any()) return link.name;
  }
  return {};
}

HEADWISE_INLINE std::vector<std::string> SamplingChain::names() const {
  std::vector<std::string> out;
  for (const Link& link : links_) out.push_back(link.name);
  return out;
}

HEADWISE_INLINE void RepetitionPenalty::apply(Candidates& candidates, const SamplingContext& context) const {
  for (const std::int32_t id : candidates.distinct(detail::last_ids(context.ids, window))) {
    float& l = candidates.logit(id);
    l = l > 0 ? l / penalty : l * penalty;
  }
}

HEADWISE_INLINE void OccurrencePenalty::apply(Candidates& candidates, const SamplingContext& context) const {
  for (const std::int32_t id : candidates.distinct(detail::last_ids(context.ids, window)))
    candidates.logit(id) -= frequency * static_cast<float>(candidates.occurrences(id)) + presence;
}

HEADWISE_INLINE void NoRepeatNgram::apply(Candidates& candidates, const SamplingContext& context) const {
  const auto n = static_cast<std::size_t>(size);
  if (size < 1 || context.ids.size() < n) return;
  const std::span<const std::int32_t> begun = context.ids.last(n - 1);
  for (std::size_t i = 0; i + n <= context.ids.size(); ++i) {
    const std::int32_t next = context.ids[i + n - 1];
    const bool known = next >= 0 && next < candidates.vocab_size();
    if (known && std::equal(begun.begin(), begun.end(), context.ids.begin() + static_cast<std::ptrdiff_t>(i)))
      candidates.logit(next) = Candidates::kOut;
  }
}

HEADWISE_INLINE void TypicalP::apply(Candidates& candidates, const SamplingContext&) const {
  const std::span<const double> probability = candidates.probabilities();
  const double entropy = detail::entropy(probability);
  const std::span<double> rank = candidates.scratch();
  for (std::size_t i = 0; i < rank.size(); ++i) rank[i] = std::fabs(-std::log(std::max(probability[i], 1e-300)) - entropy);
  candidates.keep_mass(rank, static_cast<double>(p));
}

HEADWISE_INLINE void EpsilonCutoff::apply(Candidates& candidates, const SamplingContext&) const {
  detail::keep_probable(candidates, candidates.probabilities(), static_cast<double>(epsilon));
}

HEADWISE_INLINE void EtaCutoff::apply(Candidates& candidates, const SamplingContext&) const {
  const std::span<const double> probability = candidates.probabilities();
  const double e = static_cast<double>(epsilon);
  detail::keep_probable(candidates, probability, std::min(e, std::sqrt(e) * std::exp(-detail::entropy(probability))));
}

HEADWISE_INLINE void TopNSigma::apply(Candidates& candidates, const SamplingContext&) const {
  double sum = 0, squares = 0, count = 0;
  candidates.each([&](std::int32_t, float& l) { sum += static_cast<double>(l), ++count; });
  const double mean = sum / count;
  candidates.each([&](std::int32_t, float& l) { squares += (static_cast<double>(l) - mean) * (static_cast<double>(l) - mean); });
  const double least = static_cast<double>(candidates.max_logit()) - static_cast<double>(n) * std::sqrt(squares / count);
  candidates.keep([&](std::int32_t, float l) { return static_cast<double>(l) >= least; });
}

}  // namespace hw
