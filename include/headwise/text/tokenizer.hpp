#pragma once
// The door to tokenizers: text to ids and back.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/core/error.hpp"
#include "headwise/text/special_tokens.hpp"

namespace hw {

namespace text {
struct TokenizerParts;
}

struct EncodeOptions {
  /// What the tokenizer's template puts around a text (bos, eos, [CLS], ...).
  bool add_special_tokens = true;
  /// Whether special tokens written in the text are special tokens. Turn it off for text that other people wrote.
  bool parse_special = true;
  /// Whether the places of the tokens are wanted.
  bool offsets = true;
};

/// The tokens of a text. `type_ids` are BERT's segments. `offsets`: the characters (code points) [begin, end) of the text that a token
/// came from, (0, 0) for what the template added; empty when not wanted.
struct Encoding {
  struct Offset {
    std::uint32_t begin = 0, end = 0;
    bool operator==(const Offset&) const = default;
  };
  std::vector<std::int32_t> ids, type_ids;
  std::vector<Offset> offsets;
};

/// A tokenizer: normaliser, pre-tokeniser, model (BPE, unigram, WordPiece, word level), template and decoder, as a checkpoint defines them.
/// Immutable; copies share it, and any number of threads may use it.
///
/// Text should be UTF-8. What is not is read as U+FFFD, one for each maximal part of a broken character; offsets count it as one character.
/// Truncation and padding settings of tokenizer.json are not applied: how many tokens fit is the caller's concern.
class Tokenizer {
 public:
  /// From a folder (tokenizer.json, else tokenizer.model, else vocab.json with merges.txt, else vocab.txt; tokenizer_config.json and
  /// special_tokens_map.json beside them), or a file: tokenizer.json, a SentencePiece .model, a .gguf.
  /// Errors: none of these is there, or what is there is invalid; the message names file and field.
  static Tokenizer load(const std::string& path);

  explicit Tokenizer(std::shared_ptr<const text::TokenizerParts> parts) : parts_(std::move(parts)) {}

  /// Errors: a text of 4 GiB or more, or one that a pattern or normaliser of the file fails on; a character without a token where the
  /// vocabulary has none for the unknown. Cost: linear in the text for all practical purposes, O(n log n) in one unbroken word.
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;
  /// Two texts (BERT's segments A and B), joined by the template for pairs. Offsets count in the text that a token is from.
  Encoding encode_pair(std::string_view first, std::string_view second, const EncodeOptions& options = {}) const;

  /// The text of tokens, without special tokens when wanted. Bytes that are not UTF-8 become U+FFFD. Errors: an id without a token.
  std::string decode(std::span<const std::int32_t> ids, bool skip_special_tokens = true) const;

  /// The token's id; nothing when there is no such token.
  std::optional<std::int32_t> id_of(std::string_view token) const;
  /// The token as the vocabulary has it. Errors: an id without a token.
  std::string_view token_of(std::int32_t id) const;
  bool has_token(std::int32_t id) const noexcept;
  bool is_special(std::int32_t id) const noexcept;

  /// The largest id + 1: rows that an embedding must have.
  std::int64_t vocab_size() const noexcept;
  /// Proves that an embedding of `rows` rows has one for every token of the vocabulary and of the template. Added tokens may lie beyond it
  /// (Gemma 3's text models have one for images, which no plain text becomes). Errors: names the first token that has no row.
  void require_rows(std::int64_t rows) const;
  const SpecialTokenIds& special() const noexcept;
  std::int32_t bos_id() const noexcept { return special().bos; }
  std::int32_t eos_id() const noexcept { return special().eos; }
  std::int32_t pad_id() const noexcept { return special().pad; }
  std::int32_t unk_id() const noexcept { return special().unk; }

 private:
  friend class StreamDecoder;
  std::shared_ptr<const text::TokenizerParts> parts_;
};

/// Decodes tokens as they are made. The pieces, put together with what `finish` gives, are the text that `decode` gives for all of them:
/// a piece is held back while a later token could change it (half a character, a run of byte tokens).
class StreamDecoder {
 public:
  explicit StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens = true);
  StreamDecoder(StreamDecoder&&) noexcept;
  StreamDecoder& operator=(StreamDecoder&&) noexcept;
  ~StreamDecoder();

  /// Errors: an id without a token; nothing has changed then.
  std::string push(std::int32_t id);
  /// What was held back; afterwards a new text begins.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/text/tokenizer.inl.hpp"
#endif
