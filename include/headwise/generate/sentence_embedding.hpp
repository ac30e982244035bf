#pragma once
// One vector for a text, as sentence-transformers makes it.

#include <span>
#include <string>
#include <vector>

#include "headwise/layers/pooling.hpp"
#include "headwise/models/model.hpp"

namespace hw {

/// embedding = normalise(pool(last hidden states))                                        Sentence-BERT, arXiv:1908.10084
struct SentenceEmbedding {
  Pooling pooling = Pooling::mean;
  bool normalise = true;        // to length 1
  index_t max_tokens = 0;       // longer inputs are cut, the last token kept; 0: the model's positions
  std::string prompt{};         // put before every text

  /// Reads modules.json, the pooling module's config.json and sentence_bert_config.json of a folder; without modules.json: the
  /// defaults above. Errors: a module or a pooling that is not known.
  static SentenceEmbedding read(const std::string& folder);

  /// One batch; inputs that are too long are cut. Errors: an empty input, those of Model::forward.
  std::vector<std::vector<float>> embed(const Model& model, std::span<const std::vector<std::int32_t>> inputs) const;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/sentence_embedding.inl.hpp"
#endif
