#pragma once
#include <cmath>

#include "headwise/kernels/scan.hpp"
#include "headwise/layers/gate_rows.hpp"
#include "headwise/mixers/ssm/rg_lru.hpp"

namespace hw {

HEADWISE_LOAD_TIME RgLru::RgLru(const Config& c, const Build& b)
    : config_(c),
      in_(c.hidden_size, {{"x", c.width, true}, {"y", c.width, true}}, b),
      conv_({c.width, c.kernel_size, true}, b.scope("conv")),
      rate_(b.vector("lambda", c.width)),
      out_(c.width, c.hidden_size, true, b.scope("o")) {
  detail::check_sizes(b.path("r"), {{c.heads, "heads"}, {c.width, "width"}});
  if (c.width % c.heads != 0) fail(b.path("r"), concat("heads that divide a width of ", c.width), std::to_string(c.heads));
  for (index_t j = 0; j < c.heads; ++j)
    gates_.emplace_back(
        c.width / c.heads,
        std::initializer_list<LinearPart>{{concat("r.", j), c.width / c.heads, true}, {concat("i.", j), c.width / c.heads, true}}, b);
  for (float& x : rate_) x = -8 * (x > 20 ? x : std::log1p(std::exp(x)));
}

HEADWISE_INLINE void RgLru::forward(In in, View delta, const States<State>& states) const {
  const Frame& f = in.frame;
  const Step& step = f.step;
  Arena& arena = step.arena;
  const kernels::ElementwiseKernels& elementwise = step.kernels.elementwise;
  const kernels::ScanKernels& kernels = kernels::scan_kernels(step.kernels.target);
  const index_t t = in.x.rows, width = config_.width, head = width / config_.heads;

  const View all = arena.take_view(t, 2 * width), u = arena.take_view(t, width), gates = arena.take_view(t, 2 * width);
  in_.forward(in.x, all, f);
  conv_.forward(all.col_range(0, width), u, f, states.template part<0>(arena));
  for (index_t j = 0; j < config_.heads; ++j)  // r and i of a head side by side
    gates_[static_cast<std::size_t>(j)].forward(u.col_range(j * head, (j + 1) * head), gates.col_range(2 * j * head, 2 * (j + 1) * head),
                                                f);

  const View a = arena.take_view(t, width), h = arena.take_view(t, width), y = all.col_range(width, 2 * width);
  const auto& index = f.tokens().index;
  step.parallel_rows(t, 40 * width, [&](index_t first, index_t last) {
    elementwise.activate(Activation::sigmoid, gates.row(first), gates.stride, last - first, gates.cols, gates.row(first), gates.stride);
    for (index_t r = first; r < last; ++r)
      for (index_t c = 0; c < width; ++c) {
        const index_t at = c / head * 2 * head + c % head;
        const float log_a = rate_[static_cast<std::size_t>(c)] * gates(r, at);
        const float scale = index[static_cast<std::size_t>(r)] == 0 ? 1.0f : std::sqrt(-std::expm1(2 * log_a));
        a(r, c) = index[static_cast<std::size_t>(r)] == 0 ? 0.0f : std::exp(log_a);
        u(r, c) *= gates(r, at + head) * scale;
      }
  });

  static constexpr float kOne = 1.0f;  // one key, which is 1
  const auto rows_of = states.template part<1>(arena);
  for (std::size_t s = 0; s < f.tokens().sequences.size(); ++s) {
    const RowRange rows = f.tokens().sequences[s];
    const auto move = advance(rows_of, s, rows.size(), width, arena);
    kernels.scan({.tokens = rows.size(),
                  .keys = 1,
                  .values = width,
                  .q = &kOne,
                  .k = &kOne,
                  .v = u.row(rows.begin),
                  .v_stride = u.stride,
                  .kind = kernels::Decay::value,
                  .decay = a.row(rows.begin),
                  .decay_stride = a.stride,
                  .from = move.from,
                  .to = move.to,
                  .state_stride = width,
                  .out = h.row(rows.begin),
                  .out_stride = h.stride});
  }
  gate_rows(step, config_.activation, y, h, h);
  out_.forward(h, delta, f);
}

}  // namespace hw
