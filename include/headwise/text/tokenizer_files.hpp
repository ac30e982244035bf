#pragma once
// Tokenizers of older checkpoints, which have a vocabulary but no tokenizer.json: GPT-2's vocab.json with merges.txt, BERT's vocab.txt, and
// SentencePiece models beside a tokenizer_config.json.

#include <memory>
#include <string_view>

#include "headwise/io/json.hpp"
#include "headwise/text/tokenizer_parts.hpp"

namespace hw::text {

/// GPT-2's byte-level BPE. `config`: tokenizer_config.json, or null. Of it `add_prefix_space` and the tokens it names are used.
/// Errors: as for tokenizer.json; a `tokenizer_class` other than GPT2Tokenizer.
std::shared_ptr<TokenizerParts> read_vocab_and_merges(const Json& vocabulary, std::string_view merges, const Json& config);

/// BERT's WordPiece: a token a line. `config` says `do_lower_case` (true where it does not), `strip_accents`, `tokenize_chinese_chars`.
/// Errors: no [UNK], [CLS] or [SEP] token; a token twice; a `tokenizer_class` that is not BERT's or a descendant's with the same files.
std::shared_ptr<TokenizerParts> read_vocab_txt(std::string_view vocabulary, const Json& config);

/// Makes of a SentencePiece model what transformers makes of one without a tokenizer.json: `tokenizer_class` says which tokens surround a
/// text (Llama and Gemma: bos; T5: eos, and 100 further tokens), unless `add_bos_token` or `add_eos_token` do; the tokens that `config`
/// names are found in texts. Without a class nothing is added. Errors: another class; such checkpoints number or treat their tokens in
/// ways of their own.
void dress_sentencepiece(TokenizerParts& parts, const Json& config);

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/tokenizer_files.inl.hpp"
#endif
