#pragma once
// A sublayer between two factors.

#include <string_view>

#include "headwise/flow/build.hpp"
#include "headwise/flow/concepts.hpp"

namespace hw {

/// delta = out sublayer(in x)
template <class S>
class Scaled {
  static_assert(Sublayer<S>, "Scaled<Sublayer>: Sublayer must have forward(In, View delta) const, with its States where it has a State");

 public:
  using State = state_of<S>;
  static constexpr Couples couples = couples_of<S>;
  static constexpr std::string_view kName = S::kName;
  struct Config {
    typename S::Config sublayer{};
    float in = 1.0f;
    float out = 1.0f;
  };

  Scaled(const Config& c, const Build& b) : in_(c.in), out_(c.out), sublayer_(c.sublayer, b) {}

  void forward(In in, View delta, const States<State>& states) const {
    const Step& step = in.frame.step;
    const auto scale = [&](ConstView x, float a, View y) {
      step.parallel_rows(x.rows, x.cols, [&](index_t first, index_t last) {
        step.kernels.elementwise.scale(x.row(first), x.stride, a, last - first, x.cols, y.row(first), y.stride);
      });
    };
    ConstView x = in.x;
    if (in_ != 1.0f) {
      const View scaled = step.arena.take_view(x.rows, x.cols);
      scale(x, in_, scaled);
      x = scaled;
    }
    run_sublayer(sublayer_, In{x, in.frame}, delta, states);
    if (out_ != 1.0f) scale(delta, out_, delta);
  }

  State make_state() const { return make_state_of(sublayer_); }

 private:
  float in_, out_;
  S sublayer_;
};

/// delta = g sublayer(x), g being learned
/// Weights: the sublayer's, `scale` g (1).
template <class S>
class LearnedScale {
  static_assert(Sublayer<S>,
                "LearnedScale<Sublayer>: Sublayer must have forward(In, View delta) const, with its States where it has a State");

 public:
  using State = state_of<S>;
  static constexpr Couples couples = couples_of<S>;
  static constexpr std::string_view kName = S::kName;
  using Config = typename Scaled<S>::Config;

  LearnedScale(const Config& c, const Build& b) : scaled_({c.sublayer, c.in, c.out * b.vector("scale", 1)[0]}, b) {}
  void forward(In in, View delta, const States<State>& states) const { scaled_.forward(in, delta, states); }
  State make_state() const { return scaled_.make_state(); }

 private:
  Scaled<S> scaled_;
};

}  // namespace hw
