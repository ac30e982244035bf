#pragma once
// A sublayer behind which a short convolution passes.

#include <string_view>

#include "headwise/mixers/causal_conv.hpp"

namespace hw {

/// delta = y + conv(y),  y = sublayer(in)
/// Weights: the sublayer's, `conv.weight` (channels, taps).
template <class S>
class Convolved {
  static_assert(Sublayer<S>, "Convolved<Sublayer>: Sublayer must have forward(In, View delta) const, with its States where it has a State");

 public:
  using State = AllOf<state_of<S>, CausalConv::State>;
  static constexpr Couples couples = joint_couples<S, CausalConv>;
  static constexpr std::string_view kName = S::kName;
  struct Config {
    typename S::Config sublayer{};
    index_t channels = 0;
    index_t kernel_size = 4;
  };

  Convolved(const Config& c, const Build& b) : sublayer_(c.sublayer, b), conv_({c.channels, c.kernel_size, false}, b.scope("conv")) {}

  void forward(In in, View delta, const States<State>& states) const {
    const Step& step = in.frame.step;
    const View y = step.arena.take_view(delta.rows, delta.cols);
    run_sublayer(sublayer_, in, y, states.template part<0>(step.arena));
    conv_.forward(y, delta, in.frame, states.template part<1>(step.arena));
    step.parallel_rows(y.rows, y.cols, [&](index_t begin, index_t end) {
      for (index_t t = begin; t < end; ++t) step.kernels.elementwise.add(y.row(t), delta.row(t), delta.row(t), y.cols);
    });
  }

  State make_state() const { return State(make_state_of(sublayer_), conv_.make_state()); }

 private:
  S sublayer_;
  CausalConv conv_;
};

}  // namespace hw
