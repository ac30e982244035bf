#include "headwise/core/rng.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace {

using hw::Rng;

// Numbers of a transcription of the definition to Python integers; those of seed 0 are the published ones of SplitMix64.
TEST(Rng, KnownNumbers) {
  Rng zero(0), one(1), answer(42);
  for (const std::uint64_t x : {0xe220a8397b1dcdafu, 0x6e789e6aa1b965f4u, 0x06c45d188009454fu}) EXPECT_EQ(zero.next(), x);
  for (const std::uint64_t x : {0xbfef8030ddc2d772u, 0x5f552ce482f2aa47u, 0x70335fc3daf3d8a7u}) EXPECT_EQ(one.next(), x);
  for (const std::uint64_t x : {0x989b3f130a063869u, 0x290db4bf2570ded7u, 0x2a990be63a01b2d5u}) EXPECT_EQ(answer.next(), x);
}

TEST(Rng, CopiesGoOnAlikeAndDiscardSkips) {
  Rng a(5);
  a.next();
  Rng b = a, c(5);
  c.discard(1);
  EXPECT_EQ(c.position(), 1u);
  for (int i = 0; i < 10; ++i) {
    const std::uint64_t x = a.next();
    EXPECT_EQ(b.next(), x);
    EXPECT_EQ(c.next(), x);
  }
}

TEST(Rng, UniformNumbersAreUniform) {
  Rng rng(3);
  constexpr int kDraws = 200'000, kCells = 20;
  std::array<int, kCells> cells{};
  double sum = 0, last = 0, product = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = rng.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    ++cells[static_cast<std::size_t>(u * kCells)];
    sum += u;
    product += (u - 0.5) * (last - 0.5);
    last = u;
  }
  double chi = 0;
  for (const int n : cells) chi += std::pow(n - double{kDraws} / kCells, 2) / (double{kDraws} / kCells);
  EXPECT_LT(chi, 43.8);  // 19 degrees of freedom, one in a thousand
  EXPECT_NEAR(sum / kDraws, 0.5, 0.003);
  EXPECT_NEAR(product / kDraws * 12, 0, 0.01);  // neighbours are not correlated
}

TEST(Rng, BelowCoversItsRangeEvenly) {
  Rng rng(11);
  std::array<int, 6> cells{};
  for (int i = 0; i < 60'000; ++i) ++cells[rng.below(6)];
  for (const int n : cells) EXPECT_NEAR(n, 10'000, 400);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(rng.below(1), 0u);
  std::uint64_t largest = 0;
  for (int i = 0; i < 1000; ++i) largest = std::max(largest, rng.below(3u << 30 | 1));
  EXPECT_GT(largest, 3u << 29);
}

}  // namespace
