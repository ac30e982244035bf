#pragma once
// SentencePiece's .model files: a protocol buffer (sentencepiece_model.proto), read by hand.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/text/tokenizer_parts.hpp"

namespace hw::text {

struct SentencePieceModel {
  enum class Kind { unigram = 1, bpe = 2, word = 3, character = 4 };
  struct Entry {
    std::string_view piece;
    float score = 0;
    TokenType type = TokenType::normal;
  };
  std::vector<Entry> pieces;
  Kind kind = Kind::unigram;
  bool byte_fallback = false, whitespace_as_suffix = false;
  std::string_view charsmap;
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
  std::string_view unk_piece = "<unk>", bos_piece = "<s>", eos_piece = "</s>", pad_piece = "<pad>";
};

/// Views into `bytes`. Unknown fields are skipped. Errors: not a protocol buffer.
SentencePieceModel parse_sentencepiece(std::string_view bytes, std::string_view where);

/// A tokenizer that does what sentencepiece itself does: no token is added to a text, and the text of a control token is text like any
/// other. Errors: no piece, an empty or repeated one, not exactly one unknown piece, a byte piece that names no byte, scores that are not
/// finite, model types other than unigram and bpe.
std::shared_ptr<TokenizerParts> make_sentencepiece_tokenizer(const SentencePieceModel& model, std::string_view where);

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/sentencepiece.inl.hpp"
#endif
