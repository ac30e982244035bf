// Experts that are in memory only while a budget has room for them: the bits and the counts.

#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "headwise/headwise.hpp"
#include "headwise/moe/moe.hpp"
#include "headwise/moe/row_router.hpp"

namespace {

using hw::index_t;

constexpr index_t kWidth = 32, kInner = 32;
constexpr index_t kBytes = 3 * kWidth * kInner * 4;  // of one expert, in f32

// Every row goes to the experts of a list.
struct Given {
  struct Config {
    index_t hidden_size = 0, num_experts = 0;
    const std::vector<int>* chosen = nullptr;
  };
  Given(const Config& c, const hw::Build&) : config(c) {}
  index_t experts() const { return config.num_experts; }
  hw::Plan route(hw::In in) const {
    return hw::make_plan(in.frame.step, in.x.rows, std::ssize(*config.chosen), [&](index_t, hw::Choice& choice) {
      for (const int e : *config.chosen) choice.add(e, 0.5f + static_cast<float>(e));
    });
  }
  Config config;
};

// Layers of experts, and what they give for one row.
struct Layers {
  using Part = hw::Moe<Given>;

  Layers(int count, int experts, std::optional<index_t> budget)
      : chosen(static_cast<std::size_t>(count)),
        build(hw::RandomWeights{.seed = 3}, hw::kernels::table(), pool, {.expert_budget = budget}) {
    for (int i = 0; i < count; ++i) {
      Part::Config c{.router = {kWidth, experts, &chosen[static_cast<std::size_t>(i)]}};
      c.experts.experts.assign(static_cast<std::size_t>(experts), {.hidden_size = kWidth, .intermediate_size = kInner});
      parts.emplace_back(c, build.scope(std::to_string(i)));
    }
  }
  std::vector<float> run(int layer, std::vector<int> experts) {
    chosen[static_cast<std::size_t>(layer)] = std::move(experts);
    hw::Arena arena;
    hw::Step step{pool, hw::kernels::table(), arena};
    hw::TokenSet tokens;
    const std::vector<index_t> index(1);
    tokens.index = index;
    const hw::Frame frame(step, tokens, {});
    std::vector<float> x(kWidth), y(kWidth);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(0.37f * static_cast<float>(i));
    parts[static_cast<std::size_t>(layer)].forward({hw::ConstView(x.data(), 1, kWidth), frame}, hw::View(y.data(), 1, kWidth));
    return y;
  }
  hw::ExpertStatistics statistics() const { return build.experts()->statistics(); }

