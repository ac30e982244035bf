#pragma once
#include "headwise/layers/head.hpp"

namespace hw {

HEADWISE_LOAD_TIME Head::Head(const Config& c, index_t hidden_size, const Build& b)
    : name_(c.name), pooling_(c.pooling), width_(hidden_size) {
  for (const HeadStage& stage : c.stages) {
    if (const auto* dense = std::get_if<DenseStage>(&stage)) {
      stages_.emplace_back(Linear(width_, {LinearPart{dense->name, dense->out, dense->bias}}, b));
      width_ = dense->out;
    } else if (const auto* norm = std::get_if<NormStage>(&stage)) {
      stages_.emplace_back(make_norm(norm->norm, b.scope(norm->name)));
    } else if (const auto* act = std::get_if<ActivationStage>(&stage)) {
      stages_.emplace_back(*act);
    } else {
      stages_.emplace_back(std::get<ScaleStage>(stage));
    }
  }
}

HEADWISE_INLINE void Head::forward(ConstView x, View y, const Frame& f) const {
  const Step& step = f.step;
  const kernels::ElementwiseKernels& kernel = step.kernels.elementwise;
  // Each stage writes rows of its own; the last linear one writes to y, and what follows it works there in place.
  std::size_t last_linear = stages_.size();
  for (std::size_t i = 0; i < stages_.size(); ++i)
    if (std::holds_alternative<Linear>(stages_[i])) last_linear = i;
  View now = y;
  if (last_linear == stages_.size()) {
    for (index_t i = 0; i < x.rows; ++i) std::copy_n(x.row(i), x.cols, y.row(i));
  } else {
    now = step.arena.take_view(x.rows, x.cols);
    for (index_t i = 0; i < x.rows; ++i) std::copy_n(x.row(i), x.cols, now.row(i));
  }
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const auto per_row = [&](auto&& body) { step.parallel_rows(now.rows, 8 * now.cols, body); };
    if (const auto* linear = std::get_if<Linear>(&stages_[i])) {
      const View next = i == last_linear ? y : step.arena.take_view(x.rows, linear->out());
      linear->forward(now, next, f);
      now = next;
    } else if (const auto* norm = std::get_if<AnyNorm>(&stages_[i])) {
      std::visit([&](const auto& n) { n.forward(now, now, f); }, *norm);
    } else if (const auto* act = std::get_if<ActivationStage>(&stages_[i])) {
      per_row([&](index_t begin, index_t end) {
        kernel.activate(act->activation, now.row(begin), now.stride, end - begin, now.cols, now.row(begin), now.stride);
      });
    } else {
      const auto& s = std::get<ScaleStage>(stages_[i]);
      per_row([&](index_t begin, index_t end) {
        if (s.scale != 1.0f) kernel.scale(now.row(begin), now.stride, s.scale, end - begin, now.cols, now.row(begin), now.stride);
        if (s.cap > 0.0f) kernel.soft_cap(now.row(begin), now.stride, s.cap, end - begin, now.cols, now.row(begin), now.stride);
      });
    }
  }
}

}  // namespace hw
