#include "headwise/core/thread_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>

namespace {

TEST(ThreadPool, RunsEveryTaskOnce) {
  hw::ThreadPool pool(3);
  for (int round = 0; round < 2000; ++round) {
    const int count = round % 37;
    std::vector<std::atomic<int>> seen(static_cast<std::size_t>(count));
    pool.run(count, [&](int i) { seen[static_cast<std::size_t>(i)]++; });
    for (const auto& n : seen) ASSERT_EQ(n, 1);
  }
}

TEST(ThreadPool, WakesAfterSleeping) {
  hw::ThreadPool pool(2);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    std::atomic<int> sum{0};
    pool.run(5, [&](int i) { sum += i; });
    ASSERT_EQ(sum, 10);
  }
}

TEST(ThreadPool, RethrowsAndStaysUsable) {
  hw::ThreadPool pool(3);
  for (int round = 0; round < 50; ++round) {
    EXPECT_THROW(pool.run(8, [](int i) { if (i % 2 == 1) throw hw::Error("task"); }), hw::Error);
    std::atomic<int> done{0};
    pool.run(8, [&](int) { ++done; });
    ASSERT_EQ(done, 8);
  }
}

TEST(ThreadPool, NestedAndSharedCallsRunInline) {
  hw::ThreadPool pool(3);
  std::atomic<int> inner{0};
  pool.run(4, [&](int) { pool.run(5, [&](int) { ++inner; }); });
  EXPECT_EQ(inner, 20);
  std::atomic<int> total{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([&] {
      for (int i = 0; i < 300; ++i) pool.run(7, [&](int) { ++total; });
    });
  for (auto& t : callers) t.join();
  EXPECT_EQ(total, 4 * 300 * 7);
}

TEST(ThreadPool, RefusesImpossibleCounts) {
  EXPECT_THROW(hw::ThreadPool(-1), hw::Error);
  EXPECT_THROW(hw::ThreadPool(1000000), hw::Error);
  EXPECT_GE(hw::ThreadPool(0).threads(), 1);
}

TEST(Executor, EvenRangesCoverEverything) {
  hw::SerialExecutor serial;
  for (const hw::index_t n : {0, 1, 2, 7, 100})
    for (const int tasks : {1, 2, 3, 8}) {
      std::vector<int> seen(static_cast<std::size_t>(n), 0);
      hw::parallel_ranges(serial, n, tasks, [&](hw::index_t begin, hw::index_t end) {
        for (hw::index_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
      });
      EXPECT_EQ(std::accumulate(seen.begin(), seen.end(), 0), n);
    }
}

}  // namespace
