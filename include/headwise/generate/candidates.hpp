#pragma once
// The tokens that one step may still choose from: what the filters of a sampler work on.

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "headwise/core/error.hpp"

namespace hw {

namespace detail {

// 2^(j / 32)
inline constexpr double kRootsOfTwo[32] = {
    0x1.0000000000000p+0, 0x1.059b0d3158574p+0, 0x1.0b5586cf9890fp+0, 0x1.11301d0125b51p+0, 0x1.172b83c7d517bp+0, 0x1.1d4873168b9aap+0,
    0x1.2387a6e756238p+0, 0x1.29e9df51fdee1p+0, 0x1.306fe0a31b715p+0, 0x1.371a7373aa9cbp+0, 0x1.3dea64c123422p+0, 0x1.44e086061892dp+0,
    0x1.4bfdad5362a27p+0, 0x1.5342b569d4f82p+0, 0x1.5ab07dd485429p+0, 0x1.6247eb03a5585p+0, 0x1.6a09e667f3bcdp+0, 0x1.71f75e8ec5f74p+0,
    0x1.7a11473eb0187p+0, 0x1.82589994cce13p+0, 0x1.8ace5422aa0dbp+0, 0x1.93737b0cdc5e5p+0, 0x1.9c49182a3f090p+0, 0x1.a5503b23e255dp+0,
    0x1.ae89f995ad3adp+0, 0x1.b7f76f2fb5e47p+0, 0x1.c199bdd85529cp+0, 0x1.cb720dcef9069p+0, 0x1.d5818dcfba487p+0, 0x1.dfc97337b9b5fp+0,
    0x1.ea4afa2a490dap+0, 0x1.f50765b6e4540p+0};

/// e^x for x <= 0 by arithmetic alone, within 2^-51 of it: no mathematical library decides about a sample, and the loop stays short.
/// e^x = 2^(n / 32) e^r with |r| <= ln(2) / 64, e^r by its Taylor series.
inline double exp_nonpositive(double x) noexcept {
  if (!(x > -700)) return 0;
  const auto n = static_cast<std::int64_t>(x * 0x1.71547652b82fep+5 - 0.5);
  const double m = static_cast<double>(n), r = (x - m * 0x1.62e42fec00000p-6) - m * 0x1.d1cf79abc9e3bp-37;  // ln(2) / 32 in two parts
  const double r2 = r * r;
  const double series = 1 + (r + r2 * ((0.5 + r * (1.0 / 6)) + r2 * ((1.0 / 24 + r * (1.0 / 120)) + r2 * (1.0 / 720))));
  const double power = std::bit_cast<double>(static_cast<std::uint64_t>((n >> 5) + 1023) << 52);
  return series * kRootsOfTwo[n & 31] * power;
}

/// log sum_j exp(x_j); -inf where nothing is above it.
inline double log_sum_exp(std::span<const float> x) noexcept {
  double top = -std::numeric_limits<double>::infinity(), sum = 0;
  for (const float v : x) top = std::max(top, static_cast<double>(v));
  if (top == -std::numeric_limits<double>::infinity()) return top;
  for (const float v : x) sum += exp_nonpositive(static_cast<double>(v) - top);
  return top + std::log(sum);
}

}  // namespace detail

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
  float max_logit() const noexcept;

  /// softmax over the tokens that are left, one for each of ids(). Only where any() holds.
  std::span<const double> probabilities();

  /// Calls change(id, logit) for each token that is left.
  template <class Change>
  void each(Change change);

  /// Drops the tokens for which wanted(id, logit) is false.
  template <class Wanted>
  void keep(Wanted wanted);

  /// Drops all tokens but `id`, which is back in the running with this logit wherever it was.
  void only(std::int32_t id, float logit);

  /// Drops all tokens but those of `ids`, in any order. Errors: an id outside of the vocabulary.
  void keep_ids(std::vector<std::int32_t> ids);

  /// Drops all tokens but the smallest set with a probability of `mass` or more in the order of `rank` (nats, one for each of ids(),
  /// smallest first; equal values by id). At least one stays. Cost: O(tokens left) and a sort of those that are about as good as the last
  /// one.
  void keep_mass(std::span<const double> rank, double mass);

  /// Scratch for a filter: as many numbers as there are tokens left.
  std::span<double> scratch() { return std::span(scratch_).first(ids().size()); }

  /// The logit that `count` tokens reach or exceed, for 0 < count <= vocabulary; -inf where fewer are left. Cost: O(vocabulary), no sort.
  float logit_of_rank(std::size_t count);

  /// The different ids among `context`, in order of appearance; `occurrences` says how often each is there. Ids outside of the vocabulary
  /// (rows given as vectors) do not count.
  std::span<const std::int32_t> distinct(std::span<const std::int32_t> context);
  std::int32_t occurrences(std::int32_t id) const noexcept { return counts_[static_cast<std::size_t>(id)]; }

 private:
  static constexpr std::size_t kHeap = 512;  // up to so many are selected by a heap
  std::span<const std::int32_t> listed() const noexcept { return std::span(ids_).first(left_); }

  std::span<float> logits_;
  bool listed_ = false;  // ids_ holds the left_ tokens that are left, and maybe tokens that have gone out since
  std::size_t left_ = 0;
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
    for (const std::int32_t id : listed())
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

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/candidates.inl.hpp"
#endif
