#pragma once
// The concepts that parts couple by, and the defaults that keep a user's part a few lines long.

#include <concepts>

#include "headwise/core/view.hpp"
#include "headwise/flow/frame.hpp"
#include "headwise/flow/state.hpp"

namespace hw {

/// What one row's output may depend on, besides the row itself: no other row; earlier rows of its sequence; all rows of its
/// sequence; other sequences of the batch. A decoder refuses more than `past` at compile time.
enum class Couples : std::uint8_t { nothing, past, sequence, batch };

namespace detail {
template <class P>
struct state_of {
  using type = NoState;
};
template <class P>
  requires requires { typename P::State; }
struct state_of<P> {
  using type = typename P::State;
};
}  // namespace detail

/// P::State, or NoState.
template <class P>
using state_of = typename detail::state_of<P>::type;

/// P::couples, or `past`.
template <class P>
inline constexpr Couples couples_of = [] {
  if constexpr (requires { P::couples; }) {
    return Couples{P::couples};
  } else {
    return Couples::past;
  }
}();

/// The strongest coupling of several parts.
template <class... P>
inline constexpr Couples joint_couples = [] {
  Couples out = Couples::nothing;
  ((out = couples_of<P> > out ? couples_of<P> : out), ...);
  return out;
}();

/// A new state of part `p`: p.make_state(), or a default one.
template <class P>
state_of<P> make_state_of(const P& p) {
  if constexpr (requires { p.make_state(); }) {
    return p.make_state();
  } else {
    return state_of<P>{};
  }
}

/// Row by row: y = norm(x). x and y are (rows, d) and may be the same view.
template <class N>
concept Norm = requires(const N n, ConstView x, View y, const Frame& f) { n.forward(x, y, f); };

/// Something with weights that turns its input into a delta of the stream: attention, an MLP, a recurrence. A part without a
/// state may leave the last argument out.
template <class L>
concept Sublayer = (State<state_of<L>> && requires(const L l, In in, View delta, States<state_of<L>> s) { l.forward(in, delta, s); }) ||
                   (is_stateless_v<state_of<L>> && requires(const L l, In in, View delta) { l.forward(in, delta); });

/// A sublayer that moves information along the sequence.
template <class M>
concept Mixer = Sublayer<M> && (couples_of<M> >= Couples::past);

/// How a sublayer reads the streams and joins its delta to them. `read` returns the input (a stream itself, or a view it took
/// from the step's arena), `write` gets that input again. Where deltas are not as wide as the stream (several streams side by side), the
/// join says how wide: `delta_width(frame)`.
template <class J>
concept Join = requires(const J j, const Frame& f, ConstView in, View delta) {
  { j.read(f) } -> std::convertible_to<ConstView>;
  j.write(f, in, delta);
};

/// A part that keeps what it needs of another token set before its sequence begins (cross-attention: an encoder's rows). `memory` has those
/// rows in stream 0; the states are those of the sequences that will read them.
template <class P>
concept Remembers = requires(const P p, const Frame& memory, const States<state_of<P>>& s) { p.remember(memory, s); };

/// What a schedule runs: a block, or anything that behaves like one.
template <class B>
concept Segment = State<state_of<B>> && requires(const B b, const Frame& f, int entry, States<state_of<B>> s) { b.forward(f, entry, s); };

/// Runs a sublayer, with or without the states argument.
template <Sublayer L>
void run_sublayer(const L& layer, In in, View delta, const States<state_of<L>>& states) {
  if constexpr (requires { layer.forward(in, delta, states); }) {
    layer.forward(in, delta, states);
  } else {
    layer.forward(in, delta);
  }
}

}  // namespace hw
