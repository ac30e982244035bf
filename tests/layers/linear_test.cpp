// Linear layers against Eigen in double: fused parts, odd widths, biases, every plain type, more threads than panels.

#include "headwise/layers/linear.hpp"

#include <gtest/gtest.h>

#include <random>

#include "headwise/core/half.hpp"
#include "headwise/core/thread_pool.hpp"
#include "headwise/io/weight_buffer.hpp"
#include "headwise/linalg/eigen.hpp"

namespace {

using hw::index_t;

std::vector<float> draw(index_t n, unsigned seed) {
  std::mt19937 gen(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> out(static_cast<std::size_t>(n));
  for (float& v : out) v = uniform(gen);
  return out;
}

class LinearTest : public testing::TestWithParam<std::tuple<hw::kernels::Target, int>> {};

TEST_P(LinearTest, FusedPartsMatchEigen) {
  const auto [target, threads] = GetParam();
  hw::ThreadPool pool(threads);
  const hw::kernels::Table& table = hw::kernels::table(target);
  for (const index_t in : {1, 31, 64, 100})
    for (const index_t t : {1, 5, 40}) {
      const index_t outs[] = {7, 64, 33};
      hw::WeightBuffer buffer;
      std::vector<std::vector<float>> weights;
      for (int p = 0; p < 3; ++p) {
        weights.push_back(draw(outs[p] * in, static_cast<unsigned>(p) + 1));
        buffer.add(hw::concat("abc"[p] == 'a' ? "a" : "abc"[p] == 'b' ? "b" : "c", ".weight"), {outs[p], in}, weights.back());
      }
      const auto bias = draw(64, 9);
      buffer.add("b.bias", {64}, bias);
      const hw::Build build(hw::Weights(buffer.finish()), table, pool);
      const hw::Linear linear(in, {{"a", 7}, {"b", 64, true}, {"c", 33}}, build);
      ASSERT_EQ(linear.out(), 104);

      const auto x = draw(t * in, 20);
      hw::Tensor<float> y({t, 104}), expected({t, 104});
      hw::Arena arena;
      hw::Step step{pool, table, arena};
      const hw::TokenSet none;
      const hw::Frame frame(step, none, {});
      const hw::ConstView xv(x.data(), t, in);
      linear.forward(xv, y.view(), frame);
      index_t column = 0;
      for (int p = 0; p < 3; ++p) {
        hw::linalg::matmul(xv, hw::ConstView(weights[static_cast<std::size_t>(p)].data(), outs[p], in), expected.view().col_range(column, column + outs[p]));
        column += outs[p];
      }
      for (index_t i = 0; i < t; ++i)
        for (index_t j = 0; j < 104; ++j) {
          const float b = j >= 7 && j < 71 ? bias[static_cast<std::size_t>(j - 7)] : 0.0f;
          EXPECT_NEAR(y.view()(i, j), expected.view()(i, j) + b, 1e-5 * std::sqrt(static_cast<double>(in)) + 1e-6) << in << ' ' << t << ' ' << i << ' ' << j;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Targets, LinearTest, testing::Combine(testing::ValuesIn(hw::kernels::supported_targets()), testing::Values(1, 2, 7)));

TEST(LinearTest, AskedForTypesAreReported) {
  hw::SerialExecutor serial;
  hw::WeightBuffer buffer;
  buffer.add("a.weight", {8, 64}, draw(512, 1));
  buffer.add("odd.weight", {8, 50}, draw(400, 2));
  hw::BuildOptions options;
  options.weights = hw::DType::q8_0;
  const hw::Build build(hw::Weights(buffer.finish()), hw::kernels::table(), serial, options);
  const hw::Linear a(64, {{"a", 8}}, build), odd(50, {{"odd", 8}}, build), again(64, {{"a", 8}}, build);
  ASSERT_EQ(build.report().size(), 2u) << "a tensor is packed once";
  EXPECT_EQ(build.report()[0].type, hw::DType::q8_0);
  EXPECT_EQ(build.report()[1].type, hw::DType::f32) << "rows of 50 are no multiple of the block";
  EXPECT_EQ(build.report()[1].file_type, hw::DType::f32);
}

}  // namespace
