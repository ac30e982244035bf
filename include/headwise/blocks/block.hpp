#pragma once
// An ordered list of sublayers, each with its join.

#include <tuple>
#include <utility>

#include "headwise/blocks/residual.hpp"

namespace hw {

/// Runs its members in order. Members are `Residual`s, or anything with the same forward.
template <class... Members>
class Block {
 public:
  using State = AllOf<state_of<Members>...>;
  static constexpr Couples couples = joint_couples<Members...>;

  using Config = std::tuple<typename Members::Config...>;

  Block(const Config& c, const Build& b) : Block(c, b, std::index_sequence_for<Members...>()) {}

  void forward(const Frame& f, int entry, const States<State>& states) const {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (std::get<I>(members_).forward(f, TapPoint{TapPoint::after_sublayer, entry, static_cast<int>(I)}, part<I>(f, states)), ...);
    }(std::index_sequence_for<Members...>());
  }

  void remember(const Frame& memory, const States<State>& states) const
    requires(Remembers<Members> || ...)
  {
    const auto member = [&]<std::size_t I>(std::integral_constant<std::size_t, I>) {
      if constexpr (Remembers<std::tuple_element_t<I, std::tuple<Members...>>>)
        std::get<I>(members_).remember(memory, part<I>(memory, states));
    };
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (member(std::integral_constant<std::size_t, I>()), ...);
    }(std::index_sequence_for<Members...>());
  }

  State make_state() const {
    return std::apply([](const auto&... m) { return State(make_state_of(m)...); }, members_);
  }

 private:
  // Braces, so that the members are built in order: weights are asked for in the order of the schedule.
  template <std::size_t... I>
  Block(const Config& c, const Build& b, std::index_sequence<I...>) : members_{Members(std::get<I>(c), b)...} {}

  template <std::size_t I>
  static auto part(const Frame& f, const States<State>& states) {
    return states.template part<I>(f.step.arena);
  }

  std::tuple<Members...> members_;
};

}  // namespace hw
