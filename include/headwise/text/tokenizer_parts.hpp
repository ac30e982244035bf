#pragma once
// What a tokenizer is made of. The readers of the file formats fill it.

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "headwise/text/added_tokens.hpp"
#include "headwise/text/bpe.hpp"
#include "headwise/text/decoder.hpp"
#include "headwise/text/normalizer.hpp"
#include "headwise/text/post_processor.hpp"
#include "headwise/text/pre_tokenizer.hpp"
#include "headwise/text/scored_bpe.hpp"
#include "headwise/text/special_tokens.hpp"
#include "headwise/text/unigram.hpp"
#include "headwise/text/wordpiece.hpp"

namespace hw::text {

using TokenizerModel = std::variant<WordLevel, WordPiece, Bpe, ScoredBpe, Unigram>;

struct TokenizerParts {
  std::string origin;     // what messages call it: "tokenizer.json"
  Vocabulary vocabulary;  // the model's
  AddedTokens added;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  TokenizerModel model = WordLevel("", "tokenizer");
  PostProcessor post_processor;
  std::vector<DecoderStep> decoder;
  std::shared_ptr<const std::vector<TokenType>> control_types;  // SentencePiece's; special tokens that no text becomes
  SpecialTokenIds special;
  std::int64_t id_limit = 0;  // the largest id + 1

  /// The token's text: an added token's, or the vocabulary's. False when there is no such token.
  bool text_of(std::int32_t id, std::string_view& out) const noexcept;
  std::int32_t id_of(std::string_view token) const noexcept;
  bool is_special(std::int32_t id) const noexcept;
  /// Sets `id_limit`. Errors: the special tokens or the template have an id without a token.
  void finish();
};

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/tokenizer_parts.inl.hpp"
#endif
