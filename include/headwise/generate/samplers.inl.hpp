#pragma once
#include <algorithm>
#include <utility>

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

HEADWISE_INLINE void keep_probable(Candidates& candidates, std::span<const double> p, double least) {
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

HEADWISE_INLINE void Xtc::apply(Candidates& candidates, const SamplingContext& context) const {
  if (!(context.rng.uniform() < static_cast<double>(probability))) return;
  const std::span<const double> p = candidates.probabilities();
  std::size_t least = p.size();
  for (std::size_t i = 0; i < p.size(); ++i)
    if (p[i] >= static_cast<double>(threshold) && (least == p.size() || p[i] <= p[least])) least = i;
  std::size_t i = 0;
  candidates.keep([&](std::int32_t, float) { return i == least || p[i] < static_cast<double>(threshold) ? ++i, true : (++i, false); });
}

HEADWISE_INLINE void Dry::apply(Candidates& candidates, const SamplingContext& context) {
  const std::span<const std::int32_t> ids = detail::last_ids(context.ids, window);
  const std::size_t size = ids.size();
  const auto at = [&](std::size_t i) { return ids[size - 1 - i]; };  // backwards
  const auto breaks = [&](std::int32_t id) { return id < 0 || std::find(breakers.begin(), breakers.end(), id) != breakers.end(); };
  std::size_t limit = 0;  // tokens since the last breaker
  while (limit < size && !breaks(at(limit))) ++limit;
  // common[i]: how many tokens before the i-th from the end are those at the end (Z-algorithm: Gusfield 1997, 1.4).
  common.assign(size, 0);
  longest.resize(static_cast<std::size_t>(candidates.vocab_size()));
  for (std::size_t i = 1, begin = 0, end = 0; i < size; ++i) {
    std::size_t n = i < end ? std::min(end - i, common[i - begin]) : 0;
    while (i + n < size && at(n) == at(i + n)) ++n;
    if (i + n > end) begin = i, end = i + n;
    common[i] = n;
    const std::int32_t next = at(i - 1);
    if (next >= 0 && next < candidates.vocab_size()) {
      std::size_t& best = longest[static_cast<std::size_t>(next)];
      best = std::max(best, std::min(n, limit));
    }
  }
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= candidates.vocab_size()) continue;
    const std::size_t n = std::exchange(longest[static_cast<std::size_t>(id)], 0);
    if (n > 0 && !breaks(id) && static_cast<index_t>(n) >= allowed_length)
      candidates.logit(id) -= std::min(multiplier * std::pow(base, static_cast<float>(static_cast<index_t>(n) - allowed_length)), 1e30f);
  }
}

HEADWISE_INLINE void Surprise::learn(const SamplingContext& context) {
  if (context.ids.size() != length || context.ids.empty()) return;
  const auto x = std::find(ids.begin(), ids.end(), context.ids.back());
  if (x != ids.end()) mu -= eta * (-std::log2(probabilities[static_cast<std::size_t>(x - ids.begin())]) - tau);
}

HEADWISE_INLINE void Surprise::remember(Candidates& candidates, const SamplingContext& context) {
  const std::span<const double> p = candidates.probabilities();
  probabilities.assign(p.begin(), p.end());
  ids.assign(candidates.ids().begin(), candidates.ids().end());
  length = context.ids.size() + 1;
}

HEADWISE_INLINE void Mirostat::apply(Candidates& candidates, const SamplingContext& context) {
  surprise.learn(context);
  const std::span<const double> p = candidates.probabilities();
  sorted.resize(std::min(p.size(), static_cast<std::size_t>(most)));
  std::partial_sort_copy(p.begin(), p.end(), sorted.begin(), sorted.end(), std::greater<double>());
  // p_i ~ i^-s, so ln(p_i / p_{i+1}) = s ln((i + 1) / i): least squares.
  double tb = 0, tt = 0;
  for (std::size_t i = 0; i + 1 < sorted.size() && sorted[i + 1] > 0; ++i) {
    const double t = std::log(static_cast<double>(i + 2) / static_cast<double>(i + 1));
    tb += t * std::log(sorted[i] / sorted[i + 1]);
    tt += t * t;
  }
  const double s = tt > 0 ? tb / tt : 0, e = s - 1, vocabulary = static_cast<double>(candidates.vocab_size());
  // e / (1 - V^-e) tends to 1 / ln V as e tends to 0; for s = 0 (all alike) every token stays where 2^mu >= V.
  const double slope = std::fabs(e) > 1e-9 ? e / (1 - std::pow(vocabulary, -e)) : 1 / std::log(std::max(vocabulary, 2.0));
  const double k = std::pow(slope * std::exp2(surprise.mu), 1 / std::max(s, 1e-3));
  if (!(k >= static_cast<double>(p.size()))) {
    const float least = candidates.logit_of_rank(static_cast<std::size_t>(std::max(std::round(k), 1.0)));
    candidates.keep([&](std::int32_t, float l) { return l >= least; });
  }
  surprise.remember(candidates, context);
}

}  // namespace hw
