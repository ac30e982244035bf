// Drivers on families of every kind of state: what shares, forks and takes back states gives the bits of plain decoding, whether a layer
// keeps keys, a window, a latent, a matrix or a convolution's tail.

#include <gtest/gtest.h>

#include <algorithm>

#include "headwise/families/stock.hpp"
#include "headwise/generate/batch.hpp"
#include "headwise/generate/beam.hpp"
#include "headwise/generate/prefix_cache.hpp"
#include "headwise/generate/speculative.hpp"
#include "headwise/headwise.hpp"

namespace {

using hw::index_t;
using Ids = std::vector<std::int32_t>;

class Drivers : public testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<hw::Model> model = hw::stock_zoo().load(std::string(HEADWISE_TEST_DATA) + "/models/" + GetParam(), {.threads = 1});
  hw::Rng rng{11};

  Ids random_ids(std::uint64_t n) {
    Ids out(n);
    for (auto& id : out) id = static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(model->info().vocab_size)));
    return out;
  }
  // The logits after `ids`, from a forward without a state.
  std::vector<float> logits(const Ids& ids) {
    hw::Output out;
    model->forward(hw::Sequence{ids}, out);
    const auto row = out.logits_row(0, 0);
    return {row.begin(), row.end()};
  }
};

TEST_P(Drivers, DraftsThatAreOftenWrongChangeNothing) {
  index_t accepted = 0, refused = 0;
  for (int round = 0; round < 8; ++round) {
    const hw::GenerateOptions options{.max_new_tokens = 12};
    Ids prompt = random_ids(1 + rng.below(9));
    hw::StateSet plain = model->make_state(), state = model->make_state();
    const Ids expected = hw::generate(*model, plain, prompt, options).ids;
    const auto guess = [&](std::span<const std::int32_t> ids, index_t count, const hw::Sampler&, Ids& draft) {
      for (std::size_t i = ids.size() - prompt.size(); i < expected.size() && std::ssize(draft) < count; ++i)
        draft.push_back(rng.below(3) == 0 ? 0 : expected[i]);
    };
    const auto found = hw::generate_speculative(*model, state, prompt, guess, options, 4);
    EXPECT_EQ(found.ids, expected) << round;
    accepted += found.accepted;
    refused += found.drafted - found.accepted;
    ASSERT_EQ(state.size(), plain.size());
    hw::Output a, b;
    const Ids next = {1};
    model->forward(hw::Sequence{next, &state}, a);
    model->forward(hw::Sequence{next, &plain}, b);
    EXPECT_TRUE(std::ranges::equal(a.logits_row(0, 0), b.logits_row(0, 0))) << round;
  }
  EXPECT_GT(accepted, 0);
  EXPECT_GT(refused, 0);
}

TEST_P(Drivers, BeamsHaveTheBitsOfSequencesThatRunAlone) {
  const Ids prompt = random_ids(7);
  const hw::BeamOptions options{.num_beams = 4, .num_return_sequences = 4, .max_new_tokens = 6};
  const auto beams = hw::beam_search(*model, model->make_state(), prompt, options);
  ASSERT_EQ(beams.size(), 4u);
  for (const hw::Beam& beam : beams) {
    Ids ids = prompt;
    for (std::size_t i = 0; i < beam.ids.size(); ++i) {
      const std::vector<float> row = logits(ids);
      const double most = *std::max_element(row.begin(), row.end());
      double sum = 0;
      for (const float x : row) sum += std::exp(double{x} - most);
      EXPECT_NEAR(beam.log_probs[i], double{row[static_cast<std::size_t>(beam.ids[i])]} - most - std::log(sum), 1e-5);
      ids.push_back(beam.ids[i]);
    }
  }
  // A state that was forked for beams goes on with its own bits.
  hw::StateSet state = model->make_state();
  hw::Output out;
  model->forward(hw::Sequence{prompt, &state}, out);
  const Ids next = {2};
  hw::beam_search(*model, state, next, options);
  model->forward(hw::Sequence{next, &state}, out);
  Ids all = prompt;
  all.push_back(2);
  EXPECT_TRUE(std::ranges::equal(out.logits_row(0, 0), logits(all)));
}

TEST_P(Drivers, PromptsThatBeginAlikeShareTheirStates) {
  hw::PrefixCache cache(*model, std::size_t{1} << 30);
  const Ids system = random_ids(10);
  std::vector<Ids> kept;
  for (int round = 0; round < 10; ++round) {
    Ids ids = system;
    ids.resize(1 + rng.below(system.size()));
    const Ids own = random_ids(1 + rng.below(8));
    ids.insert(ids.end(), own.begin(), own.end());
    index_t longest = 0;
    for (const Ids& k : kept) longest = std::max<index_t>(longest, std::ranges::mismatch(k, ids).in1 - k.begin());
    hw::StateSet state = cache.find(ids);
    EXPECT_EQ(state.size(), std::min<index_t>(longest, std::ssize(ids) - 1)) << round;
    hw::Output out;
    model->forward(hw::Sequence{std::span(ids).subspan(static_cast<std::size_t>(state.size())), &state}, out);
    EXPECT_TRUE(std::ranges::equal(out.logits_row(0, 0), logits(ids))) << round;
    cache.insert(state);
    kept.push_back(ids);
  }
}

TEST_P(Drivers, UnequalPromptsTogetherAreThoseAlone) {
  hw::GenerationBatch batch(*model, 3);
  std::vector<Ids> expected;
  for (int i = 0; i < 6; ++i) {
    const hw::GenerateOptions options{.max_new_tokens = 4 + i};
    const Ids prompt = random_ids(1 + rng.below(12));
    hw::StateSet state = model->make_state();
    expected.push_back(hw::generate(*model, state, prompt, options).ids);
    batch.add(prompt, options);
  }
  batch.run();
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(batch.take(i).generation.ids, expected[i]) << i;
}

INSTANTIATE_TEST_SUITE_P(Models, Drivers,
                         testing::Values("llama", "gemma2", "mixtral", "deepseek-v3", "mamba", "mamba2", "jamba", "falcon_h1",
                                         "granitemoehybrid", "nemotron_h", "lfm2_moe", "recurrent_gemma", "qwen3_next", "kimi_linear",
                                         "minimax", "zamba2", "lfm3", "rwkv", "xlstm"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
