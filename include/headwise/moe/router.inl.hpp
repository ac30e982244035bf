#pragma once
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "headwise/moe/router.hpp"

namespace hw {
namespace detail {

inline const TopKRouter::Config& checked(const TopKRouter::Config& c, const Build& b) {
  const std::string where = b.path("weight");
  if (c.num_experts < 1) fail(where, "at least one expert", std::to_string(c.num_experts));
  if (c.top_k < 1 || c.top_k > c.num_experts)
    fail(where, concat("1 to ", c.num_experts, " experts for each token"), std::to_string(c.top_k));
  if (c.groups < 1 || c.num_experts % c.groups != 0)
    fail(where, concat("a number of groups that divides ", c.num_experts, " experts"), std::to_string(c.groups));
  if (c.top_groups < 1 || c.top_groups > c.groups)
    fail(where, concat("1 to ", c.groups, " groups to choose from"), std::to_string(c.top_groups));
  if (c.top_groups * (c.num_experts / c.groups) < c.top_k)
    fail(where, concat("groups with at least ", c.top_k, " experts in the ", c.top_groups, " chosen"),
         concat(c.num_experts / c.groups, " each"));
  if (c.group_pairs && c.groups > 1 && c.num_experts / c.groups < 2) fail(where, "groups of at least two experts", "one each");
  return c;
}

// A plan of `each` items a row.
struct EqualPlan {
  std::span<int> begin, item;
  std::span<float> weight;

