#pragma once
// Sublayers one after the other, without a residual between them.

#include <string_view>
#include <tuple>
#include <utility>

#include "headwise/flow/build.hpp"
#include "headwise/flow/concepts.hpp"

namespace hw {

/// delta = s_n(.. s_2(s_1(in))), with rows of `width` between them. Weights: each sublayer's in its own scope. At least two sublayers.
template <class... Sublayers>
class Chain {
  static_assert(sizeof...(Sublayers) >= 2, "Chain<Sublayers...>: one sublayer is no Chain");
  static_assert((Sublayer<Sublayers> && ...),
                "Chain<Sublayers...>: each must have forward(In, View delta) const, with its States where it has a State");

 public:
  using State = AllOf<state_of<Sublayers>...>;
  static constexpr Couples couples = joint_couples<Sublayers...>;
  static constexpr std::string_view kName = "";  // the block's own scope
  struct Config {
    std::tuple<typename Sublayers::Config...> sublayers{};
    index_t width = 0;
  };

  Chain(const Config& c, const Build& b) : Chain(c, b, std::index_sequence_for<Sublayers...>()) {}

  void forward(In in, View delta, const States<State>& states) const {
    ConstView x = in.x;
    [&]<std::size_t... I>(std::index_sequence<I...>) { (run<I>(x, In{x, in.frame}, delta, states), ...); }
    (std::index_sequence_for<Sublayers...>());
  }

  State make_state() const {
    return std::apply([](const auto&... s) { return State(make_state_of(s)...); }, sublayers_);
  }

 private:
  // Braces, so that the sublayers are built in order.
  template <std::size_t... I>
  Chain(const Config& c, const Build& b, std::index_sequence<I...>)
      : width_(c.width), sublayers_{Sublayers(std::get<I>(c.sublayers), b.scope(Sublayers::kName))...} {}

  template <std::size_t I>
  void run(ConstView& x, In in, View delta, const States<State>& states) const {
    Arena& arena = in.frame.step.arena;
    const View out = I + 1 < sizeof...(Sublayers) ? arena.take_view(delta.rows, width_) : delta;
    run_sublayer(std::get<I>(sublayers_), in, out, states.template part<I>(arena));
    x = out;
  }

  index_t width_;
  std::tuple<Sublayers...> sublayers_;
};

}  // namespace hw
