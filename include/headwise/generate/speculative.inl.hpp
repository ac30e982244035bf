#pragma once
#include <algorithm>
#include <utility>

#include "headwise/generate/check_option.hpp"
#include "headwise/generate/speculative.hpp"

namespace hw {

HEADWISE_INLINE void PromptLookup::operator()(std::span<const std::int32_t> ids, index_t count, const Sampler&,
                                              std::vector<std::int32_t>& draft) const {
  detail::require_count("min_ngram", min_ngram, 1);
  for (index_t n = std::min(max_ngram, std::ssize(ids) - 1); n >= min_ngram; --n) {
    const auto last = ids.last(static_cast<std::size_t>(n));
    for (index_t at = std::ssize(ids) - n - 1; at >= 0; --at) {
      if (!std::equal(last.begin(), last.end(), ids.begin() + at)) continue;
      const auto next = ids.subspan(static_cast<std::size_t>(at + n));
      const auto end = std::find(next.begin(), next.begin() + std::min(count, std::ssize(next)), -1);  // a row given as a vector
      if (end == next.begin()) continue;
      draft.assign(next.begin(), end);
      return;
    }
  }
}

HEADWISE_INLINE void DraftModel::operator()(std::span<const std::int32_t> ids, index_t count, const Sampler& sampler,
                                            std::vector<std::int32_t>& draft) {
  const index_t positions = model_.model().info().max_positions;
  if (positions > 0) count = std::min(count, positions - std::ssize(ids) + 1);
  Sampler same = sampler;
  context_.assign(ids.begin(), ids.end());
  for (index_t i = 0; i < count; ++i) {
    context_.push_back(same.sample(model_.logits(context_), context_));
    draft.push_back(context_.back());
  }
}

namespace detail {

// Takes a state back to what keep() said last when it goes out of scope, whatever happened. Every state reaches the beginning of its last
// step, so that at most the rows of that step are computed again.
class RewindAtEnd {
 public:
  RewindAtEnd(const Model& model, StateSet& state) : model_(model), state_(state) {}
  RewindAtEnd(const RewindAtEnd&) = delete;
  void keep(index_t n) noexcept { keep_ = n; }
  void done() {
    if (const index_t n = std::exchange(keep_, -1); n >= 0 && n < state_.size()) model_.rewind(state_, n);
  }
  ~RewindAtEnd() {
    try {
      done();
    } catch (...) {  // on the way out of another error
    }
  }

 private:
  const Model& model_;
  StateSet& state_;
  index_t keep_ = -1;
};

// A TokenStream that takes several tokens a step.
struct SpeculativeSteps {
  const Model& model;
  StateSet& state;
  TokenStream stream;
  Drafter drafter;
  index_t max_draft;
  const std::function<bool(std::int32_t)>& on_token;
  SpeculativeGeneration made{};
  Output out{};
  std::vector<std::int32_t> draft{}, rows{};

  void run() {
    while (stream.prepare()) {
      guess();
      if (draft.empty()) {
        stream.feed(stream.context_.size());
        take(stream.output_.logits_row(0, 0));
      } else {
        check();
      }
      ++made.steps;
    }
    made.ids.assign(stream.ids().begin(), stream.ids().end());
    made.finish = stream.finish();
  }

  // The last token of all is not fed; nor is one for which there is no position.
  void guess() {
    const std::span<const std::int32_t> context = stream.context_;
    index_t count = std::min(max_draft, stream.options_.max_new_tokens - std::ssize(stream.ids()) - 1);
    if (const index_t limit = model.info().max_positions; limit > 0) count = std::min(count, limit - std::ssize(context));
    draft.clear();
    if (count <= 0 || context.back() < 0 || model.info().length_dependent) return;
    drafter(context, count, stream.sampler_, draft);
    if (std::ssize(draft) > count) draft.resize(static_cast<std::size_t>(count));
    require_ids("draft", draft, model.info().vocab_size);
  }

  void check() {
    const std::size_t size = stream.context_.size();
    stream.feed(size - 1);
    rows.assign(1, stream.context_.back());
    rows.insert(rows.end(), draft.begin(), draft.end());
    RewindAtEnd back(model, state);
    model.forward(Sequence{rows, &state, Wanted::all}, out);
    made.drafted += std::ssize(draft);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      stream.fed_ = size + i;  // this row and those before it count
      back.keep(static_cast<index_t>(stream.fed_));
      const auto id = take(out.logits_row(0, static_cast<index_t>(i)));
      const bool as_drafted = id && i < draft.size() && draft[i] == *id;
      made.accepted += as_drafted;
      if (!as_drafted || !stream.prepare()) break;
    }
    back.done();
  }

  std::optional<std::int32_t> take(std::span<float> logits) {
    const auto id = stream.choose(logits);
    if (id && on_token && !on_token(*id)) stream.stop(FinishReason::callback);
    return id;
  }
};

}  // namespace detail

HEADWISE_INLINE SpeculativeGeneration generate_speculative(const Model& model, StateSet& state, std::vector<std::int32_t> prompt,
                                                           Drafter drafter, const GenerateOptions& options, index_t max_draft,
                                                           const std::function<bool(std::int32_t)>& on_token) {
  detail::require_count("max_draft", max_draft, 0);
  detail::SpeculativeSteps steps{model, state, TokenStream(model, state, std::move(prompt), options), drafter, max_draft, on_token};
  steps.run();
  return std::move(steps.made);
}

}  // namespace hw
