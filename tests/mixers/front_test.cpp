// Fronts against plain loops in double: convolutions of a signal in time, patches of an image.

#include <gtest/gtest.h>

#include <cmath>

#include "headwise/core/thread_pool.hpp"
#include "headwise/mixers/conv_front.hpp"
#include "headwise/mixers/patch_front.hpp"

namespace {

using hw::index_t;
using Rows = std::vector<std::vector<double>>;
using Stage = hw::ConvFront::Stage;

class Fronts : public testing::Test {
 protected:
  template <class F>
  Rows run(const F& front, hw::ConstView signal) {
    hw::Step step{pool, hw::kernels::table(), arena};
    const hw::TokenSet none;
    hw::Tensor<float> y({front.rows(signal.rows), front.width()});
    front.forward(signal, y.view(), hw::Frame(step, none, {}));
    return rows(y.view());
  }
  static Rows rows(hw::ConstView v) {
    Rows out(static_cast<std::size_t>(v.rows));
    for (index_t i = 0; i < v.rows; ++i) out[static_cast<std::size_t>(i)].assign(v.row(i), v.row(i) + v.cols);
    return out;
  }
  Rows matrix(const std::string& name, index_t n, index_t cols) const {
    const auto source = build.matrix(name, n, cols);
    hw::Tensor<float> out({n, cols});
    for (index_t i = 0; i < n; ++i) source.read_row(i, out.view().row(i));
    return rows(out.view());
  }
  static hw::Tensor<float> signal(index_t n, index_t cols) {
    hw::Tensor<float> out({n, cols});
    for (index_t i = 0; i < out.size(); ++i) out.values()[static_cast<std::size_t>(i)] = std::sin(1.3f * static_cast<float>(i * i % 101));
    return out;
  }
  static void expect_near(const Rows& got, const Rows& want) {
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i].size(), want[i].size());
      for (std::size_t j = 0; j < got[i].size(); ++j) ASSERT_NEAR(got[i][j], want[i][j], 2e-5) << "row " << i << ", column " << j;
    }
  }
  // One stage, as the formula has it.
  Rows stage(const Rows& x, const Stage& s, int number) const {
    const auto name = [&](const char* tensor) { return hw::concat("convs.", number, ".", tensor); };
    const auto in = static_cast<index_t>(x[0].size()), out = s.gated ? 2 * s.channels : s.channels, n = static_cast<index_t>(x.size());
    const Rows w = matrix(name("weight"), out, in * s.kernel_size);
    const auto b = s.bias ? build.vector(name("bias"), out) : std::vector<float>(static_cast<std::size_t>(out));
    Rows y;
    for (index_t first = -s.padding; first + s.kernel_size <= n + s.padding; first += s.stride) {
      std::vector<double> row(b.begin(), b.end());
      for (std::size_t o = 0; o < row.size(); ++o)
        for (index_t j = 0; j < s.kernel_size; ++j)
          for (index_t i = 0; i < in; ++i)
            if (first + j >= 0 && first + j < n)
              row[o] += w[o][static_cast<std::size_t>(i * s.kernel_size + j)] *
                        x[static_cast<std::size_t>(first + j)][static_cast<std::size_t>(i)];
      const auto channels = static_cast<std::size_t>(s.channels);
      if (s.gated)
        for (std::size_t o = 0; o < channels; ++o) row[o] /= 1 + std::exp(-row[channels + o]);
      row.resize(channels);
      if (s.activation == hw::Activation::tanh)
        for (double& v : row) v = std::tanh(v);
      y.push_back(row);
    }
    if (s.norm_eps > 0) {
      const auto weight = build.vector(name("norm.weight"), s.channels), bias = build.vector(name("norm.bias"), s.channels);
      double sum = 0, squares = 0, count = 0;
      for (const auto& row : y)
        for (const double v : row) sum += v, squares += v * v, ++count;
      const double mean = sum / count, deviation = std::sqrt(squares / count - mean * mean + static_cast<double>(s.norm_eps));
      for (auto& row : y)
        for (std::size_t o = 0; o < row.size(); ++o)
          row[o] = (row[o] - mean) / deviation * static_cast<double>(weight[o]) + static_cast<double>(bias[o]);
    }
    return y;
  }

  hw::ThreadPool pool{2};
  hw::Build build{hw::RandomWeights{.seed = 8}, hw::kernels::table(), pool};
  hw::Arena arena;
};

