// What stands around Whisper's decoder: the rules of times by hand, and, where the real model is, what independent engines heard.

#include "headwise/generate/transcribe.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "headwise/auto.hpp"
#include "headwise/families/whisper.hpp"
#include "headwise/io/open_weights.hpp"

namespace {

using hw::index_t;

// Text is 0..3, 4 ends it, times are 5..104: 5 + n is n * 0.02 s. What is left of even logits, or of those given.
std::vector<std::int32_t> left_after(std::vector<std::int32_t> made, std::vector<float> logits = std::vector<float>(105, 0.0f)) {
  std::vector<std::int32_t> ids{1, 2};
  ids.insert(ids.end(), made.begin(), made.end());
  hw::Candidates candidates(static_cast<index_t>(logits.size()));
  candidates.reset(logits);
  hw::Rng rng(0);
  hw::TimeRules{4, 5, 2}.apply(candidates, {ids, rng});
  std::vector<std::int32_t> out;
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > hw::Candidates::kOut) out.push_back(static_cast<std::int32_t>(i));
  return out;
}
std::vector<std::int32_t> range(std::int32_t from, std::int32_t to) {
  std::vector<std::int32_t> out;
  for (; from < to; ++from) out.push_back(from);
  return out;
}
// Times are so improbable that all together stay below any text.
std::vector<float> text_is_likely() {
  std::vector<float> out(105, -20.0f);
  for (std::size_t i = 0; i < 5; ++i) out[i] = 0;
  return out;
}

TEST(TimeRules, SayWhereTimesStand) {
  EXPECT_EQ(left_after({}), range(5, 56));                    // the first is a time, of at most 1 s
  EXPECT_EQ(left_after({7}, text_is_likely()), range(0, 5));  // then text
  EXPECT_EQ(left_after({7, 1}), range(8, 105));               // together more probable: a time, a later one
  std::vector<std::int32_t> both = range(0, 5), later = range(8, 105);
  both.insert(both.end(), later.begin(), later.end());
  EXPECT_EQ(left_after({7, 1}, text_is_likely()), both);
  std::vector<std::int32_t> pair{4};
  const auto from_nine = range(9, 105);
  pair.insert(pair.end(), from_nine.begin(), from_nine.end());
  EXPECT_EQ(left_after({7, 1, 9}, text_is_likely()), pair);            // its pair, or the end
  EXPECT_EQ(left_after({7, 1, 9, 9}, text_is_likely()), range(0, 5));  // text again
  std::vector<std::int32_t> after = range(0, 5), beyond = range(10, 105);
  after.insert(after.end(), beyond.begin(), beyond.end());
  EXPECT_EQ(left_after({7, 1, 9, 9, 2}, text_is_likely()), after);
}

TEST(Renormalise, GivesLogProbabilities) {
  std::vector<float> logits{1, hw::Candidates::kOut, 2};
  hw::Candidates candidates(3);
  candidates.reset(logits);
  hw::Rng rng(0);
  hw::Renormalise{}.apply(candidates, {{}, rng});
  EXPECT_NEAR(std::exp(logits[0]) + std::exp(logits[2]), 1, 1e-6);
  EXPECT_NEAR(logits[2] - logits[0], 1, 1e-6);
  EXPECT_EQ(logits[1], hw::Candidates::kOut);
}

// How often each run of four ids comes, on average.
double repetition(const std::vector<std::int32_t>& ids) {
  std::set<std::vector<std::int32_t>> runs;
  for (auto i = ids.begin(); ids.end() - i >= 4; ++i) runs.emplace(i, i + 4);
  return static_cast<double>(ids.size() - 3) / static_cast<double>(runs.size());
}

// A tiny Whisper with random weights: it hears nothing, but says something, which thresholds then accept or not. Words are ids 0 to 39.
class Babble : public testing::Test {
 protected:
  static constexpr std::int32_t kEnd = 40;