  EqualPlan(index_t rows, index_t each, Arena& arena)
      : begin(arena.take<int>(rows + 1)), item(arena.take<int>(rows * each)), weight(arena.take<float>(rows * each)) {
    for (index_t r = 0; r <= rows; ++r) begin[static_cast<std::size_t>(r)] = static_cast<int>(r * each);
  }
};

// The `n` largest of s, the lower index where they are equal, in ascending order of index. `taken` has a flag for each of s.
inline void choose_largest(std::span<const float> s, index_t n, std::span<char> taken, int* out) {
  std::fill(taken.begin(), taken.end(), char{0});
  for (index_t i = 0; i < n; ++i) {
    std::size_t best = s.size();
    for (std::size_t e = 0; e < s.size(); ++e)
      if (!taken[e] && (best == s.size() || s[e] > s[best])) best = e;
    taken[best] = 1;
  }
  for (std::size_t e = 0; e < s.size(); ++e)
    if (taken[e]) *out++ = static_cast<int>(e);
}

// Throws when a row's logits are not numbers.
inline void check_logits(ConstView logits, std::string_view where) {
  for (index_t r = 0; r < logits.rows; ++r)
    for (index_t e = 0; e < logits.cols; ++e)
      if (!std::isfinite(logits.row(r)[e])) fail(where, concat("a finite score of expert ", e, " for row ", r), "NaN or infinity");
}

}  // namespace detail

HEADWISE_LOAD_TIME TopKRouter::TopKRouter(const Config& c, const Build& b)
    : config_(detail::checked(c, b)),
      logits_(c.hidden_size, c.num_experts, c.bias, b.as_filed()),
      choice_bias_(c.choice_bias ? b.vector("choice_bias", c.num_experts) : std::vector<float>()),
      where_(b.path("")) {}

HEADWISE_INLINE Plan TopKRouter::route(In in) const {
  const Step& step = in.frame.step;
  const index_t n = config_.num_experts, k = config_.top_k, group = n / config_.groups, t = in.x.rows;
  const detail::EqualPlan plan(t, k, step.arena);
  const View s = step.arena.take_view(t, n), choice = step.arena.take_view(t, n), best = step.arena.take_view(t, config_.groups);
  const auto taken = step.arena.take<char>(t * n);
  const auto groups = step.arena.take<int>(t * config_.groups);
  logits_.forward(in.x, s, in.frame);
  detail::check_logits(s, where_);
  const auto row = [&](index_t r) {
    float* const p = s.row(r);
    float* const c = choice.row(r);
    if (config_.score == RouterScore::softmax)
      step.kernels.elementwise.softmax(p, n, 1, n, p, n);
    else
      step.kernels.elementwise.activate(Activation::sigmoid, p, n, 1, n, p, n);
    for (index_t e = 0; e < n; ++e) c[e] = p[e] + (choice_bias_.empty() ? 0.0f : choice_bias_[static_cast<std::size_t>(e)]);
    const auto flags = taken.subspan(static_cast<std::size_t>(r * n), static_cast<std::size_t>(n));
    if (config_.top_groups < config_.groups) {
      float* const scores = best.row(r);
      for (index_t g = 0; g < config_.groups; ++g) {
        float first = -std::numeric_limits<float>::infinity(), second = first;
        for (index_t e = g * group; e < (g + 1) * group; ++e) {
          second = std::max(second, std::min(first, c[e]));
          first = std::max(first, c[e]);
        }
        scores[g] = config_.group_pairs ? first + second : first;
      }
      int* const chosen = &groups[static_cast<std::size_t>(r * config_.groups)];
      const auto some = static_cast<std::size_t>(config_.groups);
      detail::choose_largest({scores, some}, config_.top_groups, flags.first(some), chosen);
      for (index_t e = 0; e < n; ++e)
        if (std::find(chosen, chosen + config_.top_groups, static_cast<int>(e / group)) == chosen + config_.top_groups)
          c[e] = -std::numeric_limits<float>::infinity();
    }
    int* const items = &plan.item[static_cast<std::size_t>(r * k)];
    float* const weights = &plan.weight[static_cast<std::size_t>(r * k)];
    detail::choose_largest({c, static_cast<std::size_t>(n)}, k, flags, items);
    float sum = 0;
    for (index_t i = 0; i < k; ++i) sum += weights[i] = p[items[i]];
    const float factor = config_.scale / (config_.renormalise ? std::max(sum, std::numeric_limits<float>::min()) : 1.0f);
    for (index_t i = 0; i < k; ++i) weights[i] *= factor;
  };
  step.parallel_rows(t, (k + 12) * n, [&](index_t first, index_t last) {
    for (index_t r = first; r < last; ++r) row(r);
  });
  if (config_.scale_input) return {plan.begin, plan.item, plan.weight, {}};
  return {plan.begin, plan.item, {}, plan.weight};
}

HEADWISE_LOAD_TIME SparseMixerRouter::SparseMixerRouter(const Config& c, const Build& b)
    : config_(c), logits_(c.hidden_size, c.num_experts, false, b.as_filed()), where_(b.path("")) {
  if (c.num_experts < 2) fail(b.path("weight"), "at least two experts", std::to_string(c.num_experts));
}

HEADWISE_INLINE Plan SparseMixerRouter::route(In in) const {
  const Step& step = in.frame.step;
  const index_t n = config_.num_experts, t = in.x.rows;
  const detail::EqualPlan plan(t, 2, step.arena);
  const View logits = step.arena.take_view(t, n);
  logits_.forward(in.x, logits, in.frame);
  detail::check_logits(logits, where_);
  const auto row = [&](index_t r) {
    const float* const l = logits.row(r);
    int* const items = &plan.item[static_cast<std::size_t>(2 * r)];
    float* const weights = &plan.weight[static_cast<std::size_t>(2 * r)];
    items[0] = -1;
    for (int i = 0; i < 2; ++i) {
      index_t best = items[0] == 0 ? 1 : 0;
      for (index_t e = best; e < n; ++e)
        if (e != items[0] && l[e] > l[best]) best = e;
      const float m = l[best];
      float sum = 0;
      for (index_t e = 0; e < n; ++e)
        if (e != items[0] && (m - l[e]) / std::max(std::fabs(l[e]), m) <= 2 * config_.epsilon) sum += std::exp(l[e] - m);
      items[i] = static_cast<int>(best);
      weights[i] = 1 / sum;
    }
  };
  step.parallel_rows(t, 16 * n, [&](index_t first, index_t last) {
    for (index_t r = first; r < last; ++r) row(r);
  });
  return {plan.begin, plan.item, {}, plan.weight};
}

}  // namespace hw
