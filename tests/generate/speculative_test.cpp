#include "headwise/generate/speculative.hpp"

#include "tests/generate/toy_models.hpp"
#include "tests/models/toy.hpp"

namespace {

using hw::Drafter;
using hw::DraftModel;
using hw::GenerateOptions;
using hw::index_t;
using hw::PromptLookup;
using hw::Sampler;
using toy::error_of;
using toy::Ids;

// The same ids, finish and state as plain decoding, in `rounds` random trials with all kinds of drafters. Returns how many drafts were
// accepted.
index_t check(const hw::Model& model, const hw::Model& small, int rounds, bool sampled) {
  hw::Rng rng(17);
  const index_t vocabulary = model.info().vocab_size;
  index_t accepted = 0, rejected = 0;
  for (int round = 0; round < rounds; ++round) {
    GenerateOptions o;
    o.max_new_tokens = static_cast<index_t>(rng.below(40));
    o.prefill_chunk = 1 + static_cast<index_t>(rng.below(20));
    if (rng.below(2) == 0) o.stop_ids = {5};
    if (sampled) o.sampling.temperature = 0.1f + static_cast<float>(rng.uniform()), o.sampling.seed = rng.next();
    if (rng.below(3) == 0) o.sampling.repetition_penalty = 1.1f;
    Ids prompt = toy::random_ids(rng, 1 + rng.below(30), vocabulary);
    prompt.insert(prompt.end(), prompt.begin(), prompt.end());
    hw::StateSet plain_state = model.make_state();
    const Ids before = toy::random_ids(rng, rng.below(10), vocabulary);
    hw::Output out;
    if (!before.empty()) model.forward(hw::Sequence{before, &plain_state, hw::Wanted::none}, out);
    hw::StateSet state = plain_state.fork();
    const auto plain = hw::generate(model, plain_state, prompt, o);
    DraftModel draft_model(small);
    const auto guess = [&](std::span<const std::int32_t> ids, index_t count, const Sampler&, Ids& draft) {  // partly right, of any length
      const std::size_t at = ids.size() - before.size() - prompt.size();
      for (std::size_t i = at; i < plain.ids.size() && std::ssize(draft) < count + 3; ++i)
        draft.push_back(rng.below(4) == 0 ? static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(vocabulary))) : plain.ids[i]);
    };
    const PromptLookup lookup;
    const Drafter drafter = round % 3 == 0 ? Drafter(lookup) : round % 3 == 1 ? Drafter(draft_model) : Drafter(guess);
    const auto found = hw::generate_speculative(model, state, prompt, drafter, o, static_cast<index_t>(rng.below(9)));
    EXPECT_EQ(found.ids, plain.ids) << round;
    EXPECT_EQ(found.finish, plain.finish) << round;
    EXPECT_LE(found.steps, std::ssize(plain.ids) + 1);
    EXPECT_EQ(Ids(state.ids().begin(), state.ids().end()), Ids(plain_state.ids().begin(), plain_state.ids().end())) << round;
    // The states have the same bits.
    hw::Output a, b;
    const Ids next = {1};
    if (model.info().max_positions == 0 || state.size() < model.info().max_positions) {
      model.forward(hw::Sequence{next, &state}, a);
      model.forward(hw::Sequence{next, &plain_state}, b);
      const auto x = a.logits_row(0, 0), y = b.logits_row(0, 0);
      EXPECT_TRUE(std::equal(x.begin(), x.end(), y.begin())) << round;
    }
    accepted += found.accepted;
    rejected += found.drafted - found.accepted;
  }
  EXPECT_GT(rejected, rounds / 2);
  return accepted;
}

TEST(Speculative, GreedyIsPlainDecodingOfAttention) { EXPECT_GT(check(*toy::decoder(20), *toy::decoder(20, 0, 8), 200, false), 500); }
TEST(Speculative, GreedyIsPlainDecodingOfWindows) { EXPECT_GT(check(*toy::decoder(20, 7), *toy::decoder(20, 3, 8), 200, false), 500); }
TEST(Speculative, SampledIsPlainDecoding) { EXPECT_GT(check(*toy::decoder(20, 7), *toy::decoder(20, 3, 8), 200, true), 300); }
TEST(Speculative, RecurrencesAreReplayed) { EXPECT_GT(check(*toy::hybrid(1), *toy::hybrid(1, false), 60, false), 100); }
TEST(Speculative, UpToTheModelsPositions) { check(*toy::decoder(20, 0, 3, 90), *toy::decoder(20, 0, 8, 75), 60, false); }

// A model that drafts for itself is always right, also when tokens are drawn: it draws the same random numbers.
TEST(Speculative, TheSameModelAcceptsEverything) {
  const auto model = toy::decoder(20);
  for (const float temperature : {0.0f, 1.0f}) {
    DraftModel draft(*model);
    hw::StateSet state = model->make_state();
    GenerateOptions o{.max_new_tokens = 41};
    o.sampling.temperature = temperature;
    const auto made = hw::generate_speculative(*model, state, {1, 2, 3}, draft, o, 4);
    EXPECT_EQ(made.ids.size(), 41u);
    EXPECT_EQ(made.accepted, made.drafted);
    EXPECT_EQ(made.steps, 9);  // 8 of 5 tokens and one
  }
}