  static void SetUpTestSuite() {
    const std::string golden = std::string(HEADWISE_TEST_DATA) + "/models/whisper";
    std::ifstream file(golden + "/config.json");
    std::string config{std::istreambuf_iterator<char>(file), {}};
    for (const auto& [field, value] : {std::pair("\"max_source_positions\": 20", "\"max_source_positions\": 1500"),
                                       std::pair("\"max_target_positions\": 24", "\"max_target_positions\": 80")}) {
      const std::size_t at = config.find(field);
      ASSERT_NE(at, std::string::npos) << field;
      config.replace(at, std::string(field).size(), value);
    }
    using Family = hw::families::Whisper;
    const auto made = Family::config(hw::HfConfig(hw::Json::parse(config, "config.json")), *hw::open_weights(golden));
    model = new Family::Model(made, hw::RandomWeights{.seed = 3}, std::make_shared<hw::ThreadPool>(1));

    hw::JsonBuilder vocab;
    vocab.begin_object();
    for (int i = 0; i < 97; ++i) {
      constexpr const char* kSpecial[] = {"<|endoftext|>", "<|startoftranscript|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"};
      vocab.member(i < kEnd ? hw::concat("w", i) : i < 45 ? std::string(kSpecial[i - kEnd]) : hw::concat("<|", i, "|>"), i);
    }
    const std::string path = testing::TempDir() + "headwise_babble_tokenizer.json";
    std::ofstream(path) << R"({"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "WhitespaceSplit"}, "model": )"
                        << R"({"type": "WordLevel", "unk_token": "w0", "vocab": )" << vocab.end_object().finish().dump() << "}}";
    tokenizer = new hw::Tokenizer(hw::Tokenizer::load(path));
    std::filesystem::remove(path);
  }
  static void TearDownTestSuite() {
    delete model;
    delete tokenizer;
  }

  // Words 0 to 7 alone, and no end: as many as there may be.
  static std::vector<std::int32_t> said(std::vector<float> temperatures, double min_log_prob, double max_repetition, double no_speech = 2) {
    hw::TranscribeOptions options;
    options.temperatures = std::move(temperatures);
    options.min_log_prob = min_log_prob;
    options.max_repetition = max_repetition;
    options.no_speech = no_speech;
    options.timestamps = false;
    options.num_beams = 1;
    options.seed = 11;
    for (std::int32_t id = 8; id < 97; ++id) options.suppress_ids.push_back(id);
    const hw::Transcript heard = hw::transcribe(*model, *tokenizer, {std::vector<float>(16000, 0.1f), 16000}, options);
    EXPECT_LE(heard.segments.size(), 1u);
    return heard.segments.empty() ? std::vector<std::int32_t>() : heard.segments[0].ids;
  }

  static constexpr double kNever = 1e9;  // a threshold that nothing passes, or that everything does
  inline static hw::Model* model = nullptr;
  inline static hw::Tokenizer* tokenizer = nullptr;
};

TEST_F(Babble, FallsBackToHigherTemperatures) {
  const auto greedy = said({0}, -kNever, kNever), drawn = said({1}, -kNever, kNever);
  ASSERT_EQ(greedy.size(), 40u);
  ASSERT_GT(repetition(greedy), 2.4) << "these weights repeat themselves";
  ASSERT_LT(repetition(drawn), 2.4) << "unless it is sampled";
  EXPECT_EQ(said({0, 1}, -kNever, kNever), greedy);    // nothing is wrong with it
  EXPECT_EQ(said({0, 1}, -kNever, 2.4), drawn);        // repeats itself
  EXPECT_EQ(said({0, 1}, kNever, kNever), drawn);      // improbable
  EXPECT_EQ(said({0, 1, 0.5f}, -kNever, 2.4), drawn);  // the first that will do
  EXPECT_EQ(said({0, 1, 0}, kNever, kNever), greedy);  // none will do: the last
  EXPECT_EQ(said({1, 0}, -kNever, 2.4), drawn);
}

TEST_F(Babble, NothingWasSaidWhereSilenceIsProbableAndTheTextIsNot) {
  EXPECT_TRUE(said({0, 1}, kNever, kNever, -1).empty());
  EXPECT_FALSE(said({0, 1}, -kNever, kNever, -1).empty());  // probable text is kept
  EXPECT_FALSE(said({0, 1}, kNever, kNever, 2).empty());    // silence is less probable than that
  EXPECT_FALSE(said({0, 1}, -kNever, 1, -1).empty());       // repetition alone is no silence
}

class Whisper : public testing::Test {
 protected:
  void SetUp() override {
    const char* models = std::getenv("HEADWISE_MODELS");
    const std::string path = std::string(models ? models : "") + "/whisper-base-ct2";
    if (!models || !std::filesystem::exists(path + "/model.bin"))
      GTEST_SKIP() << "no whisper-base-ct2 in $HEADWISE_MODELS (bash examples/fetch_models.sh gets it)";
    hw::LoadOptions load;
    load.threads = 2;
    model_.emplace(hw::load(path, load));
    const hw::Json config = hw::Json::read(path + "/config.json");
    options_.suppress_ids = config.get<std::vector<std::int32_t>>("suppress_ids");
    options_.begin_suppress_ids = config.get<std::vector<std::int32_t>>("suppress_ids_begin");
  }
  hw::Transcript hear(const hw::Sound& sound) const { return hw::transcribe(model_->model(), model_->tokenizer(), sound, options_); }

