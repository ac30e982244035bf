#pragma once
// Tokenizers of older checkpoints, which have a vocabulary but no tokenizer.json: GPT-2's vocab.json with merges.txt, and BERT's vocab.txt.

#include <memory>
#include <string_view>

#include "headwise/io/json.hpp"
#include "headwise/text/tokenizer_parts.hpp"

namespace hw::text {

/// GPT-2's byte-level BPE. `config`: tokenizer_config.json, or null. Of it `add_prefix_space` and the tokens it names are used.
/// Errors: as for tokenizer.json.
std::shared_ptr<TokenizerParts> read_vocab_and_merges(const Json& vocabulary, std::string_view merges, const Json& config);

/// BERT's WordPiece: a token a line. `config` says `do_lower_case` (true where it does not), `strip_accents`, `tokenize_chinese_chars`.
/// Errors: no [UNK], [CLS] or [SEP] token; a token twice.
std::shared_ptr<TokenizerParts> read_vocab_txt(std::string_view vocabulary, const Json& config);

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/tokenizer_files.inl.hpp"
#endif
