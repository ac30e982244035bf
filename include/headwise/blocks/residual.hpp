#pragma once
// A sublayer and the join that wires it to the stream.

#include <string>

#include "headwise/blocks/join.hpp"

namespace hw {

/// in = join.read(streams);  delta = sublayer(in);  join.write(streams, in, delta)
///
/// The sublayer's and the join's weights share one scope, named by Config::name or else by the sublayer (`Attention::kName`).
template <class J, class S>
class Residual {
  static_assert(Join<J>,
                "Residual<Join, Sublayer>: Join must have read(const Frame&) -> view and write(const Frame&, ConstView in, View delta)");
  static_assert(Sublayer<S>,
                "Residual<Join, Sublayer>: Sublayer must have forward(In, View delta) const, or, with a State, forward(In, View delta, "
                "States<State>) const");

 public:
  using State = state_of<S>;
  static constexpr Couples couples = joint_couples<J, S>;

  struct Config {
    typename J::Config join{};
    typename S::Config sublayer{};
    std::string name{S::kName};
  };

  Residual(const Config& c, const Build& b) : join_(c.join, b.scope(c.name)), sublayer_(c.sublayer, b.scope(c.name)) {}

  /// `point`: where a tap that looks at this sublayer's delta is.
  void forward(const Frame& f, const TapPoint& point, const States<State>& states) const {
    const ArenaScope scope(f.step.arena);
    const ConstView in = join_.read(f);
    index_t width = f.at({}).cols;
    if constexpr (requires { join_.delta_width(f); }) width = join_.delta_width(f);
    const View delta = f.step.arena.take_view(f.rows(), width);
    f.step.place = point;
    run_sublayer(sublayer_, In{in, f}, delta, states);
    f.step.visit(point, delta);
    join_.write(f, in, delta);
  }

  void remember(const Frame& memory, const States<State>& states) const
    requires Remembers<S>
  {
    sublayer_.remember(memory, states);
  }

  State make_state() const { return make_state_of(sublayer_); }
  const S& sublayer() const noexcept { return sublayer_; }

 private:
  J join_;
  S sublayer_;
};

/// x + sublayer(norm(x))
template <class N, class S>
using PreNorm = Residual<Add<N>, S>;

/// norm(x + sublayer(x))
template <class N, class S>
using PostNorm = Residual<Add<NoNorm, NoNorm, N>, S>;

/// x + norm2(sublayer(norm1(x)))
template <class N, class S>
using SandwichNorm = Residual<Add<N, N>, S>;

}  // namespace hw
