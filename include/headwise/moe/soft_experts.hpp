#pragma once
// Experts that no row is sent to: rows, or the experts themselves, are averaged. They see whole sequences. Not in the umbrella header.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/layers/mlp.hpp"
#include "headwise/layers/small_matrix.hpp"
#include "headwise/moe/experts.hpp"
#include "headwise/moe/row_router.hpp"

namespace hw {

/// L = X P^T;  slot j reads sum_t D_tj x_t, D = softmax over the rows t of a sequence of L;  expert i computes its `slots` slots;
/// y_t = sum_j C_tj slot_j, C = softmax over the slots of L                                                        soft MoE,
/// arXiv:2308.00951 Weights: `slots` P (experts slots, d), expert i's in scope `experts.<i>`.
template <class E = GatedMlp>
struct SoftMoe {
  static constexpr Couples couples = Couples::sequence;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    index_t hidden_size = 0, slots = 1;
    typename Experts<E>::Config experts{};
  };
  SoftMoe(const Config& c, const Build& b)
      : each(c.slots),
        logits(c.hidden_size, static_cast<index_t>(c.experts.experts.size()) * c.slots, false, b.scope("slots")),
        experts(c.experts, b.scope("experts")) {
    if (c.slots < 1) fail(b.path("slots"), "at least 1", std::to_string(c.slots));
  }
  void forward(In in, View delta) const {
    const Step& step = in.frame.step;
    const std::span<const RowRange> sequences = in.frame.tokens().sequences;
    const index_t d = in.x.cols, n = logits.out();
    const View l = step.arena.take_view(in.x.rows, n), x = step.arena.take_view(static_cast<index_t>(sequences.size()) * n, d),
               y = step.arena.take_view(x.rows, d);
    logits.forward(in.x, l, in.frame);
    for (index_t slot = 0; slot < x.rows; ++slot) {
      const RowRange rows = sequences[static_cast<std::size_t>(slot / n)];
      float top = -INFINITY, sum = 0;
      for (index_t t = rows.begin; t < rows.end; ++t) top = std::max(top, l(t, slot % n));
      std::fill_n(x.row(slot), d, 0.0f);
      for (index_t t = rows.begin; t < rows.end; ++t) {
        const float e = std::exp(l(t, slot % n) - top);
        sum += e;
        for (index_t i = 0; i < d; ++i) x(slot, i) += e * in.x(t, i);
      }
      for (index_t i = 0; i < d; ++i) x(slot, i) /= sum;
    }
    experts.apply({x, in.frame}, make_plan(step, x.rows, 1, [&](index_t slot, Choice& c) { c.add(slot % n / each, 1); }), y);
    for (std::size_t s = 0; s < sequences.size(); ++s)
      for (index_t t = sequences[s].begin; t < sequences[s].end; ++t) {
        softmax_row(l[t]);
        std::fill_n(delta.row(t), d, 0.0f);
        for (index_t j = 0; j < n; ++j)
          for (index_t i = 0; i < d; ++i) delta(t, i) += l(t, j) * y(static_cast<index_t>(s) * n + j, i);
      }
  }
  index_t each;
  Linear logits;
  Experts<E> experts;
};

/// One expert whose weights are the average of all of them: p = mean over a sequence's rows of softmax(W x), A = sum_e p_e A_e;
/// y = D act(U x)                                                                                                    SMEAR,
/// arXiv:2306.03745 Weights: `router` (experts, d), `up` (experts f, d), `down` (experts d, f), each expert's below one another.
struct MergedExperts {
  static constexpr Couples couples = Couples::sequence;
  static constexpr std::string_view kName = "mlp";
  struct Config {
    index_t hidden_size = 0, intermediate_size = 0, num_experts = 0;
    Activation activation = Activation::relu;
  };
  MergedExperts(const Config& c, const Build& b)
      : c(c),
        router(c.hidden_size, c.num_experts, false, b.scope("router").as_filed()),
        up("up", c.num_experts * c.intermediate_size, c.hidden_size, b),
        down("down", c.num_experts * c.hidden_size, c.intermediate_size, b) {}
  void forward(In in, View delta) const {
    Arena& arena = in.frame.step.arena;
    const index_t d = c.hidden_size, f = c.intermediate_size;
    const View p = arena.take_view(in.x.rows, c.num_experts), u = arena.take_view(f, d), w = arena.take_view(d, f),
               h = arena.take_view(1, f);
    router.forward(in.x, p, in.frame);
    for (index_t t = 0; t < p.rows; ++t) softmax_row(p[t]);
    for (const RowRange rows : in.frame.tokens().sequences) {
      std::fill_n(u.data, f * d, 0.0f), std::fill_n(w.data, d * f, 0.0f);
      for (index_t e = 0; e < c.num_experts; ++e) {
        float mean = 0;
        for (index_t t = rows.begin; t < rows.end; ++t) mean += p(t, e);
        mean /= static_cast<float>(rows.size());
        for (index_t i = 0; i < f * d; ++i) u.data[i] += mean * up.row(e * f)[i], w.data[i] += mean * down.row(e * d)[i];
      }
      for (index_t t = rows.begin; t < rows.end; ++t) {
        const auto dot = [](const float* a, const float* x, index_t n) { return std::inner_product(a, a + n, x, 0.0f); };
        for (index_t i = 0; i < f; ++i) h(0, i) = dot(u.row(i), in.x.row(t), d);
        in.frame.step.kernels.elementwise.activate(c.activation, h.data, f, 1, f, h.data, f);
        for (index_t i = 0; i < d; ++i) delta(t, i) = dot(w.row(i), h.data, f);
      }
    }
  }
  Config c;
  Linear router;
  SmallMatrix up, down;
};

}  // namespace hw
