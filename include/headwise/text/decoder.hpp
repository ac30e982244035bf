#pragma once
// Decoders: tokens back to text, one by one. Names and fields are those of tokenizer.json.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "headwise/text/regex.hpp"
#include "headwise/text/scored_bpe.hpp"

namespace hw::text {

/// No decoder: a space between tokens.
struct JoinBySpace {};
/// Characters of the byte alphabet become bytes; what is not UTF-8 becomes U+FFFD.
struct ByteLevelDecoder {};
struct WordPieceDecoder {
  std::string prefix;
  bool cleanup;
};
struct MetaspaceDecoder {
  char32_t replacement;
  bool drop_first;  // of the first token
};
struct BpeDecoder {
  std::string suffix;
};
struct CtcDecoder {
  std::string pad_token, word_delimiter_token;
  bool cleanup;
};
/// A run of tokens <0x..> becomes characters, or one U+FFFD each where the run is not UTF-8.
struct ByteFallbackDecoder {};
/// All tokens become one.
struct FuseDecoder {};
/// Takes up to `start` and `stop` characters `content` from the ends of every token.
struct StripDecoder {
  char32_t content;
  std::uint64_t start, stop;
};
struct ReplaceDecoder {
  Regex pattern;
  std::string text;
};
/// sentencepiece's own: control tokens vanish, the unknown token is " \u2047 ", U+2581 a space, the space before the first word goes.
struct SentencePieceDecoder {
  std::shared_ptr<const std::vector<TokenType>> types;  // by id
  bool drop_dummy_prefix, drop_all_prefix;
};

using DecoderStep = std::variant<JoinBySpace, ByteLevelDecoder, WordPieceDecoder, MetaspaceDecoder, BpeDecoder, CtcDecoder,
                                 ByteFallbackDecoder, FuseDecoder, StripDecoder, ReplaceDecoder, SentencePieceDecoder>;

/// One step at work on a sequence of tokens. It gives out what can no longer change, and the rest at the end.
class DecoderStage {
 public:
  /// `fused`: the tokens are the parts of one.
  DecoderStage(const DecoderStep& step, bool fused);

  void push(std::string_view token, std::int32_t id, std::vector<std::string>& out);
  void finish(std::vector<std::string>& out);

 private:
  void transform(std::string_view token, std::int32_t id, std::vector<std::string>& out);
  void flush_bytes(std::vector<std::string>& out);
  void push_sentencepiece(const SentencePieceDecoder& step, std::string_view token, std::int32_t id, std::vector<std::string>& out);

  const DecoderStep* step_;
  bool fused_, collect_;
  std::string held_;         // bytes of a character, a token that may change, or everything
  std::uint64_t count_ = 0;  // tokens so far; for Strip on one token: characters that may still go
  bool started_ = false;
};

/// A sequence of steps at work. The steps must outlive it.
class DecoderRun {
 public:
  explicit DecoderRun(const std::vector<DecoderStep>& steps);

  /// The text that is certain after this token.
  std::string push(std::string_view token, std::int32_t id);
  /// The rest.
  std::string finish();

 private:
  std::string run(std::size_t stage, std::vector<std::string> tokens, bool finish);
  std::vector<DecoderStage> stages_;
};

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/decoder.inl.hpp"
#endif
