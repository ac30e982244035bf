#pragma once
#include <algorithm>

#include "headwise/moe/experts.hpp"

namespace hw::detail {

HEADWISE_INLINE Dispatch dispatch(const Plan& plan, index_t rows, index_t experts, Arena& arena) {
  if (plan.rows() != rows) fail("experts", concat("a plan of ", rows, " rows"), std::to_string(plan.rows()));
  for (const int e : plan.item)
    if (e < 0) fail("experts", "a plan of items from 0 on", std::to_string(e));
  const Dispatch d{arena.take<index_t>(experts + 1), arena.take<index_t>(static_cast<index_t>(plan.item.size()))};
  std::fill(d.begin.begin(), d.begin.end(), index_t{0});
  for (const int e : plan.item)
    if (e < experts) ++d.begin[static_cast<std::size_t>(e) + 1];
  for (std::size_t e = 1; e < d.begin.size(); ++e) d.begin[e] += d.begin[e - 1];
  const auto next = arena.take<index_t>(experts);
  std::copy(d.begin.begin(), d.begin.end() - 1, next.begin());
  for (std::size_t i = 0; i < plan.item.size(); ++i)
    d.place[i] = plan.item[i] < experts ? next[static_cast<std::size_t>(plan.item[i])]++ : -1;
  return d;
}

HEADWISE_INLINE void gather(const Plan& plan, const Dispatch& to, ConstView x, View out, const Step& step) {
  step.parallel_rows(x.rows, x.cols, [&](index_t first, index_t last) {
    for (index_t r = first; r < last; ++r)
      for (auto i = static_cast<std::size_t>(plan.begin[static_cast<std::size_t>(r)]);
           i < static_cast<std::size_t>(plan.begin[static_cast<std::size_t>(r) + 1]); ++i) {
        if (to.place[i] < 0) continue;
        if (plan.w_in.empty())
          std::copy_n(x.row(r), x.cols, out.row(to.place[i]));
        else
          step.kernels.elementwise.scale(x.row(r), x.stride, plan.w_in[i], 1, x.cols, out.row(to.place[i]), out.stride);
      }
  });
}

HEADWISE_INLINE void combine(const Plan& plan, const Dispatch& from, ConstView out, ConstView x, index_t experts, index_t identities,
                             View y, const Step& step) {
  step.parallel_rows(y.rows, 2 * y.cols, [&](index_t first, index_t last) {
    for (index_t r = first; r < last; ++r) {
      std::fill_n(y.row(r), y.cols, 0.0f);
      for (auto i = static_cast<std::size_t>(plan.begin[static_cast<std::size_t>(r)]);
           i < static_cast<std::size_t>(plan.begin[static_cast<std::size_t>(r) + 1]); ++i) {
        if (plan.item[i] >= experts + identities) continue;
        float w = plan.w_out.empty() ? 1.0f : plan.w_out[i];
        if (from.place[i] < 0 && !plan.w_in.empty()) w *= plan.w_in[i];
        const float* const row = from.place[i] < 0 ? x.row(r) : out.row(from.place[i]);
        step.kernels.elementwise.add_scaled(row, y.cols, w, y.row(r), y.stride, 1.0f, 1, y.cols, y.row(r), y.stride);
      }
    }
  });
}

HEADWISE_INLINE void show(const Plan& plan, index_t experts, const Step& step) {
  const ArenaScope scope(step.arena);
  const View weights = step.arena.take_view(plan.rows(), experts);
  std::fill_n(weights.data, weights.rows * experts, 0.0f);
  for (index_t r = 0; r < weights.rows; ++r)
    for (auto i = static_cast<std::size_t>(plan.begin[static_cast<std::size_t>(r)]);
         i < static_cast<std::size_t>(plan.begin[static_cast<std::size_t>(r) + 1]); ++i)
      if (plan.item[i] < experts)
        weights(r, plan.item[i]) += (plan.w_out.empty() ? 1.0f : plan.w_out[i]) * (plan.w_in.empty() ? 1.0f : plan.w_in[i]);
  step.visit({TapPoint::routing, step.place.entry, step.place.sublayer_index}, weights);
}

}  // namespace hw::detail
