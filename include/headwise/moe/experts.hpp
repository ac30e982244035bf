#pragma once
// A bank of experts: applies a plan.

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "headwise/flow/build.hpp"
#include "headwise/flow/concepts.hpp"

namespace hw {

namespace detail {
/// Where each item of a plan goes when the items of an expert lie side by side, in the order of the rows.
struct Dispatch {
  std::span<index_t> begin;  // of each expert's rows
  std::span<index_t> place;  // of each item
};
/// Items of `experts` and above have no place (-1). Error: a plan of other rows than x.
Dispatch dispatch(const Plan& plan, index_t rows, index_t experts, Arena& arena);
/// out[place] = w_in x
void gather(const Plan& plan, const Dispatch& to, ConstView x, View out, const Step& step);
/// y[row] = sum_i w_out (item i's row, or x itself for the items [experts, experts + identities), or nothing), in the order of the plan.
void combine(const Plan& plan, const Dispatch& from, ConstView out, ConstView x, index_t experts, index_t identities, View y,
             const Step& step);
/// Lets the step's tap look at the weights of each row's experts.
void show(const Plan& plan, index_t experts, const Step& step);
}  // namespace detail

/// y[r] = sum over the items e of row r of w_out expert_e(w_in x[r])
///
/// The rows of an expert are gathered, so that it runs once for all of them; experts without rows are not touched. After the experts come
/// items without weights: `identities` that give their input back (zero-computation experts, arXiv:2410.07348), then any that give nothing
/// (null experts, arXiv:2406.13233). Items are added in the plan's order: a row's bits do not depend on the others.
/// Weights: expert i's in scope `<i>`. E: a sublayer without a state; with `forward_groups`, as GatedMlp has, experts that are configured
/// alike run in one pass. With a budget (BuildOptions::expert_budget) the experts are in an ExpertStore.
/// Errors, in apply: a plan of other rows, or of negative items; those of reading an expert.
template <class E>
class Experts {
  static_assert(Sublayer<E> && is_stateless_v<state_of<E>>, "Experts<Expert>: Expert must have forward(In, View delta) const and no State");

 public:
  static constexpr Couples couples = couples_of<E>;
  struct Config {
    std::vector<typename E::Config> experts{};  // their sizes may differ (arXiv:2210.07535)
    index_t identities = 0;
  };

  Experts(const Config& c, const Build& b)
      : identities_(c.identities), bank_(b.expert_bank(static_cast<index_t>(c.experts.size()))), store_(b.experts()) {
    if constexpr (kGroups)
      alike_ = std::all_of(c.experts.begin(), c.experts.end(), [&](const auto& expert) { return expert == c.experts.front(); });
    experts_.reserve(c.experts.size());
    for (std::size_t i = 0; i < c.experts.size(); ++i) {
      const Build scope = b.scope(std::to_string(i));
      experts_.emplace_back(c.experts[i], bank_ ? scope.of_expert(*bank_, static_cast<index_t>(i)) : scope);
    }
  }

  void apply(In in, const Plan& plan, View y) const {
    const Step& step = in.frame.step;
    const ArenaScope scope(step.arena);
    const auto n = static_cast<index_t>(experts_.size());
    const detail::Dispatch d = detail::dispatch(plan, in.x.rows, n, step.arena);
    if (step.tap != nullptr) detail::show(plan, n + identities_, step);
    const View x = step.arena.take_view(d.begin.back(), in.x.cols), out = step.arena.take_view(d.begin.back(), y.cols);
    detail::gather(plan, d, in.x, x, step);
    const auto some = [&](index_t first, index_t last) { run({x, in.frame}, d.begin, first, last, out); };
    if (bank_)
      store_->for_each_resident(*bank_, d.begin, last_row(plan), step, some);
    else
      some(0, n);
    detail::combine(plan, d, out, in.x, n, identities_, y, step);
  }

  index_t size() const noexcept { return static_cast<index_t>(experts_.size()); }

 private:
  static constexpr bool kGroups = requires(std::span<const E* const> all, std::span<const index_t> begin, In in, View out) {
    E::forward_groups(all, begin, in, out);
  };

  static std::span<const int> last_row(const Plan& plan) {
    if (plan.rows() == 0) return {};
    return plan.item.subspan(static_cast<std::size_t>(plan.begin[static_cast<std::size_t>(plan.rows() - 1)]));
  }

  // Experts [first, last), whose rows are [begin[i], begin[i + 1]) of in.x and of out.
  void run(In in, std::span<const index_t> begin, index_t first, index_t last, View out) const {
    Arena& arena = in.frame.step.arena;
    const auto from = static_cast<std::size_t>(first), to = static_cast<std::size_t>(last);
    if constexpr (kGroups) {
      if (alike_ && first < last) {
        const ArenaScope scope(arena);
        const auto some = arena.take<const E*>(last - first);
        const auto rows = arena.take<index_t>(last - first + 1);
        for (std::size_t i = from; i < to; ++i) some[i - from] = &experts_[i];
        for (std::size_t i = from; i <= to; ++i) rows[i - from] = begin[i] - begin[from];
        return E::forward_groups(some, rows, In{in.x.row_range(begin[from], begin[to]), in.frame}, out.row_range(begin[from], begin[to]));
      }
    }
    for (std::size_t i = from; i < to; ++i) {
      const ArenaScope scope(arena);
      if (begin[i] < begin[i + 1])
        run_sublayer(experts_[i], In{in.x.row_range(begin[i], begin[i + 1]), in.frame}, out.row_range(begin[i], begin[i + 1]), {});
    }
  }

  index_t identities_;
  std::optional<index_t> bank_;  // in the store
  std::shared_ptr<ExpertStore> store_;
  bool alike_ = false;
  std::vector<E> experts_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/moe/experts.inl.hpp"
#endif