TEST_F(Fronts, ConvolutionsAreTheFormula) {
  const std::vector<Stage> stages{
      {.channels = 6, .kernel_size = 7, .stride = 3, .bias = false, .activation = hw::Activation::tanh, .norm_eps = 1e-5f},
      {.channels = 5, .kernel_size = 3, .stride = 2, .padding = 1, .gated = true},
      {.channels = 4, .kernel_size = 2, .padding = 1}};
  for (const std::size_t count : {1, 2, 3})
    for (const index_t n : {7, 8, 9, 10, 41, 300}) {
      hw::ConvFront::Config config{
          .signal_size = 3, .stages = {stages.begin(), stages.begin() + static_cast<std::ptrdiff_t>(count)}, .scale = 1.5f};
      const hw::ConvFront front(config, build);
      const hw::Tensor<float> x = signal(n, 3);
      Rows want = rows(x.view());
      for (std::size_t i = 0; i < count; ++i) want = stage(want, stages[i], static_cast<int>(i));
      for (auto& row : want)
        for (double& v : row) v *= 1.5;
      EXPECT_EQ(front.rows(n), static_cast<index_t>(want.size()));
      expect_near(run(front, x.view()), want);
      EXPECT_EQ(front.rows(6), 0);
    }
}

TEST_F(Fronts, PatchesAreTheFormula) {
  const hw::PatchFront::Config config{.channels = 2, .height = 4, .width = 6, .patch_size = 2, .hidden_size = 5, .prefix_rows = 2};
  const hw::PatchFront front(config, build);
  const hw::Tensor<float> x = signal(8, 6);
  const Rows w = matrix("patches.weight", 5, 8);
  const auto b = build.vector("patches.bias", 5), prefix = build.vector("prefix", 10), positions = build.vector("positions", 40);
  Rows want(8, std::vector<double>(5));
  for (std::size_t o = 0; o < 5; ++o)
    for (std::size_t r = 0; r < 8; ++r) {
      want[r][o] = static_cast<double>(positions[5 * r + o]);
      if (r < 2) {
        want[r][o] += static_cast<double>(prefix[5 * r + o]);
        continue;
      }
      want[r][o] += static_cast<double>(b[o]);
      const std::size_t down = (r - 2) / 3, across = (r - 2) % 3;
      for (std::size_t c = 0; c < 2; ++c)
        for (std::size_t i = 0; i < 2; ++i)
          for (std::size_t j = 0; j < 2; ++j)
            want[r][o] += w[o][4 * c + 2 * i + j] *
                          static_cast<double>(x.view()(static_cast<index_t>(4 * c + 2 * down + i), static_cast<index_t>(2 * across + j)));
    }
  EXPECT_EQ(front.rows(8), 8);
  expect_near(run(front, x.view()), want);
  EXPECT_THROW((void)front.rows(9), hw::Error);
}

TEST_F(Fronts, BadSizesAreRefused) {
  const auto conv = [&](hw::ConvFront::Config c) { return hw::ConvFront(c, build); };
  EXPECT_THROW(conv({.signal_size = 3}), hw::Error);
  EXPECT_THROW(conv({.signal_size = 0, .stages = {{.channels = 2}}}), hw::Error);
  EXPECT_THROW(conv({.signal_size = 3, .stages = {{.channels = 0}}}), hw::Error);
  EXPECT_THROW(conv({.signal_size = 3, .stages = {{.channels = 2, .stride = 0}}}), hw::Error);
  EXPECT_THROW(conv({.signal_size = 3, .stages = {{.channels = 2, .kernel_size = -1}}}), hw::Error);
  EXPECT_THROW(conv({.signal_size = 3, .stages = {{.channels = 2, .kernel_size = 3, .padding = 3}}}), hw::Error);
  const auto patch = [&](hw::PatchFront::Config c) { return hw::PatchFront(c, build); };
  EXPECT_THROW(patch({.height = 16, .width = 16, .patch_size = 5, .hidden_size = 4}), hw::Error);
  EXPECT_THROW(patch({.height = 16, .width = 16, .patch_size = 0, .hidden_size = 4}), hw::Error);
  EXPECT_THROW(patch({.height = 16, .width = 16, .patch_size = 4, .hidden_size = 4, .prefix_rows = -1}), hw::Error);
}

}  // namespace
