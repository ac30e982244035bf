#pragma once
// Tokenizers from the metadata of GGUF files (tokenizer.ggml.*).
// Specification: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; the names of `pre` are llama.cpp's.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/io/gguf.hpp"
#include "headwise/text/tokenizer_parts.hpp"

namespace hw::text {

/// What the metadata says. Views into the file.
struct GgufVocabulary {
  std::string origin;           // the file, for messages
  std::string_view model, pre;  // "gpt2", "llama", "bert", "t5"; which patterns divide a text for "gpt2"
  std::vector<std::string_view> tokens, merges;
  std::vector<float> scores;
  std::vector<TokenType> types;  // by id; empty: all normal
  SpecialTokenIds special;
  std::optional<bool> add_bos, add_eos, add_space_prefix, remove_extra_whitespaces;
  std::string precompiled_charsmap;
};

/// Errors: lists of different lengths, ids beyond the tokens, keys of the wrong type, a token type that is no number.
GgufVocabulary read_gguf_vocabulary(const Gguf& gguf);

/// gpt2: byte-level BPE. llama: SentencePiece's BPE. bert: WordPiece (U+2581 marks the start of a word). t5: SentencePiece's unigram.
/// Errors: a model or pre-tokeniser that is not known; byte tokens that are none; merges of tokens that are not in the vocabulary.
std::shared_ptr<TokenizerParts> make_gguf_tokenizer(const GgufVocabulary& vocabulary);

/// How texts are divided under a name of tokenizer.ggml.pre.
struct GgufPreTokenizer {
  std::vector<std::string_view> patterns;  // each divides what the one before left
  bool ignore_merges = false, add_bos = false, nfc = false;
};
/// Nothing for a name that is not known.
std::optional<GgufPreTokenizer> find_gguf_pre_tokenizer(std::string_view name);

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/tokenizer_gguf.inl.hpp"
#endif
