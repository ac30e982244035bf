// SentencePiece .model files: ids and text as the sentencepiece library itself gives them.

#include <gtest/gtest.h>

#include "headwise/io/json.hpp"
#include "headwise/text/tokenizer.hpp"

namespace hw {
namespace {

class SentencePieceGolden : public testing::TestWithParam<std::string> {};

TEST_P(SentencePieceGolden, EncodesAndDecodes) {
  const std::string folder = std::string(HEADWISE_TEST_DATA) + "/tokenizers/" + GetParam();
  const Tokenizer tokenizer = Tokenizer::load(folder + "/tokenizer.model");
  const Json golden = Json::read(folder + "/golden.json");
  int checked = 0;
  for (const Json& c : golden.at("cases").items()) {
    const auto has = [&](const char* key) { return c.contains(key) && !c.at(key).is_null(); };
    std::string text;
    if (has("text")) text = c.get<std::string>("text");
    for (const Json& part : has("repeat") ? c.at("repeat").as<std::vector<Json>>() : std::vector<Json>())
      for (std::int64_t i = part[1].as<std::int64_t>(); i > 0; --i) text += part[0].as<std::string_view>();
    SCOPED_TRACE(testing::PrintToString(text.substr(0, 200)));
    // A case without spm_ids: they are those of the other library, without special tokens.
    const bool same = !has("spm_ids") && has("repeat") && !c.get<bool>("add_special_tokens");
    if (!has("spm_ids") && !same) continue;
    const auto ids = c.get<std::vector<std::int32_t>>(same ? "ids" : "spm_ids");
    EXPECT_EQ(tokenizer.encode(text).ids, ids);
    ++checked;
    if (!has("spm_decoded")) continue;
    EXPECT_EQ(tokenizer.decode(ids), c.get<std::string>("spm_decoded"));
    StreamDecoder stream(tokenizer);
    std::string streamed;
    for (const std::int32_t id : ids) streamed += stream.push(id);
    EXPECT_EQ(streamed + stream.finish(), c.get<std::string>("spm_decoded"));
  }
  EXPECT_GT(checked, 100);
}

INSTANTIATE_TEST_SUITE_P(Text, SentencePieceGolden, testing::Values("spm_bpe_llama", "spm_unigram_nfkc"),
                         [](const auto& info) { return info.param; });

TEST(SentencePiece, ControlTokensAreSpecial) {
  const Tokenizer tokenizer = Tokenizer::load(std::string(HEADWISE_TEST_DATA) + "/tokenizers/spm_bpe_llama/tokenizer.model");
  EXPECT_EQ(tokenizer.bos_id(), 1);
  EXPECT_EQ(tokenizer.eos_id(), 2);
  EXPECT_EQ(tokenizer.unk_id(), 0);
  EXPECT_TRUE(tokenizer.is_special(1));
  EXPECT_FALSE(tokenizer.is_special(300));
  EXPECT_NE(tokenizer.encode("<s>").ids, std::vector<std::int32_t>{1});
}

}  // namespace
}  // namespace hw
