#include "headwise/generate/batch.hpp"

#include "headwise/generate/prefix_cache.hpp"
#include "tests/generate/toy_models.hpp"
#include "tests/models/toy.hpp"

namespace {

using hw::BatchEvent;
using hw::FinishReason;
using hw::GenerateOptions;
using hw::GenerationBatch;
using hw::index_t;
using toy::error_of;
using toy::Ids;

struct Job {
  Ids prompt;
  GenerateOptions options;
};

std::vector<Job> jobs(std::size_t n, index_t vocabulary) {
  hw::Rng rng(23);
  std::vector<Job> out;
  for (std::size_t i = 0; i < n; ++i) {
    Job job{toy::random_ids(rng, 1 + rng.below(90), vocabulary), {}};
    job.options.max_new_tokens = static_cast<index_t>(rng.below(30));
    job.options.prefill_chunk = 1 + static_cast<index_t>(rng.below(40));
    job.options.log_probs = true;
    if (i % 3 == 0) job.options.stop_ids = {static_cast<std::int32_t>(i % 20), 7};
    if (i % 2 == 0) job.options.sampling.temperature = 0.8f, job.options.sampling.seed = i;
    out.push_back(job);
  }
  return out;
}

void expect_like_alone(const hw::Model& model, const Job& job, hw::BatchResult& result, const std::string& what) {
  hw::StateSet state = model.make_state();
  hw::TokenStream stream(model, state, job.prompt, job.options);
  while (stream.next()) {
  }
  EXPECT_EQ(result.generation.ids, Ids(stream.ids().begin(), stream.ids().end())) << what;
  EXPECT_EQ(result.generation.finish, stream.finish()) << what;
  EXPECT_EQ(result.log_probs, std::vector<float>(stream.log_probs().begin(), stream.log_probs().end())) << what;
  ASSERT_EQ(result.state.size(), state.size()) << what;
  hw::Output a, b;
  const Ids next = {1};
  model.forward(hw::Sequence{next, &state}, a);
  model.forward(hw::Sequence{next, &result.state}, b);
  const auto x = a.logits_row(0, 0), y = b.logits_row(0, 0);
  EXPECT_TRUE(std::equal(x.begin(), x.end(), y.begin())) << what << ": other bits";
}

TEST(Batch, EightUnequalPromptsHaveTheBitsOfEightRuns) {
  for (const bool recurrent : {false, true}) {
    const auto model = toy::hybrid(2, recurrent);
    const auto all = jobs(8, toy::kVocab);
    GenerationBatch batch(*model, 8, 64);
    for (const Job& job : all) batch.add(job.prompt, job.options);
    batch.run();
    for (std::size_t i = 0; i < all.size(); ++i) {
      auto result = batch.take(i);
      expect_like_alone(*model, all[i], result, hw::concat("request ", i));
    }
    EXPECT_EQ(error_of([&] { batch.take(0); }), "batch: expected a request that was added and not taken, found 0");
  }
}

// Requests come while others run, more than run at once, and some are cancelled.
TEST(Batch, RequestsComeAndGo) {
  const auto model = toy::decoder(30, 6);
  const auto all = jobs(40, 30);
  GenerationBatch batch(*model, 3, 32);
  hw::Rng rng(5);
  std::vector<Ids> streamed(all.size());
  std::vector<FinishReason> finish(all.size(), FinishReason::none);
  std::size_t added = 0, most = 0;
  while (added < all.size() || batch.active() > 0) {
    while (added < all.size() && (rng.below(3) == 0 || batch.active() == 0)) {
      EXPECT_EQ(batch.add(all[added].prompt, all[added].options), added);
      ++added;
    }
    most = std::max(most, batch.active());
    for (const BatchEvent& event : batch.step()) {
      if (event.id >= 0)
        streamed[event.request].push_back(event.id);
      else
        finish[event.request] = event.finish;
    }
    if (added == 20) batch.cancel(19);
  }
  EXPECT_GT(most, 3u);
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto result = batch.take(i);
    EXPECT_EQ(result.generation.ids, streamed[i]);
    if (i == 19) {
      continue;
    }
    EXPECT_EQ(result.generation.finish, finish[i]);
    expect_like_alone(*model, all[i], result, hw::concat("request ", i));
  }
}

TEST(Batch, LogProbabilitiesAreTheModels) {
  const auto model = toy::decoder(30);
  GenerateOptions o{.max_new_tokens = 8, .log_probs = true};
  o.sampling.temperature = 2;
  o.sampling.top_k = 5;
  hw::StateSet state = model->make_state();
  hw::TokenStream stream(*model, state, {1, 2, 3}, o);
  Ids ids = {1, 2, 3};
  while (const auto id = stream.next()) {
    EXPECT_NEAR(stream.log_probs().back(), toy::log_softmax(toy::logits(*model, ids))[static_cast<std::size_t>(*id)], 1e-5);
    ids.push_back(*id);
  }
  EXPECT_EQ(stream.log_probs().size(), 8u);
}

