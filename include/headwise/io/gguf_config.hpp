#pragma once
// GGUF metadata as the configuration that Hugging Face would have written, so that a family reads one format.

#include "headwise/io/gguf.hpp"
#include "headwise/io/json.hpp"

namespace hw {

/// `general.architecture` becomes `model_type` under its GGUF name, `ARCH.embedding_length` becomes `hidden_size`, and so on: one table for
/// all architectures, with the most common of Hugging Face's names.
///
/// Set by what the file holds: `tie_word_embeddings` (no tensor output.weight), `vocab_size` (from the token list where there is no key).
/// Keys of the architecture that have no translation are passed on under their own name, so that HfConfig::account reports them. Messages
/// about a field, also a missing one, name the GGUF key: `model.gguf: ARCH.block_count (num_hidden_layers): ...`.
/// Errors: no architecture, a key of another type, per-layer values that differ.
Json gguf_config(const Gguf& gguf);

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/gguf_config.inl.hpp"
#endif
