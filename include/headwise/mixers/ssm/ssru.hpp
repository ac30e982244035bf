#pragma once
// The simpler simple recurrent unit of quick translators.                                          Kim et al. 2019,
// aclanthology.org/D19-5632

#include <algorithm>
#include <string_view>

#include "headwise/flow/recurrent_state.hpp"
#include "headwise/layers/linear.hpp"

namespace hw {

/// c_t = f_t * c_{t-1} + (1 - f_t) * (W x_t),  f_t = sigmoid(Wf x_t + bf),  delta_t = relu(c_t)
/// Weights: `value` W, `forget` Wf (d, d), Wf with a bias. State: c (d).
class Ssru {
 public:
  static constexpr Couples couples = Couples::past;
  static constexpr std::string_view kName = "recurrence";
  using State = RecurrentState;
  struct Config {
    index_t hidden_size = 0;
  };
  Ssru(const Config& c, const Build& b)
      : size_(c.hidden_size), in_(c.hidden_size, {{"value", c.hidden_size}, {"forget", c.hidden_size, true}}, b) {}
  State make_state() const { return State(size_); }

  void forward(In in, View delta, const States<State>& states) const {
    const Frame& f = in.frame;
    const View x = f.step.arena.take_view(in.x.rows, 2 * size_);
    in_.forward(in.x, x, f);
    f.step.kernels.elementwise.activate(Activation::sigmoid, x.data + size_, x.stride, x.rows, size_, x.data + size_, x.stride);
    for (std::size_t s = 0; s < f.tokens().sequences.size(); ++s) {
      const RowRange rows = f.tokens().sequences[s];
      const auto [from, c] = advance(states, s, rows.size(), size_, f.step.arena);
      std::copy_n(from, size_, c);
      for (index_t t = rows.begin; t < rows.end; ++t) {
        const float *const value = x.row(t), *const forget = value + size_;
        for (index_t j = 0; j < size_; ++j) {
          c[j] = forget[j] * c[j] + (1 - forget[j]) * value[j];
          delta(t, j) = std::max(c[j], 0.0f);
        }
      }
    }
  }

 private:
  index_t size_;
  Linear in_;
};

}  // namespace hw