TEST(Batch, OneThatFailsLeavesTheOthersAlone) {
  const auto model = toy::decoder(30), other = toy::decoder(30, 0, 99);
  GenerationBatch batch(*model);
  const Job good{{1, 2, 3}, {.max_new_tokens = 6}};
  GenerateOptions banned;
  for (std::int32_t id = 0; id < 30; ++id) banned.sampling.logit_bias.push_back({id, -INFINITY});
  batch.add(good.prompt, good.options);
  batch.add(other->make_state(), {1}, {});
  batch.add({4, 5}, banned);
  batch.add(good.prompt, good.options);
  batch.run();
  for (const std::size_t i : {0u, 3u}) {
    auto result = batch.take(i);
    expect_like_alone(*model, good, result, "");
  }
  EXPECT_NE(error_of([&] { batch.take(1); }).find("a state of this model"), std::string::npos);
  EXPECT_NE(error_of([&] { batch.take(2); }).find("'logit_bias' leaves no token"), std::string::npos);
}

TEST(Batch, BadInput) {
  const auto model = toy::decoder(30, 0, 3, 8);
  EXPECT_EQ(error_of([&] { GenerationBatch(*model, 0); }), "max_sequences: expected a count of at least 1, found 0");
  EXPECT_EQ(error_of([&] { GenerationBatch(*model, 1, 0); }), "max_step_rows: expected a count of at least 1, found 0");
  GenerationBatch batch(*model);
  EXPECT_EQ(error_of([&] { batch.add({30}); }), "prompt: expected ids from 0 to 29, found 30");
  EXPECT_NE(error_of([&] { batch.add(Ids{}); }).find("prompt: empty"), std::string::npos);
  EXPECT_EQ(error_of([&] { batch.add(Ids(9, 1)); }), "prompt: expected at most 8 positions, with what the state holds, found 9");
  EXPECT_EQ(batch.active(), 0u);
  EXPECT_TRUE(batch.step().empty());
  batch.add({1});
  EXPECT_EQ(error_of([&] { batch.take(0); }), "batch: request 0 has not ended");
  EXPECT_EQ(error_of([&] { batch.cancel(1); }), "batch: expected a request that was added and not taken, found 1");
  batch.run();
  EXPECT_EQ(batch.take(0).generation.finish, FinishReason::context);
}

TEST(PrefixCache, GivesTheLongestCommonPrefixWithTheSameBits) {
  for (const bool recurrent : {false, true}) {
    const auto model = toy::hybrid(1, recurrent);
    hw::PrefixCache cache(*model, std::size_t{1} << 30);
    hw::Rng rng(9);
    std::vector<Ids> kept;
    for (int round = 0; round < 60; ++round) {
      Ids ids = kept.empty() ? Ids{} : kept[rng.below(kept.size())];
      ids.resize(rng.below(ids.size() + 1));
      const Ids more = toy::random_ids(rng, 1 + rng.below(70), toy::kVocab);
      ids.insert(ids.end(), more.begin(), more.end());
      std::size_t longest = 0;
      for (const Ids& k : kept) {
        const auto common = static_cast<std::size_t>(std::mismatch(k.begin(), k.end(), ids.begin(), ids.end()).first - k.begin());
        longest = std::max(longest, std::min(common, ids.size() - 1));
      }
      hw::StateSet state = cache.find(ids);
      ASSERT_EQ(static_cast<std::size_t>(state.size()), longest) << round;
      hw::Output a, b;
      model->forward(hw::Sequence{std::span(ids).subspan(longest), &state}, a);
      model->forward(hw::Sequence{ids}, b);
      const auto x = a.logits_row(0, 0), y = b.logits_row(0, 0);
      ASSERT_TRUE(std::equal(x.begin(), x.end(), y.begin())) << round;
      cache.insert(state);
      kept.push_back(ids);
    }
  }
}

TEST(PrefixCache, ForgetsTheLeastRecentlyUsed) {
  const auto model = toy::decoder(30);
  const auto fed = [&](Ids ids) {
    hw::StateSet state = model->make_state();
    hw::Output out;
    model->forward(hw::Sequence{ids, &state}, out);
    return state;
  };
  const std::size_t one = fed({1, 2, 3}).fork().bytes();
  hw::PrefixCache cache(*model, 2 * one);
  cache.insert(fed({1, 2, 3}));
  cache.insert(fed({4, 5, 6}));
  EXPECT_EQ(cache.find(Ids{1, 2, 9}).size(), 2);
  cache.insert(fed({7, 8, 9}));
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_LE(cache.bytes(), 2 * one);
  EXPECT_EQ(cache.find(Ids{4, 5, 6, 7}).size(), 0);
  EXPECT_EQ(cache.find(Ids{1, 2, 3, 4}).size(), 3);
  EXPECT_EQ(cache.find(Ids{1, 2, 3}).size(), 2);  // the last one's logits are wanted
  EXPECT_EQ(cache.find(Ids{}).size(), 0);
  cache.insert(fed({1, 2, 3}));  // takes the place of what it begins with
  EXPECT_EQ(cache.size(), 2u);
  cache.insert(fed(Ids(200, 1)));
  EXPECT_EQ(cache.size(), 2u);  // larger than all of the cache
  cache.clear();
  EXPECT_EQ(cache.bytes(), 0u);
  EXPECT_EQ(cache.find(Ids{1, 2, 3, 4}).size(), 0);
}

}  // namespace
