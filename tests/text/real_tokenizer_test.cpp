// Tokenizers of real checkpoints (GGUF vocabularies, a tokenizer.json). The folder $HEADWISE_MODELS holds them; without them these tests
// are skipped.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "headwise/io/json.hpp"
#include "headwise/text/tokenizer.hpp"

namespace hw {
namespace {

// The first file with this extension in the model's folder, or the folder; "" when it is not there.
std::string model_path(const std::string& name, const std::string& extension) {
  const char* models = std::getenv("HEADWISE_MODELS");
  const std::filesystem::path folder = std::filesystem::path(models ? models : "") / name;
  if (!models || !std::filesystem::is_directory(folder)) return "";
  if (extension.empty()) return folder.string();
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == extension) return entry.path().string();
  return "";
}

Json golden(const std::string& name) { return Json::read(std::string(HEADWISE_TEST_DATA) + "/real/" + name + "_tokenizer.json"); }

void check_texts(const Tokenizer& tokenizer, const Json& texts) {
  ASSERT_GT(texts.size(), 40u);
  for (const Json& c : texts.items()) {
    const auto text = c.get<std::string>("text");
    SCOPED_TRACE(testing::PrintToString(text.substr(0, 200)));
    const std::vector<std::int32_t> ids = tokenizer.encode(text).ids, expected = c.get<std::vector<std::int32_t>>("ids");
    const bool other = c.contains("hf_ids") && ids != expected;  // two oracles, two answers: either is right
    EXPECT_EQ(ids, other ? c.get<std::vector<std::int32_t>>("hf_ids") : expected);
    if (c.contains("ids_special_as_text")) {
      EXPECT_EQ(tokenizer.encode(text, {.parse_special = false}).ids, c.get<std::vector<std::int32_t>>("ids_special_as_text"));
    }
    if (c.contains("ids_without_special")) {
      EXPECT_EQ(tokenizer.encode(text, {.add_special_tokens = false}).ids, c.get<std::vector<std::int32_t>>("ids_without_special"));
    }
    StreamDecoder stream(tokenizer, false);
    std::string streamed;
    for (const std::int32_t id : ids) streamed += stream.push(id);
    EXPECT_EQ(streamed + stream.finish(), tokenizer.decode(ids, false));
  }
}

TEST(RealTokenizer, Smollm2Gguf) {
  const std::string path = model_path("smollm2-135m", ".gguf");
  if (path.empty()) GTEST_SKIP() << "smollm2-135m is not in $HEADWISE_MODELS";
  const Tokenizer tokenizer = Tokenizer::load(path);
  const Json reference = golden("smollm2");
  check_texts(tokenizer, reference.at("tokenizer"));
  for (const Json& chat : reference.at("chat").items()) {
    EXPECT_EQ(tokenizer.encode(chat.get<std::string>("text"), {.add_special_tokens = false}).ids,
              chat.get<std::vector<std::int32_t>>("ids"));
    EXPECT_EQ(tokenizer.decode(chat.get<std::vector<std::int32_t>>("ids"), false), chat.get<std::string>("text"));
  }
}

TEST(RealTokenizer, Gemma3Gguf) {
  const std::string path = model_path("gemma3-270m", ".gguf");
  if (path.empty()) GTEST_SKIP() << "gemma3-270m is not in $HEADWISE_MODELS";
  const Tokenizer tokenizer = Tokenizer::load(path);
  EXPECT_EQ(tokenizer.bos_id(), 2);
  check_texts(tokenizer, golden("gemma3").at("tokenizer"));
}

TEST(RealTokenizer, MinilmJson) {
  const std::string path = model_path("minilm-l6-v2", "");
  if (path.empty()) GTEST_SKIP() << "minilm-l6-v2 is not in $HEADWISE_MODELS";
  const Tokenizer tokenizer = Tokenizer::load(path);
  const Json reference = golden("minilm");
  check_texts(tokenizer, reference.at("tokenizer"));
  for (const Json& sentence : reference.at("sentences").items())
    EXPECT_EQ(tokenizer.encode(sentence.get<std::string>("text")).ids, sentence.get<std::vector<std::int32_t>>("ids"));
  for (const Json& pair : reference.at("pairs").items()) {
    const Encoding encoding = tokenizer.encode_pair(pair.get<std::string>("a"), pair.get<std::string>("b"));
    EXPECT_EQ(encoding.ids, pair.get<std::vector<std::int32_t>>("ids"));
    EXPECT_EQ(encoding.type_ids, pair.get<std::vector<std::int32_t>>("type_ids"));
  }
}

}  // namespace
}  // namespace hw
