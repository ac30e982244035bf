#pragma once
// Blocks inside of a sublayer. Not in the umbrella header.

#include <string_view>
#include <utility>
#include <vector>

#include "headwise/blocks/block.hpp"
#include "headwise/layers/linear.hpp"

namespace hw {

/// z = norm(W_in in + b_in);  z <- members in their order;  delta = W_out z + b_out
///
/// A bottleneck: the members (`Residual`s) have a residual stream of their own, `width` wide. Of the outer block's streams they reach those
/// with a name (`Keep`). A tap sees the sublayer's delta, and nothing inside.                        MobileBERT, arXiv:2004.02984
/// Weights: `in` (width, d), the norm's in `in_norm`, `out` (d, width), with biases; the members' beside them.
template <Norm N, class... Members>
class Nested {
 public:
  using State = AllOf<state_of<Members>...>;
  static constexpr Couples couples = joint_couples<N, Members...>;
  static constexpr std::string_view kName = "";  // the block's own scope
  struct Config {
    index_t hidden_size = 0, width = 0;
    typename N::Config norm{};
    typename Block<Members...>::Config members{};
  };

  Nested(const Config& c, const Build& b)
      : in_(c.hidden_size, c.width, true, b.scope("in")),
        norm_(c.norm, b.scope("in_norm")),
        members_(c.members, b),
        out_(c.width, c.hidden_size, true, b.scope("out")) {}

  void forward(In in, View delta, const States<State>& states) const {
    const Frame& f = in.frame;
    const View outer = f.at({}), z = f.step.arena.take_view(in.x.rows, in_.out());
    const Tap* const tap = std::exchange(f.step.tap, nullptr);
    in_.forward(in.x, z, f);
    norm_.forward(z, z, f);
    f.publish({}, z);
    members_.forward(f, f.step.place.entry, states);
    f.publish({}, outer);
    f.step.tap = tap;
    out_.forward(z, delta, f);
  }

  State make_state() const { return members_.make_state(); }

 private:
  Linear in_;
  N norm_;
  Block<Members...> members_;
  Linear out_;
};

/// Members of one kind, as many as the configuration has, each with a name of its own.
template <class Member>
class Repeated {
  static_assert(is_stateless_v<state_of<Member>>, "Repeated<Member>: there is no place for several States; write a Block");

 public:
  using State = NoState;
  static constexpr Couples couples = couples_of<Member>;
  struct Config {
    std::vector<typename Member::Config> members{};
  };

  Repeated(const Config& c, const Build& b) {
    members_.reserve(c.members.size());
    for (const auto& member : c.members) members_.emplace_back(member, b);
  }

  void forward(const Frame& f, const TapPoint& point, const States<State>&) const {
    for (const Member& member : members_) member.forward(f, point, {});
  }

 private:
  std::vector<Member> members_;
};

}  // namespace hw
