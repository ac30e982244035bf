#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "headwise/core/arena.hpp"
#include "headwise/core/dtype.hpp"
#include "headwise/core/error.hpp"
#include "headwise/core/half.hpp"
#include "headwise/core/view.hpp"

namespace {

TEST(Error, IsBoundedAndPrintable) {
  const hw::Error long_one(std::string(5000, 'x'));
  EXPECT_LE(std::strlen(long_one.what()), 500u);
  const hw::Error control("a\x1b[31mb\nc\xff" "d\x7f\xc2\x9b");
  EXPECT_STREQ(control.what(), "a\\x1b[31mb\\nc\\xffd\\x7f\\xc2\\x9b");
  EXPECT_STREQ(hw::Error("ünïcode").what(), "ünïcode");
  EXPECT_EQ(hw::quoted("weight"), "'weight'");
  EXPECT_LE(hw::quoted(std::string(300, 'n')).size(), 82u);
}

TEST(Error, CheckedArithmetic) {
  const auto most = std::numeric_limits<hw::index_t>::max();
  EXPECT_EQ(hw::checked_mul(6, 7, "x"), 42);
  EXPECT_THROW(hw::checked_mul(most, 2, "x"), hw::Error);
  EXPECT_THROW(hw::checked_add(most, 1, "x"), hw::Error);
  EXPECT_EQ(hw::checked_cast<int>(std::int64_t{5}, "x"), 5);
  EXPECT_THROW(hw::checked_cast<int>(most, "x"), hw::Error);
  EXPECT_THROW(hw::checked_cast<std::uint32_t>(-1, "x"), hw::Error);
}

TEST(Half, EveryF16RoundTrips) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const hw::f16 h{static_cast<std::uint16_t>(bits)};
    const float f = hw::to_float(h);
    if (std::isnan(f)) {
      EXPECT_TRUE(std::isnan(hw::to_float(hw::to_f16(f))));
    } else {
      ASSERT_EQ(hw::to_f16(f).bits, bits);
    }
    const hw::bf16 b{static_cast<std::uint16_t>(bits)};
    if (!std::isnan(hw::to_float(b))) { ASSERT_EQ(hw::to_bf16(hw::to_float(b)).bits, bits); }
  }
}

// Rounding to nearest even, against a search among all values that a half can have.
TEST(Half, RoundsToTheNearestValue) {
  std::vector<double> values;  // of bits 0 .. 0x7C00; infinity stands where the next value would be
  for (std::uint32_t bits = 0; bits < 0x7C00; ++bits) {
    const int exponent = static_cast<int>(bits >> 10);
    const double mantissa = static_cast<double>(bits & 1023u);
    values.push_back(exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
  }
  values.push_back(65536.0);
  std::uint32_t u = 1;
  for (int i = 0; i < 500000; ++i) {
    u = u * 1664525u + 1013904223u;
    const float f = std::bit_cast<float>(u);
    if (std::isnan(f)) continue;
    const double x = std::min(std::abs(static_cast<double>(f)), 65536.0);
    auto high = static_cast<std::uint32_t>(std::lower_bound(values.begin(), values.end(), x) - values.begin());
    std::uint32_t expected = high;
    if (high > 0) {
      const double above = values[high] - x, below = x - values[high - 1];
      if (below < above || (below == above && high % 2 == 1)) expected = high - 1;
    }
    ASSERT_EQ(hw::to_f16(f).bits, expected | (std::signbit(f) ? 0x8000u : 0u)) << f;
  }
}

TEST(Arena, KeepsWhatItOnceNeeded) {
  hw::Arena arena;
  {
    const hw::ArenaScope outer(arena);
    const auto a = arena.take<float>(1000);
    a[0] = 1;
    for (int i = 0; i < 10; ++i) {
      const hw::ArenaScope inner(arena);
      const auto b = arena.take<float>(100000 * (i + 1));
      b.back() = 2;
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b.data()) % 64, 0u);
    }
    EXPECT_EQ(a[0], 1);
  }
  const std::size_t bytes = arena.bytes();
  {
    const hw::ArenaScope again(arena);
    arena.take<float>(1000);
    arena.take<float>(1000000);
  }
  EXPECT_EQ(arena.bytes(), bytes);
}

TEST(View, SlicesShareStorage) {
  hw::Tensor<float> t{3, 4};
  for (hw::index_t i = 0; i < 12; ++i) t.data()[i] = static_cast<float>(i);
  const hw::View v = t.view().row_range(1, 3).col_range(1, 3);
  EXPECT_EQ(v(0, 0), 5);
  EXPECT_EQ(v(1, 1), 10);
  EXPECT_EQ(hw::shape_string(t.shape()), "(3, 4)");
}

TEST(DType, BlocksMatchTheFormats) {
  EXPECT_EQ(hw::block_size(hw::DType::q4_1).bytes, 20);
  EXPECT_EQ(hw::block_size(hw::DType::q6_k).bytes, 210);
  EXPECT_EQ(hw::name_of(hw::DType::q4_k), "q4_k");
  EXPECT_FALSE(hw::is_weight_type(hw::DType::i32));
}

}  // namespace
