#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/generate/guidance.hpp"

namespace hw {

HEADWISE_INLINE std::span<float> FollowingModel::logits(std::span<const std::int32_t> ids) {
  if (ids.empty()) fail("following model", "at least one token", "none");
  const auto known = state_.ids();
  const auto common = std::mismatch(known.begin(), known.end(), ids.begin(), ids.end()).first - known.begin();
  model_->rewind(state_, std::min(static_cast<index_t>(common), std::ssize(ids) - 1));
  model_->forward(Sequence{ids.subspan(static_cast<std::size_t>(state_.size())), &state_}, output_);
  return output_.logits_row(0, 0);
}

namespace detail {

inline void require_alike(std::span<float> l, std::span<const float> other) {
  if (l.size() != other.size())
    fail("guidance", concat("a second model with ", l.size(), " tokens in its vocabulary"), concat(other.size()));
}

HEADWISE_INLINE void guide(std::span<float> l, std::span<const float> other, float scale) {
  require_alike(l, other);
  const double c = log_sum_exp(l), u = log_sum_exp(other), s = static_cast<double>(scale);
  for (std::size_t i = 0; i < l.size(); ++i) {
    if (l[i] == Candidates::kOut) continue;
    const double lu = static_cast<double>(other[i]) - u;
    l[i] = static_cast<float>(lu + s * (static_cast<double>(l[i]) - c - lu));
  }
}

HEADWISE_INLINE void contrast(std::span<float> l, std::span<const float> other, float alpha) {
  require_alike(l, other);
  const double c = log_sum_exp(l), u = log_sum_exp(other);
  const double least = static_cast<double>(*std::max_element(l.begin(), l.end())) + std::log(static_cast<double>(alpha));
  for (std::size_t i = 0; i < l.size(); ++i)
    l[i] = static_cast<double>(l[i]) >= least ? static_cast<float>(static_cast<double>(l[i]) - c - (static_cast<double>(other[i]) - u))
                                              : Candidates::kOut;
}

}  // namespace detail

HEADWISE_INLINE void Guidance::apply(Candidates& candidates, const SamplingContext& context) {
  if (begin < 1 || begin > std::ssize(context.ids)) fail("guidance", concat("new tokens from 1 to ", context.ids.size()), concat(begin));
  ids = negative_prompt;
  // Without a negative prompt the model sees the prompt's last token alone, as Hugging Face has it.
  const auto from = static_cast<std::size_t>(begin) - (negative_prompt.empty() ? 1 : 0);
  ids.insert(ids.end(), context.ids.begin() + static_cast<std::ptrdiff_t>(from), context.ids.end());
  detail::guide(candidates.logits(), model.logits(ids), scale);
}

}  // namespace hw
