#pragma once
// Pre-tokenisers: they divide a normalised text into the pieces ("words") that the model sees one by one. Names and fields are those of
// tokenizer.json.

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "headwise/text/aligned_text.hpp"
#include "headwise/text/regex.hpp"

namespace hw::text {

/// Bytes [begin, end) of a text; `id` >= 0: an added token, which is not divided any more.
struct Piece {
  std::size_t begin, end;
  std::int32_t id = -1;
};

/// A text and its pieces, in order.
struct Pieces {
  AlignedText text;
  std::vector<Piece> pieces;
};

/// What becomes of a match that divides a text.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

struct Split {
  Regex pattern;
  SplitBehavior behavior;
  bool invert;
};
struct SplitWhitespace {};  // at White_Space, which goes
struct BertPreTokenizer {};
struct Punctuation {
  SplitBehavior behavior;
};
struct Digits {
  bool individual;
};
struct Metaspace {
  enum class Prepend { always, never, first };
  char32_t replacement;
  Prepend prepend;
  bool split;
};
struct ByteLevel {
  bool add_prefix_space, use_regex;
  Regex pattern;    // GPT-2's
  bool keep_bytes;  // the model reads bytes: they need not become characters
};
struct FixedLength {
  std::size_t characters;
};

using PreTokenizerStep = std::variant<Split, SplitWhitespace, BertPreTokenizer, Punctuation, Digits, Metaspace, ByteLevel, FixedLength>;

/// A sequence of steps.
class PreTokenizer {
 public:
  PreTokenizer() = default;
  explicit PreTokenizer(std::vector<PreTokenizerStep> steps) : steps_(std::move(steps)) {}
  void operator()(Pieces& pieces) const;

 private:
  std::vector<PreTokenizerStep> steps_;
};

/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
std::string_view gpt2_pattern() noexcept;

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/pre_tokenizer.inl.hpp"
#endif
