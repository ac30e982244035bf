#pragma once
// Which files of a checkpoint make its tokenizer.

#include <memory>
#include <string>

namespace hw::text {

struct TokenizerParts;

/// See Tokenizer::load.
std::shared_ptr<const TokenizerParts> load_tokenizer(const std::string& path);

/// The `vocab*.spm` of a folder (Marian's SentencePiece models), or "". Error: several.
std::string vocabulary_beside(const std::string& folder);

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/tokenizer_load.inl.hpp"
#endif