  hw::SerialExecutor pool;
  std::vector<std::vector<int>> chosen;
  hw::Build build;
  std::vector<Part> parts;
};

TEST(ExpertStore, CountsHitsMissesAndBytes) {
  Layers all(1, 4, {}), two(1, 4, 2 * kBytes);
  two.build.experts()->check();
  EXPECT_EQ(two.statistics().total_bytes, 4 * kBytes);
  EXPECT_EQ(two.statistics().resident_bytes, 0);
  const auto step = [&](std::vector<int> experts, index_t hits, index_t misses, index_t evictions, index_t resident) {
    EXPECT_EQ(two.run(0, experts), all.run(0, experts));
    const hw::ExpertStatistics s = two.statistics();
    EXPECT_EQ(s.hits, hits);
    EXPECT_EQ(s.misses, misses);
    EXPECT_EQ(s.loads, misses);
    EXPECT_EQ(s.loaded_bytes, misses * kBytes);
    EXPECT_EQ(s.evictions, evictions);
    EXPECT_EQ(s.resident_bytes, resident * kBytes);
    EXPECT_LE(s.peak_bytes, 2 * kBytes);
  };
  step({1}, 0, 1, 0, 1);
  step({1, 3}, 1, 2, 0, 2);
  step({1}, 2, 2, 0, 2);
  step({0}, 2, 3, 1, 2);  // in place of 3, which was used longer ago than 1
  step({1, 0}, 4, 3, 1, 2);
  step({3, 1, 2, 0}, 6, 5, 3, 2);  // 0 and 1 first, which are there, then the others
  step({3, 2}, 8, 5, 3, 2);
  step({3}, 9, 5, 3, 2);
  step({}, 9, 5, 3, 2);
  EXPECT_EQ(two.statistics().prefetches, 0);  // one layer: what it chose before it has chosen again, or may not
}

TEST(ExpertStore, ForeseesWhatTheLastTokenChoseInTheNextLayer) {
  Layers two(2, 4, kBytes);
  const auto token = [&](int a, int b) { two.run(0, {a}), two.run(1, {b}); };
  token(0, 1);
  EXPECT_EQ(two.statistics().prefetches, 1);  // layer 1 had chosen nothing before; after it, layer 0's expert 0 is not there any more
  token(0, 2);
  EXPECT_EQ(two.statistics().foreseen, 1);  // 0 in layer 0; in layer 1 it was 1 that the system read
  EXPECT_EQ(two.statistics().prefetches, 3);
  token(3, 2);
  EXPECT_EQ(two.statistics().foreseen, 2);
  EXPECT_EQ(two.statistics().misses, 6);
  EXPECT_EQ(two.statistics().hits, 0);
}

TEST(ExpertStore, ABudgetBelowTheLargestExpertIsAnError) {
  for (const index_t budget : {index_t{-1}, index_t{0}, kBytes - 1}) {
    Layers small(2, 3, budget);
    try {
      small.build.experts()->check();
      ADD_FAILURE() << budget;
    } catch (const hw::Error& e) {
      EXPECT_NE(std::string(e.what()).find(hw::concat("at least ", kBytes, " bytes")), std::string::npos) << e.what();
    }
  }
}

// Any budget, in layers that share it.
TEST(ExpertStore, GivesTheSameBits) {
  Layers all(3, 6, {});
  for (int budget = 1; budget <= 19; budget += 3) {
    Layers some(3, 6, budget * kBytes);
    for (int token = 0; token < 20; ++token)
      for (int layer = 0; layer < 3; ++layer) {
        const std::vector<int> chosen{token % 6, (token * 5 + layer) % 6, (token + 2 * layer + 1) % 6};
        ASSERT_EQ(some.run(layer, chosen), all.run(layer, chosen)) << budget;
      }
    EXPECT_LE(some.statistics().peak_bytes, budget * kBytes);
    EXPECT_EQ(some.statistics().misses, some.statistics().loads);
    EXPECT_EQ(some.statistics().evictions == 0, budget >= 18) << budget;
  }
}

// An expert that takes a while, in threads that want more at once than the budget holds.
TEST(ExpertStore, IsUsedByManyThreadsAtOnce) {
  using Part = hw::Moe<Given>;
  constexpr int kThreads = 4, kExperts = 5;
  hw::SerialExecutor serial;
  const std::vector<int> chosen{0, 1, 2, 3, 4};
  Part::Config c{.router = {kWidth, kExperts, &chosen}};
  c.experts.experts.assign(kExperts, {.hidden_size = kWidth, .intermediate_size = kInner});
  const hw::Build whole(hw::RandomWeights{.seed = 3}, hw::kernels::table(), serial);
  const hw::Build build(hw::RandomWeights{.seed = 3}, hw::kernels::table(), serial, {.expert_budget = 2 * kBytes});
  const Part all(c, whole), some(c, build);
  const auto run = [&](const Part& part, int seed) {
    hw::SerialExecutor executor;
    hw::Arena arena;
    hw::Step step{executor, hw::kernels::table(), arena};
    hw::TokenSet tokens;
    const std::vector<index_t> index(7);
    tokens.index = index;
    const hw::Frame frame(step, tokens, {});
    std::vector<float> x(7 * kWidth), y(7 * kWidth);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(0.37f * static_cast<float>(i) + static_cast<float>(seed));
    part.forward({hw::ConstView(x.data(), 7, kWidth), frame}, hw::View(y.data(), 7, kWidth));
    return y;
  };
  std::vector<std::thread> threads;
  std::vector<int> wrong(kThreads);
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 30; ++i) wrong[static_cast<std::size_t>(t)] += run(some, t * 100 + i) != run(all, t * 100 + i);
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, std::vector<int>(kThreads));
  const hw::ExpertStatistics s = build.experts()->statistics();
  EXPECT_EQ(s.hits + s.misses, kThreads * 30 * kExperts);
  EXPECT_GE(s.misses, s.loads);
  EXPECT_LE(s.peak_bytes, 2 * kBytes);
  EXPECT_EQ(s.loads - s.evictions, s.resident_bytes / kBytes);
}

}  // namespace
