#pragma once
// Normalisers: what happens to a text before it is divided. Their names and fields are those of tokenizer.json.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "headwise/text/aligned_text.hpp"
#include "headwise/text/charsmap.hpp"
#include "headwise/text/regex.hpp"
#include "headwise/text/token_trie.hpp"

namespace hw::text {

struct UnicodeForm {
  NormalForm form;
};
struct Lowercase {};
struct StripAccents {};  // removes marks
struct Strip {
  bool left, right;
};
struct Prepend {
  std::string text;
};
struct Append {
  std::string text;
};
struct Replace {
  Regex pattern;
  std::string text;
};
/// Byte b becomes the character that stands for it in byte-level vocabularies.
struct BytesToCharacters {};
/// The character classes that NMT models drop or take for spaces.
struct Nmt {};
struct BertNormalizer {
  bool clean_text, handle_chinese_chars, strip_accents, lowercase;
};
/// A charsmap as the tokenizers library applies it: to whole grapheme clusters of up to five bytes, else to single characters.
struct Precompiled {
  Charsmap map;
};
/// A charsmap and white space as sentencepiece handles them.
struct SentencePieceNormalizer {
  Charsmap map;
  bool add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces, whitespace_as_suffix;
  TokenTrie user_defined;  // kept as they are
};

using NormalizerStep = std::variant<UnicodeForm, Lowercase, StripAccents, Strip, Prepend, Append, Replace, BytesToCharacters, Nmt,
                                    BertNormalizer, Precompiled, SentencePieceNormalizer>;

/// A sequence of steps.
class Normalizer {
 public:
  Normalizer() = default;
  explicit Normalizer(std::vector<NormalizerStep> steps) : steps_(std::move(steps)) {}
  void operator()(AlignedText& text) const;
  bool empty() const noexcept { return steps_.empty(); }

 private:
  std::vector<NormalizerStep> steps_;
};

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/normalizer.inl.hpp"
#endif
