// Golden checkpoints as GGUF files (tests/golden/make_gguf.py): the same tensors under the format's names, keys and layouts, so the same
// outputs and laws as their folders.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "examples/support/golden_case.hpp"
#include "headwise/families/stock.hpp"

namespace {

const std::string kGolden = HEADWISE_TEST_DATA;

std::vector<std::string> files() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kGolden + "/gguf")) names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

class GoldenGguf : public testing::TestWithParam<std::string> {};

TEST_P(GoldenGguf, IsItsCheckpoint) {
  const golden::Case c(kGolden + "/models/" + GetParam());
  const golden::Report report = golden::check(c, [&](int threads) {
    hw::LoadOptions options;
    options.threads = threads;
    return hw::stock_zoo().load(kGolden + "/gguf/" + GetParam() + ".gguf", options);
  });
  for (const std::string& why : report.failures) ADD_FAILURE() << why;
  EXPECT_GE(report.compared.size(), 5u);
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenGguf, testing::ValuesIn(files()), [](const auto& info) {
  std::string name = info.param;
  std::replace_if(name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

TEST(GoldenGgufs, AreAllThere) { EXPECT_GE(files().size(), 52u); }

}  // namespace
