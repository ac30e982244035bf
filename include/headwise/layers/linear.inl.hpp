#pragma once
#include <algorithm>

#include "headwise/layers/linear.hpp"

namespace hw {

HEADWISE_LOAD_TIME Linear::Linear(index_t in, std::span<const LinearPart> parts, const Build& b)
    : in_(in), where_(parts.empty() ? std::string() : b.path(parts.front().name)) {
  for (const LinearPart& p : parts) {
    const Build scope = p.name.empty() ? b : b.scope(p.name);
    if (p.out <= 0 || in <= 0) fail(scope.path("weight"), "sizes above 0", shape_string({p.out, in}));
    Part part;
    part.weights = scope.packed("weight", p.out, in);
    part.activations = scope.activations(part.weights->matrix.type);
    if (p.bias) part.bias = scope.vector("bias", p.out);
    part.column = out_;
    out_ += p.out;
    parts_.push_back(std::move(part));
  }
}

HEADWISE_INLINE void Linear::forward_groups(std::span<const Linear* const> linears, std::span<const index_t> begin, ConstView x, View y,
                                            const Frame& f) {
  if (x.rows == 0) return;
  const Step& step = f.step;
  const kernels::MatmulKernels& matmul = step.kernels.matmul;
  const ArenaScope scope(step.arena);
  const auto rows_of = [&](std::size_t g) { return begin[g + 1] - begin[g]; };
  const auto each_part = [&](auto&& visit) {  // of the groups that have rows
    for (std::size_t g = 0; g < linears.size(); ++g)
      if (rows_of(g) > 0)
        for (const Part& p : linears[g]->parts_) visit(g, p);
  };
  // What a panel costs: its rows, and reading its weights.
  constexpr index_t kReading = 8;

  const std::byte* prepared[3] = {};  // of all rows, by Activations
  index_t panels = 0, work = 0, scratch_bytes = 0;
  each_part([&](std::size_t g, const Part& p) {
    const Linear& linear = *linears[g];
    detail::check_width(linear.where_, "input", x.cols, linear.in_);
    detail::check_width(linear.where_, "output", y.cols, linear.out_);
    panels += p.weights->matrix.panels();
    work += p.weights->matrix.panels() * (rows_of(g) + kReading);
    scratch_bytes = std::max(scratch_bytes, matmul.scratch_bytes(p.weights->matrix.type, rows_of(g), x.cols));
    const std::byte*& form = prepared[static_cast<int>(p.activations)];
    const index_t bytes = kernels::prepared_bytes(p.activations, x.rows, x.cols);
    if (form != nullptr || bytes == 0) return;
    std::byte* const memory = step.arena.take<std::byte>(bytes).data();
    step.parallel_rows(x.rows, x.cols,
                       [&](index_t first, index_t last) { matmul.prepare(p.activations, x.data, x.stride, first, last, x.cols, memory); });
    form = memory;
  });

  // Panels of all parts in one row, split evenly; a task may end one part and begin the next.
  const int tasks = static_cast<int>(std::min<index_t>(step.executor.threads(), panels));
  scratch_bytes = (scratch_bytes + 63) / 64 * 64;
  const auto scratch = step.arena.take<std::byte>(scratch_bytes * tasks);
  const auto run = [&](int task) {
    const index_t from = work * task / tasks, to = work * (task + 1) / tasks;
    index_t at = 0;
    each_part([&](std::size_t g, const Part& p) {
      const kernels::PackedMatrix& w = p.weights->matrix;
      const index_t cost = rows_of(g) + kReading, row = begin[g];
      const auto panel_at = [&](index_t place) { return std::clamp<index_t>((place - at + cost - 1) / cost, 0, w.panels()); };
      const index_t first = panel_at(from), last = panel_at(to);
      at += w.panels() * cost;
      if (first >= last) return;
      const std::byte* const form = prepared[static_cast<int>(p.activations)];
      matmul.run({.weights = w,
                  .activations = p.activations,
                  .x = x.row(row),
                  .x_stride = x.stride,
                  .prepared_x = form == nullptr ? nullptr : form + row * kernels::prepared_bytes(p.activations, 1, x.cols),
                  .t = rows_of(g),
                  .y = y.row(row) + p.column,
                  .y_stride = y.stride,
                  .bias = p.bias.empty() ? nullptr : p.bias.data(),
                  .panel_begin = first,
                  .panel_end = last,
                  .scratch = scratch.data() + scratch_bytes * task});
    });
  };
  if (tasks == 1) {
    run(0);
  } else {
    step.executor.run(tasks, run);
  }
}

}  // namespace hw
