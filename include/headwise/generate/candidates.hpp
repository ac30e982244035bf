#pragma once
// The tokens that one step may still choose from: what the filters of a sampler work on.

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "headwise/core/error.hpp"

namespace hw {

/// One row of logits, and which tokens are still in the running. All buffers have the vocabulary's size from the start: nothing is
/// allocated later.
///
/// A token is out when its logit is -inf. Filters may write to `logits()` as they like (not NaN, not +inf), or use the calls below.
class Candidates {
 public:
  static constexpr float kOut = -std::numeric_limits<float>::infinity();

  explicit Candidates(index_t vocab_size);

  /// All tokens of a row, which is changed in place from here on. Errors: another size; NaN, +inf or nothing but -inf in it.
  void reset(std::span<float> logits);

  index_t vocab_size() const noexcept { return static_cast<index_t>(counts_.size()); }
  std::span<float> logits() const noexcept { return logits_; }
  float& logit(std::int32_t id) const noexcept { return logits_[static_cast<std::size_t>(id)]; }

  /// The tokens that are left, ascending. Cost: O(vocabulary) the first time, O(tokens left) after that.
  std::span<const std::int32_t> ids();

  /// Whether any token is left.
  bool any() const noexcept;
  /// The token with the largest logit; the first of several. Only where any() holds.
  std::int32_t best() const noexcept;
  float max_logit() const noexcept { return logits_[static_cast<std::size_t>(best())]; }

  /// softmax over the tokens that are left, one for each of ids(). Only where any() holds.
  std::span<const double> probabilities();

  /// Calls change(id, logit) for each token that is left.
  template <class Change>
  void each(Change change);

  /// Drops the tokens for which wanted(id, logit) is false.
  template <class Wanted>
  void keep(Wanted wanted);

  /// Drops all tokens but the smallest set with a probability of `mass` or more in the order of `rank` (nats, one for each of ids(),
  /// smallest first; equal values by id). At least one stays. Cost: O(tokens left) and a sort of those that are about as good as the last
  /// one.
  void keep_mass(std::span<const double> rank, double mass);

  /// Scratch for a filter: as many numbers as there are tokens left.
  std::span<double> scratch() { return std::span(scratch_).first(ids().size()); }

  /// The logit that `count` tokens reach or exceed. Only for 0 < count <= tokens left. Cost: O(vocabulary), no sort.
  float logit_of_rank(std::size_t count);

  /// The different ids among `context`, in order of appearance; `occurrences` says how often each is there. Ids outside of the vocabulary
  /// (rows given as vectors) do not count.
  std::span<const std::int32_t> distinct(std::span<const std::int32_t> context);
  std::int32_t occurrences(std::int32_t id) const noexcept { return counts_[static_cast<std::size_t>(id)]; }

 private:
  std::span<float> logits_;
  bool listed_ = false;  // ids_ holds what is left, and maybe tokens that have gone out since
  std::vector<std::int32_t> ids_;
  std::vector<double> probabilities_;
  std::vector<double> scratch_;
  std::vector<float> selection_;      // scratch of logit_of_rank
  std::vector<std::uint32_t> order_;  // scratch of keep_mass
  std::vector<std::int32_t> distinct_, counts_;
};

template <class Change>
void Candidates::each(Change change) {
  if (listed_) {
    for (const std::int32_t id : ids_)
      if (logit(id) != kOut) change(id, logit(id));
  } else {
    for (std::size_t i = 0; i < logits_.size(); ++i)
      if (logits_[i] != kOut) change(static_cast<std::int32_t>(i), logits_[i]);
  }
}

template <class Wanted>
void Candidates::keep(Wanted wanted) {
  each([&](std::int32_t id, float& value) {
    if (!wanted(id, value)) value = kOut;
  });
}

namespace detail {

/// e^x for x <= 0 by arithmetic alone, within 2^-51 of it: no mathematical library decides about a sample, and the loop stays short.
double exp_nonpositive(double x) noexcept;

}  // namespace detail
}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/candidates.inl.hpp"
#endif
