// Every tokenizer of tests/golden/tokenizers: ids, offsets, decoded text and pairs as the tokenizers and sentencepiece libraries give them.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "headwise/io/json.hpp"
#include "headwise/text/tokenizer.hpp"

namespace hw {
namespace {

std::string folder(const std::string& name) { return std::string(HEADWISE_TEST_DATA) + "/tokenizers/" + name; }

// The golden files hold control characters that JSON escapes; texts are given whole or as [piece, times] pairs.
std::string text_of(const Json& golden) {
  if (golden.contains("text")) return golden.get<std::string>("text");
  std::string text;
  for (const Json& part : golden.at("repeat").items())
    for (std::int64_t i = part[1].as<std::int64_t>(); i > 0; --i) text += part[0].as<std::string_view>();
  return text;
}

std::size_t characters(std::string_view s) {
  return static_cast<std::size_t>(std::count_if(s.begin(), s.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string streamed(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids, bool skip_special) {
  StreamDecoder decoder(tokenizer, skip_special);
  std::string text;
  for (const std::int32_t id : ids) {
    const std::string piece = decoder.push(id);
    EXPECT_EQ(piece.find('\xFF'), std::string::npos);
    text += piece;
  }
  return text + decoder.finish();
}

class TokenizerGolden : public testing::TestWithParam<std::string> {};

TEST_P(TokenizerGolden, EncodesAndDecodes) {
  const Tokenizer tokenizer = Tokenizer::load(folder(GetParam()));
  const Json golden = Json::read(folder(GetParam()) + "/golden.json");
  EXPECT_EQ(tokenizer.vocab_size(), golden.get<std::int64_t>("vocab_size"));
  ASSERT_GT(golden.at("cases").size(), 100u);
  for (const Json& c : golden.at("cases").items()) {
    const std::string text = text_of(c);
    SCOPED_TRACE(testing::PrintToString(text.substr(0, 200)));
    const Encoding encoding = tokenizer.encode(text, {.add_special_tokens = c.get<bool>("add_special_tokens")});
    const auto ids = c.get<std::vector<std::int32_t>>("ids");
    EXPECT_EQ(encoding.ids, ids);
    EXPECT_EQ(encoding.type_ids.size(), encoding.ids.size());
    if (c.contains("offsets")) {
      std::vector<Encoding::Offset> offsets;
      for (const Json& o : c.at("offsets").items()) offsets.push_back({o[0].as<std::uint32_t>(), o[1].as<std::uint32_t>()});
      const auto pairs = [](const std::vector<Encoding::Offset>& list) {
        std::string out;
        for (const auto& o : list) out += concat("(", o.begin, ",", o.end, ")");
        return out;
      };
      EXPECT_EQ(pairs(encoding.offsets), pairs(offsets));
    }
    const std::string decoded = tokenizer.decode(ids, false), skipped = tokenizer.decode(ids, true);
    if (c.contains("decoded")) {
      EXPECT_EQ(decoded, c.get<std::string>("decoded"));
      EXPECT_EQ(skipped, c.get<std::string>("decoded_skip_special"));
    } else {
      EXPECT_EQ(characters(decoded), c.get<std::size_t>("decoded_length"));
      EXPECT_EQ(skipped == text, c.get<bool>("decoded_skip_special_equals_text"));
    }
    EXPECT_EQ(streamed(tokenizer, ids, false), decoded);
    EXPECT_EQ(streamed(tokenizer, ids, true), skipped);
  }
}

class TokenizerPairsGolden : public TokenizerGolden {};

TEST_P(TokenizerPairsGolden, EncodesPairs) {
  const Json golden = Json::read(folder(GetParam()) + "/golden.json");
  const Tokenizer tokenizer = Tokenizer::load(folder(GetParam()));
  for (const Json& c : golden.at("pairs").items()) {
    SCOPED_TRACE(testing::PrintToString(text_of(c)));
    const Encoding encoding = tokenizer.encode_pair(c.get<std::string>("text"), c.get<std::string>("text_pair"));
    EXPECT_EQ(encoding.ids, c.get<std::vector<std::int32_t>>("ids"));
    EXPECT_EQ(encoding.type_ids, c.get<std::vector<std::int32_t>>("type_ids"));
    EXPECT_EQ(tokenizer.decode(encoding.ids, false), c.get<std::string>("decoded"));
  }
}

std::vector<std::string> golden_tokenizers() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(HEADWISE_TEST_DATA) + "/tokenizers"))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// Those whose golden file has pairs of texts.
std::vector<std::string> golden_tokenizers_of_pairs() {
  std::vector<std::string> names = golden_tokenizers();
  std::erase_if(names, [](const std::string& name) { return !Json::read(folder(name) + "/golden.json").contains("pairs"); });
  return names;
}

INSTANTIATE_TEST_SUITE_P(Text, TokenizerGolden, testing::ValuesIn(golden_tokenizers()), [](const auto& info) { return info.param; });
INSTANTIATE_TEST_SUITE_P(Text, TokenizerPairsGolden, testing::ValuesIn(golden_tokenizers_of_pairs()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace hw
