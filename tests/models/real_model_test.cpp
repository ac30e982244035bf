// Real checkpoints, held to what independent engines computed from the same files. The folder $HEADWISE_MODELS holds them
// (examples/fetch_models.sh gets them); without them these tests are skipped, and say so.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "headwise/auto.hpp"
#include "headwise/families/stock.hpp"
#include "headwise/io/json.hpp"

namespace {

using hw::Json;

std::string find(const std::string& name) {
  const char* models = std::getenv("HEADWISE_MODELS");
  const std::string path = std::string(models ? models : "") + "/" + name;
  return models && std::filesystem::exists(path) ? path : "";
}
Json golden(const std::string& name) { return Json::read(std::string(HEADWISE_TEST_DATA) + "/real/" + name + ".json"); }

hw::TextModel load(const std::string& path, std::optional<hw::DType> weights = {}) {
  hw::LoadOptions options;
  options.threads = 2;
  options.weights = weights;
  return hw::load(path, options);
}

// The reference is made of f32 weights; margins below an engine's own error say nothing, and after the first of them texts may differ.
std::size_t expect_greedy(const hw::TextModel& model, const Json& reference, double own_error) {
  std::size_t compared = 0;
  for (const Json& c : reference.items()) {
    const auto expected = c.get<std::vector<std::int32_t>>("ids");
    const auto margin = c.get<std::vector<double>>("margin");
    hw::GenerateOptions options;
    options.max_new_tokens = static_cast<hw::index_t>(expected.size());
    hw::StateSet state = model.model().make_state();
    const auto made = hw::generate(model.model(), state, c.get<std::vector<std::int32_t>>("prompt_ids"), options).ids;
    for (std::size_t k = 0; k < expected.size() && margin[k] > own_error; ++k, ++compared) {
      EXPECT_EQ(made.at(k), expected[k]) << c.get<std::string>("name") << ", token " << k << ", margin " << margin[k];
      if (made.at(k) != expected[k]) break;
    }
  }
  return compared;
}

void expect_nll(const hw::TextModel& model, const Json& reference, double relative) {
  const auto score = hw::score(model.model(), reference.get<std::vector<std::int32_t>>("ids"));
  EXPECT_EQ(static_cast<std::int64_t>(score.per_token.size()), reference.get<std::int64_t>("n_predicted"));
  const double expected = reference.get<double>("mean");
  EXPECT_NEAR(score.mean_nll, expected, relative * expected);
  ::testing::Test::RecordProperty("nll", std::to_string(score.mean_nll));
  std::printf("  nll %.6f, reference %.6f (%+.4f%%)\n", score.mean_nll, expected, 100 * (score.mean_nll / expected - 1));
}

void expect_logits(const hw::TextModel& model, const Json& reference, const Json& greedy, double tolerance) {
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const Json c = reference.at(i);
    hw::Output out;
    const auto ids = greedy.at(i).get<std::vector<std::int32_t>>("prompt_ids");
    model.model().forward({.ids = ids}, out);
    const auto top_ids = c.get<std::vector<std::int32_t>>("top_ids");
    const auto top = c.get<std::vector<double>>("top");
    for (std::size_t k = 0; k < top.size(); ++k)
      EXPECT_NEAR(static_cast<double>(out.logits()(0, top_ids[k])), top[k], tolerance) << c.get<std::string>("name") << ", rank " << k;
  }
}

class Real : public testing::Test {
 protected:
  void decoder(const std::string& file, const std::string& name) {
    const std::string path = find(file);
    if (path.empty()) GTEST_SKIP() << file << " is not in $HEADWISE_MODELS";
    const Json g = golden(name);
    {
      SCOPED_TRACE("weights as in the file, 8-bit activations");
      const auto model = load(path);
      expect_greedy(model, g.at("greedy"), 0.5);
      expect_nll(model, g.at("nll"), 0.01);
      if (const auto chat = g.find("chat"))
        for (const Json& c : chat->items()) {
          const std::string text = model.chat_template().render(hw::JinjaValue::from_json(c.at("messages")), {.add_generation_prompt = c.get<bool>("add_generation_prompt")});
          EXPECT_EQ(text, c.get<std::string>("text"));
          EXPECT_EQ(model.tokenizer().encode(text, {.add_special_tokens = false}).ids, c.get<std::vector<std::int32_t>>("ids"));
        }
    }
    {
      SCOPED_TRACE("weights dequantised to f32");
      const auto model = load(path, hw::DType::f32);
      EXPECT_GT(expect_greedy(model, g.at("greedy"), 0.01), 64u);
      expect_logits(model, g.at("logits"), g.at("greedy"), 2e-3);
      expect_nll(model, g.at("nll"), 1e-5);
    }
  }
};

TEST_F(Real, SmolLM2) { decoder("smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2"); }
TEST_F(Real, Gemma3) { decoder("gemma3-270m/gemma-3-270m-q4_k_m.gguf", "gemma3"); }

TEST_F(Real, MiniLM) {
  const std::string path = find("minilm-l6-v2");
  if (path.empty()) GTEST_SKIP() << "minilm-l6-v2 is not in $HEADWISE_MODELS";
  const auto model = load(path);
  const Json g = golden("minilm");
  std::vector<std::string> texts;
  for (const Json& s : g.at("sentences").items()) {
    texts.push_back(s.get<std::string>("text"));
    EXPECT_EQ(model.encode(texts.back()), s.get<std::vector<std::int32_t>>("ids"));
  }
  const auto vectors = model.embed(texts);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto first = g.at("sentences").at(i).get<std::vector<double>>("first16");
    for (std::size_t j = 0; j < first.size(); ++j) EXPECT_NEAR(static_cast<double>(vectors[i][j]), first[j], 1e-4) << texts[i];
    EXPECT_EQ(vectors[i], model.embed(texts[i])) << "alone or in a batch";
    for (std::size_t j = 0; j < texts.size(); ++j) {
      double cosine = 0;
      for (std::size_t k = 0; k < vectors[i].size(); ++k) cosine += static_cast<double>(vectors[i][k]) * static_cast<double>(vectors[j][k]);
      EXPECT_NEAR(cosine, g.at("cosine").at(i).at(j).as<double>(), 1e-4);
    }
  }
}

// A conversation in one state is the same as in states of their own: what is reused changes nothing.
TEST_F(Real, ConversationReusesItsState) {
  const std::string path = find("smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf");
  if (path.empty()) GTEST_SKIP() << "smollm2-135m is not in $HEADWISE_MODELS";
  const auto model = load(path);
  hw::StateSet state = model.model().make_state();
  std::vector<hw::ChatMessage> messages;
  for (const char* question : {"Name a colour.", "Another one, please.", "And a fruit?"}) {
    messages.push_back({"user", question});
    const std::string answer = model.chat(messages, state, {.max_new_tokens = 24}).rest();
    EXPECT_EQ(answer, model.chat(messages, {.max_new_tokens = 24}).rest());
    EXPECT_FALSE(answer.empty());
    messages.push_back({"assistant", answer});
  }
}

}  // namespace
