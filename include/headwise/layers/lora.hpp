#pragma once
// Linear layers with an addition of low rank. Not in the umbrella header.

#include <string>
#include <string_view>
#include <vector>

#include "headwise/layers/gate_rows.hpp"
#include "headwise/layers/linear.hpp"

namespace hw {

/// y_p = W_p x + U_p D_p x, for each part p; with rank 0 W_p x                                                LoRA, arXiv:2106.09685
/// Uses of one W that differ in U and D share it: a tensor is packed once. Weights, of each part: `<name>` (out, in), and with a rank
/// `<name>.lora_down` D (rank, in), `<name>.lora_up` U (out, rank).
class LoraLinear {
 public:
  LoraLinear(index_t in, std::span<const LinearPart> parts, index_t rank, const Build& b) : base_(in, parts, b) {
    if (rank == 0) return;
    std::vector<std::string> names;
    for (const LinearPart& p : parts) names.push_back(concat(p.name, ".lora_down"));
    std::vector<LinearPart> downs;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      downs.push_back({names[i], rank, false});
      up_.emplace_back(rank, parts[i].out, false, b.scope(concat(parts[i].name, ".lora_up")));
    }
    down_ = Linear(in, downs, b);
  }
  index_t out() const noexcept { return base_.out(); }
  void forward(ConstView x, View y, const Frame& f) const {
    base_.forward(x, y, f);
    if (up_.empty()) return;
    const Step& step = f.step;
    const View low = step.arena.take_view(x.rows, down_.out()), high = step.arena.take_view(x.rows, y.cols);
    down_.forward(x, low, f);
    index_t column = 0, part = 0;
    for (const Linear& up : up_) {
      up.forward(low.col_range(part, part + up.in()), high.col_range(column, column + up.out()), f);
      column += up.out(), part += up.in();
    }
    step.parallel_rows(y.rows, y.cols, [&](index_t begin, index_t end) {
      for (index_t t = begin; t < end; ++t) step.kernels.elementwise.add(y.row(t), high.row(t), y.row(t), y.cols);
    });
  }

 private:
  Linear base_, down_;
  std::vector<Linear> up_;
};

/// y = Wd (act(Wg x) * (Wu x)), Wg and Wu with additions of low rank
/// Weights: `gate`, `up` (f, d) as LoraLinear has them, `down` (d, f).
class LoraGatedMlp {
 public:
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    index_t hidden_size = 0;
    index_t intermediate_size = 0;
    Activation activation = Activation::silu;
    index_t rank = 0;
  };
  LoraGatedMlp(const Config& c, const Build& b)
      : activation_(c.activation),
        gate_up_(c.hidden_size, std::vector<LinearPart>{{"gate", c.intermediate_size}, {"up", c.intermediate_size}}, c.rank, b),
        down_(c.intermediate_size, c.hidden_size, false, b.scope("down")) {}
  void forward(In in, View delta) const {
    const Step& step = in.frame.step;
    const View h = step.arena.take_view(in.x.rows, gate_up_.out()), g = h.col_range(0, down_.in()), u = h.col_range(down_.in(), h.cols);
    gate_up_.forward(in.x, h, in.frame);
    gate_rows(step, activation_, g, u, g);
    down_.forward(g, delta, in.frame);
  }

 private:
  Activation activation_;
  LoraLinear gate_up_;
  Linear down_;
};

/// delta = W in: a matrix as a sublayer. Weights: `weight` (out, in), in scope `linear`.
class LinearLayer {
 public:
  static constexpr Couples couples = Couples::nothing;
  static constexpr std::string_view kName = "linear";
  struct Config {
    index_t in = 0, out = 0;
  };
  LinearLayer(const Config& c, const Build& b) : matrix_(c.in, c.out, false, b) {}
  void forward(In in, View delta) const { matrix_.forward(in.x, delta, in.frame); }

 private:
  Linear matrix_;
};

}  // namespace hw
