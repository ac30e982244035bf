#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/kernels/scan.hpp"
#include "headwise/mixers/ssm/selective_ssm.hpp"

namespace hw {
namespace detail {

inline const SelectiveSsm::Config& checked(const SelectiveSsm::Config& c, const Build& b) {
  check_sizes(b.path("in"), {{c.hidden_size, "hidden_size"},
                             {c.inner_size, "inner_size"},
                             {c.state_size, "state_size"},
                             {c.dt_rank, "dt_rank"},
                             {c.heads, "heads"}});
  if (c.inner_size % c.heads != 0) fail(b.path("x"), concat("heads that divide ", c.inner_size, " channels"), std::to_string(c.heads));
  if (c.heads > 1 && c.inner_norms) fail(b.path("dt_norm"), "one head where there are inner norms", std::to_string(c.heads));
  return c;
}

}  // namespace detail

HEADWISE_LOAD_TIME SelectiveSsm::SelectiveSsm(const Config& c, const Build& b)
    : config_(detail::checked(c, b)),
      in_(c.heads == 1 ? Linear(c.hidden_size, 2 * c.inner_size, c.bias, b.scope("in"))
                       : Linear(c.hidden_size, {{"u", c.inner_size, c.bias}, {"z", c.inner_size, c.bias}}, b)),
      conv_({c.inner_size, c.kernel_size, c.conv_bias, Activation::silu}, b.scope("conv")),
      rates_(static_cast<std::size_t>(c.state_size * c.inner_size)),
      skip_(b.vector("d_skip", c.inner_size)),
      out_(c.inner_size, c.hidden_size, c.bias, b.scope("out")) {
  const index_t channels = c.inner_size / c.heads;
  std::vector<float> row(static_cast<std::size_t>(c.state_size));
  for (index_t j = 0; j < c.heads; ++j) {
    const auto name = [&](const char* part) { return c.heads == 1 ? std::string(part) : concat(part, ".", j); };
    x_.emplace_back(channels, c.dt_rank + 2 * c.state_size, false, b.scope(name("x")));
    dt_.emplace_back(c.dt_rank, channels, true, b.scope(name("dt")));
    const MatrixSource a = b.matrix(name("a_log"), channels, c.state_size);
    for (index_t i = 0; i < channels; ++i) {
      a.read_row(i, row.data());
      for (index_t n = 0; n < c.state_size; ++n)
        rates_[static_cast<std::size_t>(n * c.inner_size + j * channels + i)] = -std::exp(row[static_cast<std::size_t>(n)]);
    }
  }
  if (c.inner_norms) {
    dt_norm_.emplace(RmsNorm::Config{c.dt_rank, c.norm_eps}, b.scope("dt_norm"));
    b_norm_.emplace(RmsNorm::Config{c.state_size, c.norm_eps}, b.scope("b_norm"));
    c_norm_.emplace(RmsNorm::Config{c.state_size, c.norm_eps}, b.scope("c_norm"));
  }
}

HEADWISE_INLINE void SelectiveSsm::forward(In in, View delta, const States<State>& states) const {
  const Frame& f = in.frame;
  const Step& step = f.step;
  Arena& arena = step.arena;
  const kernels::ElementwiseKernels& elementwise = step.kernels.elementwise;
  const kernels::ScanKernels& kernels = kernels::scan_kernels(step.kernels.target);
  const index_t t = in.x.rows, inner = config_.inner_size, n = config_.state_size, rank = config_.dt_rank, heads = config_.heads,
                channels = inner / heads, each = rank + 2 * n;

  const View all = arena.take_view(t, 2 * inner), x = arena.take_view(t, inner), parts = arena.take_view(t, heads * each);
  const View u = all.col_range(0, inner), z = all.col_range(inner, 2 * inner), d = arena.take_view(t, inner);
  in_.forward(in.x, all, f);
  conv_.forward(u, x, f, states.template part<0>(arena));
  for (index_t j = 0; j < heads; ++j) {
    const View part = parts.col_range(j * each, (j + 1) * each), r = part.col_range(0, rank);
    x_[static_cast<std::size_t>(j)].forward(x.col_range(j * channels, (j + 1) * channels), part, f);
    if (config_.inner_norms) {
      const View keys = part.col_range(rank, rank + n), queries = part.col_range(rank + n, each);
      dt_norm_->forward(r, r, f);
      b_norm_->forward(keys, keys, f);
      c_norm_->forward(queries, queries, f);
    }
    dt_[static_cast<std::size_t>(j)].forward(r, d.col_range(j * channels, (j + 1) * channels), f);
  }
  const View values = u;  // not needed any more
  step.parallel_rows(t, 24 * inner, [&](index_t first, index_t last) {
    elementwise.activate(Activation::softplus, d.row(first), d.stride, last - first, inner, d.row(first), d.stride);
    for (index_t i = first; i < last; ++i)
      for (index_t c = 0; c < inner; ++c) values(i, c) = d(i, c) * x(i, c);
  });

  const View y = arena.take_view(t, inner);
  const auto matrices = states.template part<1>(arena);
  for (std::size_t s = 0; s < f.tokens().sequences.size(); ++s) {
    const RowRange rows = f.tokens().sequences[s];
    const auto move = advance(matrices, s, rows.size(), n * inner, arena);
    constexpr index_t kColumns = 16;  // what a task takes at least
    const index_t tasks = (channels + kColumns - 1) / kColumns;
    const auto scan = [&](index_t j, index_t from, index_t to) {  // columns of head j
      const float* const part = parts.row(rows.begin) + j * each;
      kernels.scan({.tokens = rows.size(),
                    .keys = n,
                    .values = to - from,
                    .q = part + rank + n,
                    .k = part + rank,
                    .v = values.row(rows.begin) + from,
                    .q_stride = parts.stride,
                    .k_stride = parts.stride,
                    .v_stride = values.stride,
                    .kind = kernels::Decay::cell,
                    .decay = d.row(rows.begin) + from,
                    .decay_stride = d.stride,
                    .rates = rates_.data() + from,
                    .from = move.from + from,
                    .to = move.to + from,
                    .state_stride = inner,
                    .out = y.row(rows.begin) + from,
                    .out_stride = y.stride});
    };
    // Neighbouring tasks of a head are one call.
    step.parallel_rows(heads * tasks, 16 * rows.size() * n * kColumns, [&](index_t first, index_t last) {
      for (index_t j = first / tasks; j * tasks < last; ++j)
        scan(j, j * channels + std::max(first - j * tasks, index_t{0}) * kColumns,
             j * channels + std::min((last - j * tasks) * kColumns, channels));
    });
  }
  step.parallel_rows(t, 16 * inner, [&](index_t first, index_t last) {
    for (index_t i = first; i < last; ++i)
      for (index_t c = 0; c < inner; ++c) y(i, c) += skip_[static_cast<std::size_t>(c)] * x(i, c);
    elementwise.gate(Activation::silu, z.row(first), z.stride, y.row(first), y.stride, last - first, inner, y.row(first), y.stride);
  });
  out_.forward(y, delta, f);
}

}  // namespace hw
