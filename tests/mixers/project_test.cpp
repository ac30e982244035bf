// The run-time choices of the projection, against plain loops over its own weights.

#include "headwise/mixers/attention/project.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "headwise/headwise.hpp"
#include "headwise/mixers/attention/rotary.hpp"
#include "tests/models/toy.hpp"

namespace {

using hw::index_t;

// The q, k and v of a projection for the rows of the embedding.
struct Probe {
  static constexpr std::string_view kName = "probe";
  static constexpr hw::Couples couples = hw::Couples::past;
  using Config = hw::QkvProjection::Config;
  Probe(const Config& c, const hw::Build& b) : project(c, b) {}
  void forward(hw::In in, hw::View delta) const {
    hw::Qkv o;
    project.project(in, o);
    for (index_t t = 0; t < delta.rows; ++t) {
      index_t j = 0;
      for (const hw::View& part : {o.q, o.k, o.v})
        for (index_t i = 0; i < part.cols; ++i) delta(t, j++) = part(t, i);
    }
  }
  hw::QkvProjection project;
};

// 4 heads and 2 KV heads of 6: q has 24 columns, k and v have 12, as many as the stream is wide.
constexpr index_t kHeads = 4, kGroups = 2, kDim = 6, kWidth = 48;

std::vector<float> projected(hw::QkvProjection::Config c) {
  using Layer = hw::Block<hw::Residual<hw::Add<hw::NoNorm>, Probe>>;
  c.hidden_size = kWidth, c.num_attention_heads = kHeads, c.num_key_value_heads = kGroups, c.head_dim = kDim;
  hw::Decoder<Layer>::Config m;
  m.embedding = {.vocab_size = toy::kVocab, .hidden_size = kWidth};
  m.blocks = {Layer::Config{{{}, c}}};
  const hw::Decoder<Layer> model(m, hw::RandomWeights{5}, std::make_shared<hw::ThreadPool>(2));
  std::vector<float> out;
  const auto look = [&](const hw::TapPoint& at, hw::View x) {
    if (at.kind == hw::TapPoint::after_sublayer) out.assign(x.data, x.row(x.rows));
  };
  const hw::Tap tap(look);
  hw::Output unused;
  const auto ids = toy::ids(7);
  model.forward({.ids = ids}, unused, {.tap = &tap});
  return out;
}

// Columns [begin, end) of each row, in groups of `size`, are w * x / rms(x); the drawn w is read off the first group.
void expect_normed(const std::vector<float>& plain, const std::vector<float>& normed, index_t begin, index_t end, index_t size) {
  std::vector<double> weight;
  for (std::size_t at = static_cast<std::size_t>(begin); at < plain.size(); at += kWidth)
    for (index_t g = 0; g < (end - begin) / size; ++g) {
      const float* x = plain.data() + at + g * size;
      const float* y = normed.data() + at + g * size;
      double square = 0;
      for (index_t i = 0; i < size; ++i) square += static_cast<double>(x[i]) * x[i] / static_cast<double>(size);
      for (index_t i = 0; i < size; ++i) {
        const double u = x[i] / std::sqrt(square + 1e-6);
        if (std::cmp_less(weight.size(), size)) weight.push_back(y[i] / u);
        EXPECT_NEAR(weight[static_cast<std::size_t>(i)], 1.0, 0.5);
        EXPECT_NEAR(y[i], weight[static_cast<std::size_t>(i)] * u, 1e-4) << "row " << at / kWidth << ", group " << g << ", column " << i;
      }
    }
}

TEST(QkvProjection, NormsEachHeadOrAllTogether) {
  const auto plain = projected({});
  const auto heads = projected({.q_norm = hw::RmsNorm::Config{kDim}, .k_norm = hw::RmsNorm::Config{kDim}});
  expect_normed(plain, heads, 0, 24, kDim);
  expect_normed(plain, heads, 24, 36, kDim);
  const auto rows = projected({.q_norm = hw::RmsNorm::Config{kHeads * kDim}, .k_norm = hw::RmsNorm::Config{kGroups * kDim}});
  expect_normed(plain, rows, 0, 24, kHeads * kDim);
  expect_normed(plain, rows, 24, 36, kGroups * kDim);
  for (std::size_t i = 36; i < 48; ++i) EXPECT_EQ(plain[i], heads[i]) << "values have no norm";
  EXPECT_NE(heads, rows);
  EXPECT_THROW(projected({.q_norm = hw::RmsNorm::Config{7}}), hw::Error);
}

TEST(QkvProjection, ClipsAllThree) {
  const auto plain = projected({}), clipped = projected({.clip = 0.05f});
  int cut = 0;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    EXPECT_EQ(clipped[i], std::clamp(plain[i], -0.05f, 0.05f));
    cut += plain[i] != clipped[i];
  }
  EXPECT_GT(cut, 20);
  EXPECT_THROW(projected({.clip = -1}), hw::Error);
}

TEST(Rotary, LongropeHasTwoSetsOfFactors) {
  hw::RotaryConfig c{.dims = 4, .theta = 100, .scaling = hw::RopeScaling::longrope, .factor = 8, .original_max_positions = 16,
                     .frequency_factors = {1, 2}, .long_factors = {3, 5}};
  EXPECT_NO_THROW(hw::check_rotary(c, 4, "here"));
  EXPECT_EQ(hw::rotary_regime(c, 16), 0);
  EXPECT_EQ(hw::rotary_regime(c, 17), 1);
  EXPECT_EQ(hw::rotary_regime(c, 1000), 1);
  EXPECT_DOUBLE_EQ(hw::rotary_frequencies(c, 16)[1], 0.1 / 2);
  EXPECT_DOUBLE_EQ(hw::rotary_frequencies(c, 17)[0], 1.0 / 3);
  EXPECT_DOUBLE_EQ(hw::rotary_frequencies(c, 17)[1], 0.1 / 5);
  EXPECT_DOUBLE_EQ(hw::rotary_magnitude(c), std::sqrt(1 + std::log(8.0) / std::log(16.0)));
  c.long_factors = {3, 0};
  EXPECT_THROW(hw::check_rotary(c, 4, "here"), hw::Error);
  c.long_factors = {};
  EXPECT_THROW(hw::check_rotary(c, 4, "here"), hw::Error);
}

}  // namespace
