#pragma once
// Routers that see one row's logits at a time: what a paper changes is a policy of a few lines.

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>

#include "headwise/core/scalars.hpp"
#include "headwise/moe/router.hpp"

namespace hw {

/// One row's items while they are chosen.
class Choice {
 public:
  Choice(int* item, float* weight) noexcept : item_(item), weight_(weight) {}
  void add(index_t item, float weight) noexcept {
    item_[count_] = static_cast<int>(item);
    weight_[count_++] = weight;
  }
  int size() const noexcept { return count_; }
  int item(int i) const noexcept { return item_[i]; }
  int& item(int i) noexcept { return item_[i]; }
  std::span<float> weights() const noexcept { return {weight_, static_cast<std::size_t>(count_)}; }

 private:
  int count_ = 0;
  int* item_;
  float* weight_;
};

/// A plan of at most `most` items a row in the step's arena: choose(row, choice) fills each. Weights are those after the experts.
template <class Choose>
Plan make_plan(const Step& step, index_t rows, index_t most, const Choose& choose) {
  const auto begin = step.arena.take<int>(rows + 1), item = step.arena.take<int>(rows * most);
  const auto weight = step.arena.take<float>(rows * most);
  int at = 0;
  for (index_t r = 0; r < rows; ++r) {
    begin[static_cast<std::size_t>(r)] = at;
    Choice choice(item.data() + at, weight.data() + at);
    choose(r, choice);
    at += choice.size();
  }
  begin.back() = at;
  return {begin, item.first(static_cast<std::size_t>(at)), {}, weight.first(static_cast<std::size_t>(at))};
}

/// x = exp(x - max x) / sum exp(x - max x)
inline void softmax_row(std::span<float> x) noexcept {
  const float top = x.empty() ? 0.0f : *std::max_element(x.begin(), x.end());
  float sum = 0;
  for (float& v : x) sum += v = std::exp(v - top);
  for (float& v : x) v /= sum;
}

/// The place of the largest of x, of equal ones the first.
inline index_t largest(std::span<const float> x) noexcept { return std::max_element(x.begin(), x.end()) - x.begin(); }

/// The n largest of x, best first, with their values as weights. x: overwritten.
inline void choose_best(std::span<float> x, index_t n, Choice& out) noexcept {
  for (index_t i = 0; i < n; ++i) {
    const index_t best = largest(x);
    out.add(best, x[static_cast<std::size_t>(best)]);
    x[static_cast<std::size_t>(best)] = -std::numeric_limits<float>::infinity();
  }
}

namespace detail {
/// Throws when a row's scores are not numbers.
void check_scores(std::span<const float> scores, index_t row, std::string_view where);
}  // namespace detail

/// logits = Wx;  the policy chooses:  choose(std::span<float> logits, Choice&) const noexcept, which may overwrite the logits
///
/// A policy has `Config`, a constructor (Config, experts, Build), `most(experts)` items at most and, where there are not as many logits as
/// experts, `logits(experts)`. Weights: `weight` (logits, d), and the policy's. Error, in forward: logits that are not numbers.
template <class P>
class RowRouter {
 public:
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t hidden_size = 0;
    index_t num_experts = 0;
    typename P::Config policy{};
  };

  RowRouter(const Config& c, const Build& b)
      : experts_(c.num_experts),
        policy_(c.policy, c.num_experts, b),
        logits_(c.hidden_size, count(), false, b.as_filed()),
        where_(b.path("")) {}
  index_t experts() const noexcept { return experts_; }

  Plan route(In in) const {
    const View logits = in.frame.step.arena.take_view(in.x.rows, logits_.out());
    logits_.forward(in.x, logits, in.frame);
    return make_plan(in.frame.step, logits.rows, policy_.most(experts_), [&](index_t row, Choice& choice) {
      detail::check_scores(logits[row], row, where_);
      policy_.choose(logits[row], choice);
    });
  }

 private:
  index_t count() const {
    if constexpr (requires { policy_.logits(experts_); }) {
      return policy_.logits(experts_);
    } else {
      return experts_;
    }
  }

  index_t experts_;
  P policy_;
  Linear logits_;
  std::string where_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/moe/row_router.inl.hpp"
#endif
