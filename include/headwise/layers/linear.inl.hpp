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
    part.panel = panels_;
    out_ += p.out;
    panels_ += part.weights->matrix.panels();
    parts_.push_back(std::move(part));
  }
}

HEADWISE_INLINE void Linear::forward(ConstView x, View y, const Frame& f) const {
  if (x.rows == 0) return;
  detail::check_width(where_, "input", x.cols, in_);
  detail::check_width(where_, "output", y.cols, out_);
  const Step& step = f.step;
  const kernels::MatmulKernels& matmul = step.kernels.matmul;
  const ArenaScope scope(step.arena);

  const std::byte* prepared[3] = {};  // by Activations
  for (const Part& p : parts_) {
    const std::byte*& form = prepared[static_cast<int>(p.activations)];
    const index_t bytes = kernels::prepared_bytes(p.activations, x.rows, in_);
    if (form != nullptr || bytes == 0) continue;
    std::byte* const memory = step.arena.take<std::byte>(bytes).data();
    step.parallel_rows(x.rows, in_, [&](index_t begin, index_t end) {
      matmul.prepare(p.activations, x.data, x.stride, begin, end, in_, memory);
    });
    form = memory;
  }

  // Panels of all parts in one row, split evenly; a task may end one part and begin the next.
  const int tasks = static_cast<int>(std::min<index_t>(step.executor.threads(), panels_));
  index_t scratch_bytes = 0;
  for (const Part& p : parts_) scratch_bytes = std::max(scratch_bytes, matmul.scratch_bytes(p.weights->matrix.type, x.rows, in_));
  scratch_bytes = (scratch_bytes + 63) / 64 * 64;
  const auto scratch = step.arena.take<std::byte>(scratch_bytes * tasks);
  const auto work = [&](int task) {
    const index_t begin = panels_ * task / tasks, end = panels_ * (task + 1) / tasks;
    for (const Part& p : parts_) {
      const kernels::PackedMatrix& w = p.weights->matrix;
      const index_t first = std::max(begin, p.panel) - p.panel;
      const index_t last = std::min(end - p.panel, w.panels());
      if (first < last)
        matmul.run({.weights = w, .activations = p.activations, .x = x.data, .x_stride = x.stride,
                    .prepared_x = prepared[static_cast<int>(p.activations)], .t = x.rows, .y = y.data + p.column, .y_stride = y.stride,
                    .bias = p.bias.empty() ? nullptr : p.bias.data(), .panel_begin = first, .panel_end = last,
                    .scratch = scratch.data() + scratch_bytes * task});
    }
  };
  if (tasks == 1) {
    work(0);
  } else {
    step.executor.run(tasks, work);
  }
}

}  // namespace hw
