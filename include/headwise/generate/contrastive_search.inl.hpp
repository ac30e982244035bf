#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/generate/check_option.hpp"
#include "headwise/generate/contrastive_search.hpp"

namespace hw {
namespace detail {

// Rows scaled to length 1, one after the other.
inline void append_directions(std::vector<float>& to, ConstView rows) {
  for (index_t i = 0; i < rows.rows; ++i) {
    double squares = 0;
    for (index_t j = 0; j < rows.cols; ++j) squares += static_cast<double>(rows(i, j)) * static_cast<double>(rows(i, j));
    const auto scale = static_cast<float>(1 / std::sqrt(std::max(squares, 1e-30)));
    for (index_t j = 0; j < rows.cols; ++j) to.push_back(rows(i, j) * scale);
  }
}

// max_j <x, h_j>
inline double nearest(std::span<const float> x, std::span<const float> h) {
  double best = -1;
  for (std::size_t at = 0; at < h.size(); at += x.size()) {
    double dot = 0;
    for (std::size_t j = 0; j < x.size(); ++j) dot += static_cast<double>(x[j]) * static_cast<double>(h[at + j]);
    best = std::max(best, dot);
  }
  return best;
}

}  // namespace detail

HEADWISE_INLINE Generation contrastive_search(const Model& model, StateSet& state, std::span<const std::int32_t> prompt,
                                              const ContrastiveSearchOptions& options) {
  const index_t vocabulary = model.info().vocab_size, positions = model.info().max_positions;
  if (options.top_k < 1 || options.top_k > vocabulary) fail("top_k", concat("a count from 1 to ", vocabulary), concat(options.top_k));
  detail::require(options.penalty_alpha >= 0 && options.penalty_alpha <= 1, "penalty_alpha", "a number from 0 to 1", options.penalty_alpha);
  detail::require_count("max_new_tokens", options.max_new_tokens, 0);
  detail::require_count("prefill_chunk", options.prefill_chunk, 1);
  detail::require_ids("stop_ids", options.stop_ids, vocabulary);
  detail::require_ids("prompt", prompt, vocabulary);
  if (prompt.empty()) fail("prompt", "empty: give at least one token (a beginning-of-text id, say)");

  Output out;
  const StepOptions with_hidden{.hidden = true};
  std::vector<float> seen, direction;  // of the tokens so far
  for (std::size_t fed = 0; fed < prompt.size();) {
    const std::size_t n = std::min(prompt.size() - fed, static_cast<std::size_t>(options.prefill_chunk));
    model.forward(Sequence{prompt.subspan(fed, n), &state, Wanted::last}, out, with_hidden);
    detail::append_directions(seen, out.hidden());
    fed += n;
  }
  std::vector<float> logits(out.logits_row(0, 0).begin(), out.logits_row(0, 0).end());
  Candidates candidates(vocabulary);
  Generation made{{}, FinishReason::length};
  while (std::ssize(made.ids) < options.max_new_tokens) {
    if (positions > 0 && state.size() >= positions) {
      made.finish = FinishReason::context;
      break;
    }
    candidates.reset(logits);
    const std::span<const double> all = candidates.probabilities();
    std::vector<std::int32_t> order(candidates.ids().begin(), candidates.ids().end());
    const std::vector<double> p = [&] {
      std::vector<double> by_id(static_cast<std::size_t>(vocabulary));
      for (std::size_t i = 0; i < all.size(); ++i) by_id[static_cast<std::size_t>(order[i])] = all[i];
      return by_id;
    }();
    const auto k = std::min(std::ssize(order), options.top_k);
    const auto likelier = [&](std::int32_t a, std::int32_t b) {
      return logits[static_cast<std::size_t>(a)] != logits[static_cast<std::size_t>(b)]
                 ? logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)]
                 : a < b;
    };
    std::partial_sort(order.begin(), order.begin() + k, order.end(), likelier);
    std::vector<StateSet> forks;
    std::vector<Sequence> batch;
    forks.reserve(static_cast<std::size_t>(k));
    for (index_t i = 0; i < k; ++i) {
      forks.push_back(state.fork());
      batch.push_back({std::span(order).subspan(static_cast<std::size_t>(i), 1), &forks.back(), Wanted::last});
    }
    model.forward(batch, out, with_hidden);
    index_t best = 0;
    double best_score = -2;
    for (index_t i = 0; i < k; ++i) {
      direction.clear();
      detail::append_directions(direction, out.hidden(i));
      const auto alpha = static_cast<double>(options.penalty_alpha);
      const double score =
          (1 - alpha) * p[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] - alpha * detail::nearest(direction, seen);
      if (score > best_score) best = i, best_score = score;
    }
    const std::int32_t id = order[static_cast<std::size_t>(best)];
    if (std::find(options.stop_ids.begin(), options.stop_ids.end(), id) != options.stop_ids.end()) {
      made.finish = FinishReason::stop_id;
      break;
    }
    state = std::move(forks[static_cast<std::size_t>(best)]);
    detail::append_directions(seen, out.hidden(best));
    logits.assign(out.logits_row(best, 0).begin(), out.logits_row(best, 0).end());
    made.ids.push_back(id);
  }
  return made;
}

}  // namespace hw
