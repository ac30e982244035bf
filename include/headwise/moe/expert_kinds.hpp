#pragma once
// Experts of several kinds in one bank. Not in the umbrella header.

#include <cmath>
#include <utility>
#include <variant>
#include <vector>

#include "headwise/layers/small_matrix.hpp"

namespace hw {

/// An expert that is one of several kinds: Moe<R, AnyOf<Mlp, ConstantExpert>>. Weights: those of its kind.
template <class... Kinds>
struct AnyOf {
  using Config = std::variant<typename Kinds::Config...>;
  AnyOf(const Config& c, const Build& b)
      : expert([&]<std::size_t... I>(std::index_sequence<I...>) {
          std::variant<std::monostate, Kinds...> out;
          ((c.index() == I ? void(out.template emplace<I + 1>(std::get<I>(c), b)) : void()), ...);
          return out;
        }(std::index_sequence_for<Kinds...>())) {}
  void forward(In in, View delta) const {
    std::visit(
        [&](const auto& e) {
          if constexpr (requires { e.forward(in, delta); }) e.forward(in, delta);
        },
        expert);
  }
  std::variant<std::monostate, Kinds...> expert;
};

/// y = a x + b v,  (a, b) = softmax(W x)                                                                    MoE++, arXiv:2410.07348
/// Weights: `weight` (2, d), `value` v (d).
struct ConstantExpert {
  struct Config {
    index_t hidden_size = 0;
  };
  ConstantExpert(const Config& c, const Build& b) : weight("weight", 2, c.hidden_size, b), value(b.vector("value", c.hidden_size)) {}
  void forward(In in, View delta) const {
    for (index_t t = 0; t < delta.rows; ++t) {
      const float a = 1 / (1 + std::exp(weight.dot(1, in.x.row(t)) - weight.dot(0, in.x.row(t))));
      for (index_t i = 0; i < delta.cols; ++i) delta(t, i) = a * in.x(t, i) + (1 - a) * value[static_cast<std::size_t>(i)];
    }
  }
  SmallMatrix weight;
  std::vector<float> value;
};

}  // namespace hw
