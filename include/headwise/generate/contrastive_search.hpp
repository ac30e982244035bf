#pragma once
// Contrastive search: likely tokens whose hidden states are unlike those before.

#include "headwise/generate/generate.hpp"

namespace hw {

struct ContrastiveSearchOptions {
  index_t top_k = 4;           // candidates a step
  float penalty_alpha = 0.6f;  // 0: greedy; 1: the likelihood does not matter
  index_t max_new_tokens = 256;
  std::vector<std::int32_t> stop_ids{};  // end of text; the id itself is not given out
  index_t prefill_chunk = 512;
};

/// x = argmax over the top_k tokens of (1 - alpha) p(x) - alpha max_j cos(h_x, h_j)
///
/// where h are the last hidden states, h_x with x appended, and j runs over the prompt and the tokens made here.  arXiv:2202.06417; Hugging
/// Face's penalty_alpha and top_k. All candidates of a step are one batch of forks. Afterwards the state holds everything, the last token
/// included. Errors: top_k outside of 1 to the vocabulary; penalty_alpha outside of 0 to 1; those of Model::forward (the state is then as
/// after the last whole step). Cost: a step is a batch of top_k rows, and tokens * top_k * hidden.
Generation contrastive_search(const Model& model, StateSet& state, std::span<const std::int32_t> prompt,
                              const ContrastiveSearchOptions& options = {});

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/contrastive_search.inl.hpp"
#endif
