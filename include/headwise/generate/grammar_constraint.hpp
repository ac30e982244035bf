#pragma once
// Generation that follows a grammar.

#include <unordered_map>

#include "headwise/generate/samplers.hpp"
#include "headwise/text/grammar.hpp"
#include "headwise/text/tokenizer.hpp"

namespace hw {

/// What each token adds to a text, sorted for walking through all of them at once.
class TokenTexts {
 public:
  /// Special tokens add nothing, and no grammar lets them pass.
  [[gnu::cold]] explicit TokenTexts(const Tokenizer& tokenizer);
  /// Of your own vocabulary, by id.
  [[gnu::cold]] explicit TokenTexts(std::vector<std::string> texts);

  std::string_view operator[](std::int32_t id) const noexcept { return texts_[static_cast<std::size_t>(id)]; }
  index_t size() const noexcept { return static_cast<index_t>(texts_.size()); }

 private:
  friend class FollowGrammar;
  void sort();
  std::vector<std::string> texts_;
  std::vector<std::int32_t> order_;    // ids with a text, by their texts' bytes
  std::vector<std::uint32_t> shared_;  // bytes that each of them begins with as the one before
};

/// Only tokens that a text of the grammar can go on with; those of `end_ids` where the text is complete.
///
///     const auto texts = std::make_shared<const hw::TokenTexts>(model.tokenizer());
///     options.sampling.processors.add(hw::FollowGrammar(hw::Grammar::json_schema(schema), texts, {model.tokenizer().eos_id()}));
///
/// The text begins where the first row is chosen: the prompt is no part of it. A copy goes on by itself; a stream takes a copy of its
/// options. Errors: no token goes on, and the text is not complete or there is no end id (the message says after how many tokens). Cost: a
/// step reads its token's bytes; the tokens that go on are found by one walk over the vocabulary for each set of places of the automaton,
/// and kept. Linear in the tokens.
class FollowGrammar {
 public:
  static constexpr const char* kName = "grammar";
  FollowGrammar(Grammar grammar, std::shared_ptr<const TokenTexts> texts, std::vector<std::int32_t> end_ids);
  void apply(Candidates& candidates, const SamplingContext& context);

 private:
  using Bits = std::vector<std::uint64_t>;
  void follow(std::span<const std::int32_t> ids);
  const Bits& allowed();

  Grammar grammar_;
  std::shared_ptr<const TokenTexts> texts_;
  std::vector<std::int32_t> end_ids_;
  std::size_t begin_ = 0;
  std::vector<std::int32_t> read_;  // of the context, as far as the matcher is
  bool started_ = false, ended_ = false;
  GrammarMatcher matcher_;
  std::unordered_map<std::string, Bits> kept_;  // by places
  std::size_t kept_from_ = 0;                   // GrammarMatcher::renumbered
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/grammar_constraint.inl.hpp"
#endif
