#pragma once
// Tokens that are found in a text before the model sees it: special tokens, and words added to a vocabulary later.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "headwise/text/normalizer.hpp"
#include "headwise/text/pre_tokenizer.hpp"
#include "headwise/text/token_trie.hpp"

namespace hw::text {

struct AddedToken {
  std::string content;
  std::int32_t id = -1;
  bool single_word = false;  // not within a word
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // and after it
  bool normalized = false;   // looked for in the normalised text, normalised itself
  bool special = false;      // dropped by decode(ids, skip_special_tokens)

  std::string decoded;           // what it is decoded as: the content, normalised where it is looked for normalised
  bool decoded_special = false;  // whether that is the content of a special token
};

class AddedTokens {
 public:
  AddedTokens() = default;
  /// Tokens without content are left out, equal ones count once. Errors: one content or id with two meanings.
  AddedTokens(std::vector<AddedToken> tokens, const Normalizer& normalizer, std::string_view where);

  /// Divides a text at the added tokens: the longest at the leftmost place. Without `parse_special`, special tokens are text.
  void divide_raw(std::string_view text, bool parse_special, std::vector<Piece>& out) const { divide(text, raw_, parse_special, out); }
  void divide_normalized(std::string_view text, bool parse_special, std::vector<Piece>& out) const {
    divide(text, normalized_, parse_special, out);
  }

  /// nullptr when there is no such token.
  const AddedToken* find(std::int32_t id) const noexcept;
  const AddedToken* find(std::string_view content) const noexcept;
  bool is_special(std::int32_t id) const noexcept {
    const AddedToken* token = find(id);
    return token && token->special;
  }
  const std::vector<AddedToken>& tokens() const noexcept { return tokens_; }

 private:
  void divide(std::string_view text, const TokenTrie& trie, bool parse_special, std::vector<Piece>& out) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<std::int32_t, std::size_t> by_id_;
  std::unordered_map<std::string, std::size_t> by_content_;
  TokenTrie raw_, normalized_;  // values: indexes into tokens_
};

}  // namespace hw::text

#if HEADWISE_DEFINITIONS
#include "headwise/text/added_tokens.inl.hpp"
#endif
