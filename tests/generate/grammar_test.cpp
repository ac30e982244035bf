// Generation that follows a grammar.

#include "headwise/generate/grammar_constraint.hpp"

#include <gtest/gtest.h>

#include "headwise/generate/generate.hpp"
#include "headwise/io/json.hpp"
#include "tests/models/toy.hpp"

namespace {

using hw::index_t;

// A vocabulary of 64 tokens: single bytes and pieces that cross the places of a grammar. 0 ends.
std::shared_ptr<const hw::TokenTexts> texts() {
  std::vector<std::string> out{""};
  for (const char c : std::string("{}[]\":, -.\\abcdefnlrtusxy0123456789\n")) out.emplace_back(1, c);
  for (const char* piece : {"{\"", "\":", "\",\"", "true", "null", "12", "\"}", "ab", "\xC3", "\xA9", "é", "], [", "false", "00"})
    out.emplace_back(piece);
  out.resize(64);
  return std::make_shared<const hw::TokenTexts>(out);
}

struct Written {
  std::string text;
  hw::FinishReason finish;
};

Written write(const hw::Grammar& grammar, std::uint64_t seed, index_t most = 400) {
  const auto vocabulary = texts();
  const auto model = toy::hybrid(1);
  hw::GenerateOptions options;
  options.sampling.temperature = 3;
  options.sampling.seed = seed;
  options.sampling.processors.add(hw::FollowGrammar(grammar, vocabulary, {0}));
  options.stop_ids = {0};
  options.max_new_tokens = most;
  hw::StateSet state = model->make_state();
  const auto made = hw::generate(*model, state, {1, 2, 3}, options);
  Written out{{}, made.finish};
  for (const std::int32_t id : made.ids) out.text += (*vocabulary)[id];
  return out;
}

TEST(FollowGrammar, WhatIsWrittenIsAccepted) {
  const hw::Grammar gbnf = hw::Grammar::gbnf("root ::= (\"ab\" | \"é\" [0-9]{2,3} | \"[\" root \"]\"){1,4}");
  const hw::Grammar schema = hw::Grammar::json_schema(
      R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "array", "items": {"type": "boolean"}, "maxItems": 3}},
          "required": ["a", "b"], "additionalProperties": false})");
  int ended = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Written a = write(gbnf, seed), b = write(schema, seed);
    for (const auto& [written, grammar] : {std::pair{a, gbnf}, std::pair{b, schema}}) {
      if (written.finish != hw::FinishReason::stop_id) continue;
      ++ended;
      EXPECT_TRUE(grammar.accepts(written.text)) << written.text;
    }
    if (b.finish != hw::FinishReason::stop_id) continue;
    const hw::Json json = hw::Json::parse(b.text, "what was written");
    EXPECT_TRUE(json["a"].is_integer() && json["b"].is_array() && json["b"].size() <= 3 && json.size() == 2) << b.text;
  }
  EXPECT_GT(ended, 60);
}

TEST(FollowGrammar, ACompleteTextEnds) {
  const Written w = write(hw::Grammar::gbnf("root ::= \"true\""), 1);
  EXPECT_EQ(w.text, "true");
  EXPECT_EQ(w.finish, hw::FinishReason::stop_id);
}

TEST(FollowGrammar, SaysWhereNothingGoesOn) {
  const auto error = [](const hw::Grammar& grammar, std::vector<std::int32_t> end_ids, std::span<const std::int32_t> more) {
    hw::FollowGrammar follow(grammar, texts(), std::move(end_ids));
    std::vector<std::int32_t> ids{9, 9};
    hw::Rng rng(1);
    try {
      for (std::size_t i = 0; i <= more.size(); ++i) {
        std::vector<float> logits(64, 0.0f);
        hw::Candidates candidates(64);
        candidates.reset(logits);
        follow.apply(candidates, {ids, rng});
        if (i < more.size()) ids.push_back(more[i]);
      }
    } catch (const hw::Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  const auto vocabulary = texts();
  const auto id = [&](std::string_view text) {
    for (std::int32_t i = 0; i < 64; ++i)
      if ((*vocabulary)[i] == text) return i;
    return -1;
  };
  const std::vector<std::int32_t> ab{id("ab")}, a{id("a")};
  EXPECT_EQ(error(hw::Grammar::gbnf("root ::= \"ab\""), {}, ab),
            "grammar: no token of the vocabulary goes on after 1 tokens: the text is complete, and there is no id that ends it");
  EXPECT_EQ(error(hw::Grammar::gbnf("root ::= \"ab\""), {0}, ab), "");
  EXPECT_EQ(error(hw::Grammar::gbnf("root ::= \"az\""), {0}, a), "grammar: no token of the vocabulary goes on after 1 tokens");
  EXPECT_EQ(error(hw::Grammar::gbnf("root ::= \"z\""), {0}, {}), "grammar: no token of the vocabulary goes on after 0 tokens");
  EXPECT_NE(error(hw::Grammar::gbnf("root ::= \"b\""), {0}, a).find("at position 0 of the text does not follow it"), std::string::npos);
}

// The walk over the vocabulary finds the tokens that one test each finds.
TEST(FollowGrammar, TheWalkIsEachTokenByItself) {
  const auto vocabulary = texts();
  const hw::Grammar grammar = hw::Grammar::json_schema("{}");
  int steps = 0;
  for (std::uint64_t seed = 0; seed < 90; ++seed) {
    hw::FollowGrammar follow(grammar, vocabulary, {0});
    hw::GrammarMatcher matcher(grammar);
    std::vector<std::int32_t> ids, left{0};
    hw::Rng rng(seed);
    for (int step = 0; step < 100 && !left.empty(); ++step, ++steps) {
      std::vector<float> logits(64, 0.0f);
      hw::Candidates candidates(64);
      candidates.reset(logits);
      follow.apply(candidates, {ids, rng});
      left.clear();
      for (std::int32_t id = 1; id < 64; ++id) {
        const bool expected = !(*vocabulary)[id].empty() && hw::GrammarMatcher(matcher).push((*vocabulary)[id]);
        ASSERT_EQ(candidates.logit(id) != hw::Candidates::kOut, expected) << step << ' ' << (*vocabulary)[id];
        if (expected) left.push_back(id);
      }
      ASSERT_EQ(candidates.logit(0) != hw::Candidates::kOut, matcher.places().complete);
      if (left.empty()) break;
      ids.push_back(left[static_cast<std::size_t>(rng.uniform() * static_cast<double>(left.size()))]);
      ASSERT_TRUE(matcher.push((*vocabulary)[ids.back()]));
    }
  }
  EXPECT_GT(steps, 1000);
}

// The texts of a real vocabulary's tokens, one after the other, are the text.
TEST(TokenTexts, OfATokenizerAddUp) {
  for (const char* name : {"bpe_gpt2", "bpe_llama3", "sp_llama2", "sp_gemma"}) {
    const hw::Tokenizer tokenizer = hw::Tokenizer::load(std::string(HEADWISE_TEST_DATA) + "/tokenizers/" + name);
    const hw::TokenTexts texts(tokenizer);
    const std::string text = "{\"name\": \"Zoë 😀\",\n  \"n\": [1, 23, null]}";
    std::string together;
    for (const std::int32_t id : tokenizer.encode(text, {.add_special_tokens = false}).ids) together += texts[id];
    if (together.starts_with(" ")) together.erase(0, 1);  // sentencepiece's first space
    EXPECT_EQ(together, text) << name;
  }
}

}  // namespace
