#pragma once
// Sublayers side by side: one input, one delta.

#include <string_view>
#include <tuple>
#include <utility>

#include "headwise/flow/build.hpp"
#include "headwise/flow/concepts.hpp"
#include "headwise/layers/norms.hpp"

namespace hw {

/// delta = sublayer(norm(in)): a branch with a norm of its own.
/// Weights: the norm's in scope `norm` beside the sublayer's.
template <Norm N, class S>
class Normed {
  static_assert(Sublayer<S>,
                "Normed<Norm, Sublayer>: Sublayer must have forward(In, View delta) const, with its States where it has a State");

 public:
  using State = state_of<S>;
  static constexpr Couples couples = joint_couples<N, S>;
  static constexpr std::string_view kName = S::kName;
  struct Config {
    typename N::Config norm{};
    typename S::Config sublayer{};
  };

  Normed(const Config& c, const Build& b) : norm_(c.norm, b.scope("norm")), sublayer_(c.sublayer, b) {}

  void forward(In in, View delta, const States<State>& states) const {
    const View x = in.frame.step.arena.take_view(in.x.rows, in.x.cols);
    norm_.forward(in.x, x, in.frame);
    run_sublayer(sublayer_, In{x, in.frame}, delta, states);
  }

  State make_state() const { return make_state_of(sublayer_); }

 private:
  N norm_;
  S sublayer_;
};

/// delta = sum_i branch_i(in), added in the order of the list: attention and MLP in parallel (GPT-J, arXiv:2204.02311 section 2).
/// A norm that all branches share is the residual's (`PreNorm<N, Parallel<A, B>>`); one of a branch's own is `Normed`.
/// Weights: each branch's in its own scope (`Attention::kName`), beside the residual's norm. At least two branches.
template <class... Branches>
class Parallel {
  static_assert(sizeof...(Branches) >= 2, "Parallel<Branches...>: one branch is no Parallel");
  static_assert((Sublayer<Branches> && ...),
                "Parallel<Branches...>: each must have forward(In, View delta) const, with its States where it has a State");

 public:
  using State = AllOf<state_of<Branches>...>;
  static constexpr Couples couples = joint_couples<Branches...>;
  static constexpr std::string_view kName = "";  // the block's own scope
  using Config = std::tuple<typename Branches::Config...>;

  Parallel(const Config& c, const Build& b) : Parallel(c, b, std::index_sequence_for<Branches...>()) {}

  void forward(In in, View delta, const States<State>& states) const {
    const Step& step = in.frame.step;
    const View other = step.arena.take_view(delta.rows, delta.cols);
    [&]<std::size_t... I>(std::index_sequence<I...>) { (run<I>(in, I == 0 ? delta : other, delta, states), ...); }
    (std::index_sequence_for<Branches...>());
  }

  State make_state() const {
    return std::apply([](const auto&... branch) { return State(make_state_of(branch)...); }, branches_);
  }

 private:
  // Braces, so that the branches are built in order.
  template <std::size_t... I>
  Parallel(const Config& c, const Build& b, std::index_sequence<I...>) : branches_{Branches(std::get<I>(c), b.scope(Branches::kName))...} {}

  template <std::size_t I>
  void run(In in, View out, View delta, const States<State>& states) const {
    const Step& step = in.frame.step;
    const ArenaScope scope(step.arena);
    run_sublayer(std::get<I>(branches_), in, out, states.template part<I>(step.arena));
    if constexpr (I > 0)
      step.parallel_rows(delta.rows, delta.cols, [&](index_t begin, index_t end) {
        for (index_t t = begin; t < end; ++t) step.kernels.elementwise.add(delta.row(t), out.row(t), delta.row(t), delta.cols);
      });
  }

  std::tuple<Branches...> branches_;
};

}  // namespace hw