TEST(Speculative, SampledTokensFollowTheModelsDistribution) {
  const auto model = toy::decoder(8);
  const Ids prompt = {1, 2};
  const auto wrong = [](std::span<const std::int32_t>, index_t count, const Sampler&, Ids& draft) {
    draft.assign(static_cast<std::size_t>(count), 3);
  };
  std::vector<double> expected;
  const auto first = toy::log_softmax(toy::logits(*model, prompt));
  for (std::int32_t a = 0; a < 8; ++a) {
    const auto second = toy::log_softmax(toy::logits(*model, {1, 2, a}));
    for (std::size_t b = 0; b < 8; ++b) expected.push_back(std::exp(first[static_cast<std::size_t>(a)] + second[b]));
  }
  constexpr int kDraws = 20000;
  std::vector<int> counts(64);
  for (int i = 0; i < kDraws; ++i) {
    hw::StateSet state = model->make_state();
    GenerateOptions o{.max_new_tokens = 2};
    o.sampling.temperature = 1;
    o.sampling.seed = static_cast<std::uint64_t>(i);
    const auto made = hw::generate_speculative(*model, state, prompt, wrong, o, 2);
    ++counts[static_cast<std::size_t>(made.ids[0] * 8 + made.ids[1])];
  }
  double chi = 0;
  for (std::size_t i = 0; i < 64; ++i) chi += std::pow(counts[i] - kDraws * expected[i], 2) / (kDraws * expected[i]);
  EXPECT_LT(chi, 103.4);  // 63 degrees of freedom, one in a thousand
}

TEST(Speculative, PromptLookupFindsTheLastLongestMatch) {
  const Sampler any(hw::SamplingOptions{}, 100);
  const auto draft = [&](Ids ids, index_t count, PromptLookup lookup = {}) {
    Ids out;
    lookup(ids, count, any, out);
    return out;
  };
  EXPECT_EQ(draft({1, 2, 3, 4, 9, 2, 3, 5, 1, 2, 3}, 3), (Ids{4, 9, 2}));
  EXPECT_EQ(draft({1, 2, 3, 4, 9, 2, 3, 5, 7, 2, 3}, 2), (Ids{5, 7}));
  EXPECT_EQ(draft({6, 2, 3, 4, 3}, 9), (Ids{4, 3}));
  EXPECT_EQ(draft({6, 2, 3, 4, 3}, 9, {3, 2}), Ids{});
  EXPECT_EQ(draft({1, 2, 3}, 9), Ids{});
  EXPECT_EQ(draft({1, -1, 3, 1}, 9), Ids{});
}

TEST(Speculative, CallbacksAndErrors) {
  const auto model = toy::decoder(20);
  const PromptLookup lookup;
  const Ids prompt = {1, 2, 3, 1, 2, 3, 1, 2};
  hw::StateSet plain_state = model->make_state();
  const Ids plain = hw::generate(*model, plain_state, prompt, {.max_new_tokens = 20}).ids;
  hw::StateSet state = model->make_state();
  int calls = 0;
  const auto made =
      hw::generate_speculative(*model, state, prompt, lookup, {.max_new_tokens = 20}, 8, [&](std::int32_t) { return ++calls < 5; });
  EXPECT_EQ(made.finish, hw::FinishReason::callback);
  EXPECT_EQ(made.ids, Ids(plain.begin(), plain.begin() + 5));
  EXPECT_EQ(state.size(), std::ssize(prompt) + 4);
  hw::StateSet thrown = model->make_state();
  calls = 0;
  EXPECT_THROW(hw::generate_speculative(*model, thrown, prompt, lookup, {.max_new_tokens = 20}, 8,
                                        [&](std::int32_t) { return ++calls < 5 ? true : throw std::runtime_error("stop"); }),
               std::runtime_error);
  EXPECT_EQ(thrown.size(), std::ssize(prompt) + 4);
  const auto bad = [](std::span<const std::int32_t>, index_t, const Sampler&, Ids& draft) { draft = {20}; };
  hw::StateSet other = model->make_state();
  EXPECT_EQ(error_of([&] { hw::generate_speculative(*model, other, prompt, bad); }), "draft: expected ids from 0 to 19, found 20");
  EXPECT_EQ(error_of([&] { hw::generate_speculative(*model, other, prompt, bad, {}, -1); }),
            "max_draft: expected a count of at least 0, found -1");
  EXPECT_EQ(error_of([&] {
              hw::generate_speculative(*model, other, prompt, PromptLookup{3, 0});
            }),
            "min_ngram: expected a count of at least 1, found 0");
  EXPECT_EQ(other.size(), 0);
}

}  // namespace
