#include <gtest/gtest.h>

#include <vector>

#include "headwise/core/error.hpp"
#include "headwise/kernels/table.hpp"

namespace {

using namespace hw::kernels;

TEST(Target, ScalarIsAlwaysThereAndNamesRoundTrip) {
  const std::vector<Target> targets = supported_targets();
  ASSERT_FALSE(targets.empty());
  EXPECT_EQ(targets.front(), Target::scalar);
  for (const Target target : targets) EXPECT_EQ(parse_target(name_of(target)), target);
}

TEST(Target, UnknownNameSaysWhatThisCpuHas) {
  try {
    parse_target("sse9\n");
    FAIL();
  } catch (const hw::Error& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("HEADWISE_TARGET"), std::string::npos) << what;
    EXPECT_NE(what.find("scalar"), std::string::npos) << what;
    EXPECT_NE(what.find("'sse9\\n'"), std::string::npos) << what;
  }
}

TEST(Target, TablesAreThoseAskedFor) {
  const std::vector<Target> targets = supported_targets();
  for (int i = 0; i < kTargetCount; ++i) {
    const auto target = static_cast<Target>(i);
    if (std::find(targets.begin(), targets.end(), target) != targets.end())
      EXPECT_EQ(table(target).target, target);
    else
      EXPECT_THROW(table(target), hw::Error);
  }
  EXPECT_EQ(table().target, default_target());
}

TEST(Target, KernelsRunOnEveryTarget) {
  for (const Target target : supported_targets()) {
    for (int n : {0, 1, 3, 4, 15, 16, 17, 37}) {
      std::vector<float> a(n), b(n), y(n + 1, -1.0f);
      for (int i = 0; i < n; ++i) a[i] = 0.5f * i, b[i] = 3.0f - i;
      table(target).elementwise.add(a.data(), b.data(), y.data(), n);
      for (int i = 0; i < n; ++i) EXPECT_EQ(y[i], a[i] + b[i]) << name_of(target) << " " << n << " " << i;
      EXPECT_EQ(y[n], -1.0f);
    }
  }
}

}  // namespace
