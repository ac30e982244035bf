#pragma once
// tokenizer.json, the definition that the tokenizers library writes, and the small files beside it.

#include <memory>
#include <optional>

#include "headwise/io/json.hpp"
#include "headwise/text/tokenizer_parts.hpp"

namespace hw::text {

/// Errors: components that are not known, fields of the wrong type, ids out of range, merges of tokens that are not in the vocabulary.
/// Sequences within sequences are flattened; 1024 steps are the most.
std::shared_ptr<TokenizerParts> read_tokenizer_json(const Json& json);

/// Sets the special tokens by their names ("bos_token": a string or an object with `content`) and checks the rest of what
/// tokenizer_config.json says about them. For special_tokens_map.json too.
void read_special_tokens(TokenizerParts& parts, const Json& config);

// The parts of tokenizer.json.
Normalizer read_normalizer(const Json& json);
PreTokenizer read_pre_tokenizer(const Json& json, bool keep_bytes);
/// Whether the last step is ByteLevel, so that a BPE model can take bytes as they are.
bool ends_with_byte_level(const Json& pre_tokenizer);
PostProcessor read_post_processor(const Json& json);
std::vector<DecoderStep> read_decoder(const Json& json);

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/tokenizer_json.inl.hpp"
#endif
