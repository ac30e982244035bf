#pragma once
// Filters that say which tokens may or must come where, whatever their probability: for beam search and, by SamplingChain, for sampling.
// What they compute is what Hugging Face's logits processors compute on one row.

#include "headwise/generate/samplers.hpp"

namespace hw {

/// No sequence of `words` comes up: where all but its last id stand at the end, the last is out. (NoBadWordsLogitsProcessor)
struct NoBadWords {
  static constexpr const char* kName = "bad_words";
  std::vector<std::vector<std::int32_t>> words;
  void apply(Candidates& candidates, const SamplingContext& context) const {
    for (const auto& word : words) {
      const auto begun = std::span(word).first(word.size() - 1);
      if (begun.size() > context.ids.size() || !std::equal(begun.begin(), begun.end(), context.ids.end() - std::ssize(begun))) continue;
      candidates.logit(word.back()) = Candidates::kOut;
    }
  }
};

/// None of `ids` before the sequence has `length` tokens. (MinLengthLogitsProcessor, with the ids that end a text)
struct NotBefore {
  static constexpr const char* kName = "min_length";
  index_t length;
  std::vector<std::int32_t> ids;
  void apply(Candidates& candidates, const SamplingContext& context) const {
    if (std::ssize(context.ids) >= length) return;
    for (const std::int32_t id : ids) candidates.logit(id) = Candidates::kOut;
  }
};

/// None of `ids` as the token number `position` of the sequence. (SuppressTokensAtBeginLogitsProcessor)
struct SuppressAt {
  static constexpr const char* kName = "begin_suppress_ids";
  index_t position;
  std::vector<std::int32_t> ids;
  void apply(Candidates& candidates, const SamplingContext& context) const {
    if (std::ssize(context.ids) != position) return;
    for (const std::int32_t id : ids) candidates.logit(id) = Candidates::kOut;
  }
};

/// Only `id` as the token number `position`, with probability 1. (ForcedBOSTokenLogitsProcessor, ForcedEOSTokenLogitsProcessor)
struct ForcedAt {
  static constexpr const char* kName = "forced_id";
  index_t position;
  std::int32_t id;
  void apply(Candidates& candidates, const SamplingContext& context) const {
    if (std::ssize(context.ids) == position) candidates.only(id, 0);
  }
};

/// Only what `allowed(ids so far)` lists. Errors: an id outside of the vocabulary.  (PrefixConstrainedLogitsProcessor, arXiv:2010.00904)
struct AllowedIds {
  static constexpr const char* kName = "prefix_allowed_ids";
  std::function<std::vector<std::int32_t>(std::span<const std::int32_t>)> allowed;
  void apply(Candidates& candidates, const SamplingContext& context) const { candidates.keep_ids(allowed(context.ids)); }
};

}  // namespace hw