  std::optional<hw::TextModel> model_;
  hw::TranscribeOptions options_;
};

const std::string kReal = std::string(HEADWISE_TEST_DATA) + "/real/";

TEST_F(Whisper, HearsWhatOtherEnginesHear) {
  const hw::Json golden = hw::Json::read(kReal + "whisper.json");
  for (const hw::Json clip : golden.at("clips").items()) {
    const hw::Sound sound = hw::read_wav(kReal + clip.get<std::string>("wav"));
    for (const index_t beams : {1, 5})
      for (const bool times : {false, true}) {
        const std::string name = hw::concat("beam", beams, times ? "_timestamps" : "");
        options_.num_beams = beams;
        options_.timestamps = times;
        const hw::Transcript heard = hear(sound);
        ASSERT_EQ(heard.segments.size(), 1u);
        const hw::SpeechSegment& s = heard.segments[0];
        auto ids = s.ids;
        if (times) {
          ids.insert(ids.begin(), 50364 + static_cast<std::int32_t>(std::lround(s.begin / 0.02)));
          ids.push_back(50364 + static_cast<std::int32_t>(std::lround(s.end / 0.02)));
        }
        EXPECT_EQ(ids, clip.at("ct2").at(name).get<std::vector<std::int32_t>>("ids")) << clip.get<std::string>("name") << " " << name;
        EXPECT_EQ(heard.language, clip.get<std::string>("lang"));
      }
    // The encoder's rows, to find what is wrong where ids differ.
    const auto mel = hw::LogMel()(sound.samples, 3000);
    hw::Output out;
    const hw::Sequence source{.signal = hw::ConstView(mel.data(), 3000, 80)};
    model_->model().encode(std::span(&source, 1), out, {.hidden = true});
    const auto rows = clip.at("hf").get<std::vector<std::vector<double>>>("encoder_first8");
    double sum = 0;
    for (index_t t = 0; t < out.hidden().rows; ++t)
      for (index_t i = 0; i < 512; ++i) sum += std::abs(out.hidden()(t, i));
    EXPECT_NEAR(sum / static_cast<double>(out.hidden().rows * 512), clip.at("hf").get<double>("encoder_abs_mean"), 1e-3);
    for (std::size_t i = 0; i < 8; ++i) EXPECT_NEAR(out.hidden()(0, static_cast<index_t>(i)), rows.at(0).at(i), 5e-3) << i;
  }
}

TEST_F(Whisper, LongSoundByWindowsAndSilence) {
  // The clip, 40 s of silence, the clip again: more than one window, and the second clip is not in the first.
  const hw::Sound clip = hw::read_wav(kReal + "audio/numbers.wav");
  hw::Sound sound = clip;
  sound.samples.resize(sound.samples.size() + 40 * 16000);
  sound.samples.insert(sound.samples.end(), clip.samples.begin(), clip.samples.end());
  options_.num_beams = 1;
  options_.language = "en";
  const hw::Transcript heard = hear(sound);
  ASSERT_GE(heard.segments.size(), 2u);
  EXPECT_NE(heard.segments.front().text.find("Please call the office"), std::string::npos) << heard.segments.front().text;
  EXPECT_NE(heard.segments.back().text.find("Please call the office"), std::string::npos) << heard.segments.back().text;
  EXPECT_LT(heard.segments.front().begin, 1);
  EXPECT_GE(heard.segments.back().begin, 29);  // a window's first time is at most 1 s after its beginning, wherever the text is
  EXPECT_NEAR(heard.segments.back().end, 46, 1.5);
  for (std::size_t i = 1; i < heard.segments.size(); ++i) EXPECT_GE(heard.segments[i].begin, heard.segments[i - 1].begin);
  EXPECT_TRUE(hear({{}, 16000}).segments.empty());
}

TEST_F(Whisper, RefusesWhatCannotBe) {
  const auto message = [&] {
    try {
      hear({std::vector<float>(16000), 16000});
    } catch (const hw::Error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  options_.language = "xx";
  EXPECT_NE(message().find("a language of the model"), std::string::npos) << message();
  options_.language = "transcribe";
  EXPECT_NE(message().find("a language of the model"), std::string::npos) << message();
  options_.language = "en";
  options_.temperatures.clear();
  EXPECT_NE(message().find("temperatures"), std::string::npos) << message();
}

}  // namespace
