// A real translator: Bergamot's models in Marian's files, where they are, beside what the engine that ships them made of the same
// sentences.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "headwise/auto.hpp"
#include "headwise/generate/beam.hpp"

namespace {

class Bergamot : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const char* models = std::getenv("HEADWISE_MODELS");
    const std::string path = std::string(models ? models : "") + "/bergamot-enpt/" + GetParam();
    if (!models || !std::filesystem::exists(path))
      GTEST_SKIP() << "no bergamot-enpt in $HEADWISE_MODELS (bash examples/fetch_models.sh gets it)";
    model_.emplace(hw::load(path, {.threads = 2}));
  }
  std::optional<hw::TextModel> model_;
};

TEST_P(Bergamot, TranslatesAsItsEngineDoes) {
  const hw::Json golden = hw::Json::read(std::string(HEADWISE_TEST_DATA) + "/real/bergamot.json");
  int same = 0, count = 0;
  for (const hw::Json& sentence : golden[GetParam() == "en-pt" ? "en_pt" : "pt_en"].items()) {
    const auto found = model_->generate(sentence.get<std::string>("text"), {.max_new_tokens = 100}).rest();
    const auto expected = sentence.get<std::string>("out");
    ++count;
    same += found == expected;
    if (found != expected) std::cout << "engine: " << expected << "\nours:   " << found << "\n";
  }
  std::cout << same << " of " << count << " sentences are the engine's\n";
  EXPECT_GT(count, 2);
  EXPECT_GE(same * 10, count * 8);
}

// Sources and sentences of several lengths at once, by beams, from a state that went on and back: the bits of each alone.
TEST_P(Bergamot, IsTheSameInABatch) {
  const std::vector<std::string> texts{GetParam() == "en-pt" ? "Good morning!" : "Bom dia!", "100 %", "Porto, Lisboa."};
  std::vector<std::vector<std::int32_t>> ids;
  for (const std::string& text : texts) ids.push_back(model_->encode(text));
  std::vector<hw::Sequence> sources;
  for (const auto& one : ids) sources.push_back({.ids = one});
  hw::Output out;
  std::vector<hw::StateSet> together = model_->model().encode(sources, out);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const hw::StateSet alone = model_->model().encode(sources[i]);
    hw::BeamOptions options{.num_beams = 3, .max_new_tokens = 40};
    options.eos_ids = model_->stop_ids();
    const auto a = hw::beam_search(model_->model(), alone, model_->start_ids(), options),
               b = hw::beam_search(model_->model(), together[i], model_->start_ids(), options);
    EXPECT_EQ(a.front().ids, b.front().ids) << texts[i];
    EXPECT_EQ(a.front().score, b.front().score) << texts[i];
    EXPECT_GT(a.front().ids.size(), 1U);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Bergamot, testing::Values("en-pt", "pt-en"),
                         [](const auto& info) { return info.param == "en-pt" ? "en_pt" : "pt_en"; });

}  // namespace
