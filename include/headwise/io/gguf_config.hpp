#pragma once
// GGUF metadata as the configuration that Hugging Face would have written, so that a family reads one format.

#include "headwise/io/gguf.hpp"
#include "headwise/io/json.hpp"

namespace hw {

/// `general.architecture` becomes `model_type` (an unknown one keeps its name), `llama.embedding_length` becomes `hidden_size`, and so on.
///
/// Set by what the file holds: `tie_word_embeddings` (no tensor output.weight), `vocab_size` (from the token list where there is no key).
/// Keys of the architecture that have no translation are passed on under their own name, so that HfConfig::account reports them. Messages
/// about a translated field name the GGUF key too: `model.gguf: llama.block_count (num_hidden_layers): ...`.
/// Errors: no architecture, a key that the architecture needs is missing or of another type, per-layer values that differ.
Json gguf_config(const Gguf& gguf);

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/gguf_config.inl.hpp"
#endif
