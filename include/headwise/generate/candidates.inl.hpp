#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>

#include "headwise/generate/candidates.hpp"

namespace hw {

// e^x = 2^n e^r with |r| <= ln(2) / 2, e^r by its Taylor series.
HEADWISE_INLINE double detail::exp_nonpositive(double x) noexcept {
  if (!(x > -700)) return 0;
  const double n = static_cast<double>(static_cast<std::int64_t>(x * 1.4426950408889634 - 0.5));
  const double r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;  // ln(2) in two parts
  constexpr std::array<double, 13> kInverseFactorials = {
      1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
      1.0 / 720,        1.0 / 120,       1.0 / 24,       1.0 / 6,       0.5,          1.0};
  double sum = 0;
  for (const double c : kInverseFactorials) sum = sum * r + c;
  sum = sum * r + 1.0;
  return sum * std::bit_cast<double>(static_cast<std::uint64_t>(static_cast<std::int64_t>(n) + 1023) << 52);
}

HEADWISE_INLINE Candidates::Candidates(index_t vocab_size) {
  if (vocab_size < 1) fail("sampling", "a vocabulary of at least 1", concat(vocab_size));
  const auto size = checked_cast<std::size_t>(vocab_size, "sampling: vocabulary");
  ids_.reserve(size);
  probabilities_.resize(size);
  scratch_.resize(size);
  selection_.resize(size);
  order_.resize(size);
  distinct_.reserve(size);
  counts_.resize(size);
}

HEADWISE_INLINE void Candidates::reset(std::span<float> logits) {
  if (logits.size() != counts_.size()) fail("sampling", concat(counts_.size(), " logits"), concat(logits.size()));
  bool finite = false, wrong = false;
  for (const float l : logits) {
    finite |= l > kOut;
    wrong |= !(l < -kOut);  // NaN, +inf
  }
  if (wrong) {
    std::size_t count = 0, first = logits.size();
    for (std::size_t i = logits.size(); i-- > 0;)
      if (!(logits[i] < -kOut)) ++count, first = i;
    fail("sampling", concat("the logits hold ", count, std::isnan(logits[first]) ? " NaN" : " NaN or +inf", " (the first is at token ",
                            first, " of ", logits.size(), ")"));
  }
  if (!finite) fail("sampling", concat("all ", logits.size(), " logits are -inf"));
  logits_ = logits;
  listed_ = false;
}

HEADWISE_INLINE std::span<const std::int32_t> Candidates::ids() {
  if (listed_) {
    std::erase_if(ids_, [&](std::int32_t id) { return logit(id) == kOut; });
  } else {
    ids_.clear();
    for (std::size_t i = 0; i < logits_.size(); ++i)
      if (logits_[i] != kOut) ids_.push_back(static_cast<std::int32_t>(i));
    listed_ = true;
  }
  return ids_;
}

HEADWISE_INLINE bool Candidates::any() const noexcept {
  if (listed_) return std::any_of(ids_.begin(), ids_.end(), [&](std::int32_t id) { return logit(id) != kOut; });
  return std::any_of(logits_.begin(), logits_.end(), [](float l) { return l != kOut; });
}

HEADWISE_INLINE std::int32_t Candidates::best() const noexcept {
  if (!listed_) return static_cast<std::int32_t>(std::max_element(logits_.begin(), logits_.end()) - logits_.begin());
  return *std::max_element(ids_.begin(), ids_.end(), [&](std::int32_t a, std::int32_t b) { return logit(a) < logit(b); });
}

HEADWISE_INLINE std::span<const double> Candidates::probabilities() {
  const std::span<const std::int32_t> left = ids();
  const double max = static_cast<double>(max_logit());
  if (!std::isfinite(max)) fail("sampling", "a filter or a bias made a logit NaN or +inf");
  double sum = 0;
  for (std::size_t i = 0; i < left.size(); ++i)
    sum += probabilities_[i] = detail::exp_nonpositive(static_cast<double>(logit(left[i])) - max);
  const std::span<double> out = std::span(probabilities_).first(left.size());
  for (double& p : out) p /= sum;
  return out;
}

HEADWISE_INLINE float Candidates::logit_of_rank(std::size_t count) {
  const std::span<const std::int32_t> left = ids();
  const auto greater = std::greater<float>();
  if (count > 512) {
    for (std::size_t i = 0; i < left.size(); ++i) selection_[i] = logit(left[i]);
    const auto nth = selection_.begin() + static_cast<std::ptrdiff_t>(count - 1);
    std::nth_element(selection_.begin(), nth, selection_.begin() + static_cast<std::ptrdiff_t>(left.size()), greater);
    return *nth;
  }
  // A heap of the best so far with the worst of them on top: most tokens cost one comparison.
  const auto begin = selection_.begin(), end = begin + static_cast<std::ptrdiff_t>(count);
  for (std::size_t i = 0; i < count; ++i) selection_[i] = logit(left[i]);
  std::make_heap(begin, end, greater);
  for (std::size_t i = count; i < left.size(); ++i) {
    if (logit(left[i]) <= selection_[0]) continue;
    std::pop_heap(begin, end, greater);
    *(end - 1) = logit(left[i]);
    std::push_heap(begin, end, greater);
  }
  return selection_[0];
}

// `rank` is in nats. Tokens fall into buckets by rank. All of the better buckets stay; only the bucket in which the mass is reached is
// sorted.
HEADWISE_INLINE void Candidates::keep_mass(std::span<const double> rank, double mass) {
  constexpr std::size_t kBuckets = 256;
  const std::span<const double> p = std::span(probabilities_).first(rank.size());
  constexpr double kRange = 40;  // nats; what is worse than that is one bucket
  const auto [lowest, highest] = std::minmax_element(rank.begin(), rank.end());
  const double range = std::min(*highest - *lowest, kRange), base = *lowest, scale = range > 0 ? (kBuckets - 1) / range : 0;
  const auto bucket = [&](std::size_t i) { return static_cast<std::size_t>(std::min(rank[i] - base, range) * scale); };
  std::array<double, kBuckets> masses{};
  for (std::size_t i = 0; i < rank.size(); ++i) masses[bucket(i)] += p[i];
  double before = 0;
  std::size_t last = 0;
  while (last + 1 < kBuckets && before + masses[last] < mass) before += masses[last++];
  std::size_t inside = 0;
  for (std::size_t i = 0; i < rank.size(); ++i)
    if (bucket(i) == last) order_[inside++] = static_cast<std::uint32_t>(i);
  const auto begin = order_.begin();
  std::sort(begin, begin + static_cast<std::ptrdiff_t>(inside),
            [&](std::uint32_t a, std::uint32_t b) { return rank[a] != rank[b] ? rank[a] < rank[b] : a < b; });
  std::size_t kept = 0;
  while (kept < inside && (before < mass || (kept == 0 && last == 0))) before += p[order_[kept++]];
  for (std::size_t i = 0; i < rank.size(); ++i)
    if (bucket(i) > last) logit(ids_[i]) = kOut;
  for (std::size_t k = kept; k < inside; ++k) logit(ids_[order_[k]]) = kOut;
}

HEADWISE_INLINE std::span<const std::int32_t> Candidates::distinct(std::span<const std::int32_t> context) {
  for (const std::int32_t id : distinct_) counts_[static_cast<std::size_t>(id)] = 0;
  distinct_.clear();
  for (const std::int32_t id : context) {
    if (id < 0 || static_cast<std::size_t>(id) >= counts_.size()) continue;
    if (counts_[static_cast<std::size_t>(id)]++ == 0) distinct_.push_back(id);
  }
  return distinct_;
}

}  // namespace hw
