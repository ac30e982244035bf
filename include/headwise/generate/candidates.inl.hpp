#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>

#include "headwise/generate/candidates.hpp"

namespace hw {

HEADWISE_INLINE Candidates::Candidates(index_t vocab_size) {
  if (vocab_size < 1) fail("sampling", "a vocabulary of at least 1", concat(vocab_size));
  const auto size = checked_cast<std::size_t>(vocab_size, "sampling: vocabulary");
  ids_.resize(size);
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
  std::size_t left = 0;  // without branches: most rows are half dropped at some point
  if (listed_) {
    for (std::size_t i = 0; i < left_; ++i) {
      ids_[left] = ids_[i];
      left += logit(ids_[i]) != kOut;
    }
  } else {
    for (std::size_t i = 0; i < logits_.size(); ++i) {
      ids_[left] = static_cast<std::int32_t>(i);
      left += logits_[i] != kOut;
    }
    listed_ = true;
  }
  left_ = left;
  return listed();
}

HEADWISE_INLINE bool Candidates::any() const noexcept {
  const auto list = listed();
  if (listed_) return std::any_of(list.begin(), list.end(), [&](std::int32_t id) { return logit(id) != kOut; });
  return std::any_of(logits_.begin(), logits_.end(), [](float l) { return l != kOut; });
}

HEADWISE_INLINE float Candidates::max_logit() const noexcept {
  if (listed_) return logit(best());
  std::array<float, 16> max;  // of every 16th logit: comparisons that do not wait for each other
  max.fill(kOut);
  const std::size_t whole = logits_.size() / max.size() * max.size();
  for (std::size_t i = 0; i < whole; i += max.size())
    for (std::size_t j = 0; j < max.size(); ++j) max[j] = logits_[i + j] > max[j] ? logits_[i + j] : max[j];
  for (std::size_t i = whole; i < logits_.size(); ++i) max[0] = std::max(max[0], logits_[i]);
  return *std::max_element(max.begin(), max.end());
}

HEADWISE_INLINE std::int32_t Candidates::best() const noexcept {
  if (!listed_) return static_cast<std::int32_t>(std::find(logits_.begin(), logits_.end(), max_logit()) - logits_.begin());
  const auto list = listed();
  return *std::max_element(list.begin(), list.end(), [&](std::int32_t a, std::int32_t b) { return logit(a) < logit(b); });
}

HEADWISE_INLINE std::span<const double> Candidates::probabilities() {
  const std::span<const std::int32_t> left = ids();
  const double max = static_cast<double>(max_logit());
  if (!std::isfinite(max)) fail("sampling", "a filter or a bias made a logit NaN or +inf");
  double sum = 0;
  for (std::size_t i = 0; i < left.size(); ++i)
    sum += probabilities_[i] = detail::exp_nonpositive(static_cast<double>(logit(left[i])) - max);
  const std::span<double> out = std::span(probabilities_).first(left.size());
  const double scale = 1 / sum;
  for (double& p : out) p *= scale;
  return out;
}

HEADWISE_INLINE float Candidates::logit_of_rank(std::size_t count) {
  std::span<const float> row = logits_;
  const auto greater = std::greater<float>();
  if (listed_) {
    if (count > left_) return kOut;
    for (std::size_t i = 0; i < left_; ++i) selection_[i] = logit(ids_[i]);
    row = std::span(selection_).first(left_);
  }
  const auto begin = selection_.begin(), end = begin + static_cast<std::ptrdiff_t>(count);
  if (!listed_) std::copy_n(row.begin(), count > kHeap ? row.size() : count, begin);
  if (count > kHeap) {
    std::nth_element(begin, end - 1, begin + static_cast<std::ptrdiff_t>(row.size()), greater);
    return *(end - 1);
  }
  // A heap of the best so far with the worst of them on top: most tokens cost one comparison.
  std::make_heap(begin, end, greater);
  for (std::size_t i = count; i < row.size(); ++i) {
    const float l = row[i];
    if (l <= selection_[0]) continue;
    std::pop_heap(begin, end, greater);
    *(end - 1) = l;
    std::push_heap(begin, end, greater);
  }
  return selection_[0];
}

HEADWISE_INLINE void Candidates::only(std::int32_t id, float value) {
  std::fill(logits_.begin(), logits_.end(), kOut);
  logit(id) = value;
  listed_ = false;
}

HEADWISE_INLINE void Candidates::keep_ids(std::vector<std::int32_t> ids) {
  std::sort(ids.begin(), ids.end());
  if (!ids.empty() && (ids.front() < 0 || ids.back() >= vocab_size()))
    fail("sampling", concat("allowed ids from 0 to ", vocab_size() - 1), concat(ids.front() < 0 ? ids.front() : ids.back()));
  auto next = ids.begin();
  each([&](std::int32_t id, float& value) {
    while (next != ids.end() && *next < id) ++next;
    if (next == ids.end() || *next != id) value = kOut;
  });
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
