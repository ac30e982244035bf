// The embedding against plain loops: its tables, the coordinates that they read, and where its projection stands.

#include "headwise/layers/embedding.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "headwise/headwise.hpp"
#include "headwise/io/weight_buffer.hpp"

namespace {

using hw::index_t;
using Projection = hw::Embedding::Projection;
// A layer that adds nothing, so that "hidden" is the embedding.
struct Nothing {
  static constexpr std::string_view kName = "nothing";
  static constexpr hw::Couples couples = hw::Couples::nothing;
  struct Config {};
  Nothing(const Config&, const hw::Build&) {}
  void forward(hw::In, hw::View delta) const {
    for (index_t t = 0; t < delta.rows; ++t) std::fill_n(delta.row(t), delta.cols, 0.0f);
  }
};
using Model = hw::Encoder<hw::Block<hw::Residual<hw::Add<hw::NoNorm>, Nothing>>>;

constexpr index_t kVocab = 11, kWidth = 6, kHidden = 8, kBoxes = 5;

class EmbeddingTest : public testing::TestWithParam<Projection> {
 protected:
  index_t width() const { return GetParam() == Projection::tokens ? kHidden : kWidth; }  // of the tables behind the token's

  void add(const std::string& name, std::vector<index_t> shape) {
    std::vector<float> v(static_cast<std::size_t>(shape.size() == 2 ? shape[0] * shape[1] : shape[0]));
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = std::sin(1.7f * static_cast<float>(i + 1) + 3.0f * static_cast<float>(tensors.size()));
    tensors[name] = v;
    buffer.add(name, std::move(shape), std::move(v));
  }

  std::unique_ptr<Model> model() {
    add("embedding.weight", {kVocab, kWidth});
    add("embedding.positions.weight", {9, width()});
    add("embedding.types.weight", {2, width()});
    add("embedding.x.weight", {kBoxes, width()});
    add("embedding.w.weight", {kBoxes, width()});
    Model::Config c;
    c.blocks.resize(1);
    c.embedding = {.vocab_size = kVocab, .hidden_size = kHidden, .positions = 9, .position_offset = 2, .types = 2,
                   .embedding_size = kWidth, .projection = GetParam(),
                   .tables = {{"x", kBoxes, 1}, {"x", kBoxes, 2}, {"w", kBoxes, 2, 1}}};
    if (GetParam() == Projection::none) {
      c.embedding.hidden_size = kWidth;
    } else {
      add("embedding.projection.weight", {kHidden, kWidth});
      add("embedding.projection.bias", {kHidden});
    }
    return std::make_unique<Model>(c, hw::Weights(buffer.finish()), std::make_shared<hw::ThreadPool>(1));
  }

  const float* row(const std::string& name, index_t i, index_t cols) const { return tensors.at(name).data() + i * cols; }

  // The formula, in double.
  std::vector<double> expected(index_t id, index_t position, index_t type, index_t left, index_t right) const {
    std::vector<double> x(row("embedding.weight", id, kWidth), row("embedding.weight", id, kWidth) + kWidth);
    const auto project = [&] {
      std::vector<double> y(tensors.at("embedding.projection.bias").begin(), tensors.at("embedding.projection.bias").end());
      for (index_t o = 0; o < kHidden; ++o)
        for (index_t i = 0; i < kWidth; ++i)
          y[static_cast<std::size_t>(o)] += x[static_cast<std::size_t>(i)] * static_cast<double>(row("embedding.projection.weight", o, kWidth)[i]);
      x = y;
    };
    if (GetParam() == Projection::tokens) project();
    const auto n = static_cast<index_t>(x.size());
    for (const float* table : {row("embedding.positions.weight", position + 2, n), row("embedding.types.weight", type, n), row("embedding.x.weight", left, n),
                               row("embedding.x.weight", right, n), row("embedding.w.weight", right - left, n)})
      for (index_t i = 0; i < n; ++i) x[static_cast<std::size_t>(i)] += static_cast<double>(table[i]);
    if (GetParam() == Projection::rows) project();
    return x;
  }

  std::map<std::string, std::vector<float>> tensors;
  hw::WeightBuffer buffer;
};

INSTANTIATE_TEST_SUITE_P(Projections, EmbeddingTest, testing::Values(Projection::none, Projection::tokens, Projection::rows));

TEST_P(EmbeddingTest, SumsItsTables) {
  const auto m = model();
  const std::vector<std::int32_t> ids{3, 10, 0}, marks{0, 1, 1};
  const std::vector<float> coords{4, 0, 3, 0, 2, 2, 6, 1, 4};  // position, left, right
  const std::vector<std::int32_t> other{7, 7};
  const std::vector<hw::Sequence> batch{{.ids = ids, .marks = marks, .coords = coords}, {.ids = other}};  // the second: entry numbers and 0
  hw::Output out;
  m->forward(batch, out, {.hidden = true});
  const auto expect = [&](hw::ConstView got, index_t t, const std::vector<double>& want) {
    ASSERT_EQ(got.cols, static_cast<index_t>(want.size()));
    for (index_t i = 0; i < got.cols; ++i) EXPECT_NEAR(static_cast<double>(got(t, i)), want[static_cast<std::size_t>(i)], 1e-5) << "row " << t << ", column " << i;
  };
  for (index_t t = 0; t < 3; ++t) {
    const float* at = coords.data() + 3 * t;
    const auto i = static_cast<std::size_t>(t);
    expect(out.hidden(0), t, expected(ids[i], static_cast<index_t>(at[0]), marks[i], static_cast<index_t>(at[1]), static_cast<index_t>(at[2])));
  }
  for (index_t t = 0; t < 2; ++t) expect(out.hidden(1), t, expected(7, t, 0, 0, 0));
}

TEST_P(EmbeddingTest, VectorsHaveTheTokensWidth) {
  const auto m = model();
  EXPECT_EQ(m->info().embedding_size, kWidth);
  hw::Tensor<float> vectors({1, kWidth});
  std::copy_n(row("embedding.weight", 5, kWidth), kWidth, vectors.view().row(0));
  const std::vector<std::int32_t> ids{2, 5}, given{2, -1};
  hw::Output a, b;
  m->forward({.ids = ids}, a, {.hidden = true});
  m->forward({.ids = given, .vectors = vectors.view()}, b, {.hidden = true});
  for (index_t t = 0; t < 2; ++t)
    for (index_t i = 0; i < a.hidden().cols; ++i) EXPECT_EQ(a.hidden()(t, i), b.hidden()(t, i));
}

TEST_P(EmbeddingTest, RefusesCoordinates) {
  const auto m = model();
  const std::vector<std::int32_t> ids{1, 2};
  hw::Output out;
  const auto refused = [&](std::vector<float> coords, const std::string& why) {
    try {
      m->forward({.ids = ids, .coords = coords}, out);
      FAIL() << "accepted";
    } catch (const hw::Error& e) {
      EXPECT_NE(std::string(e.what()).find(why), std::string::npos) << e.what();
    }
  };
  refused({0, 1, 1, 1, 2}, "coords of 2 axes for each of 2 tokens");
  refused({0, 1, 1, 0, 2, 5}, "a coordinate for x from 0 to 4");
  refused({0, 3, 1, 0, 2, 4}, "a coordinate for w from 0 to 4");
  refused({0, 1, 1, 0, std::nanf(""), 4}, "finite coords");
}

TEST(Embedding, TokenDropout) {
  const auto hidden = [](std::int32_t mask_id) {
    Model::Config c;
    c.blocks.resize(1);
    c.embedding = {.vocab_size = 9, .hidden_size = 4, .mask_id = mask_id};
    const Model model(c, hw::RandomWeights{.seed = 3}, std::make_shared<hw::ThreadPool>(1));
    const std::vector<std::int32_t> ids{3, 7, 5, 7, 1}, without{2, 4};
    hw::Output out;
    model.forward(std::vector<hw::Sequence>{{.ids = ids}, {.ids = without}}, out, {.hidden = true});
    std::vector<float> all;
    for (const index_t s : {0, 1})
      for (index_t t = 0; t < out.hidden(s).rows; ++t) all.insert(all.end(), out.hidden(s).row(t), out.hidden(s).row(t) + 4);
    return all;
  };
  const auto plain = hidden(-1), dropped = hidden(7);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const std::size_t row = i / 4;
    const double scale = row == 1 || row == 3 ? 0.0 : row < 5 ? 0.88 / (1 - 2.0 / 5) : 0.88;
    EXPECT_NEAR(static_cast<double>(dropped[i]), scale * static_cast<double>(plain[i]), 1e-6) << "row " << row;
  }
}

TEST(Embedding, RefusesAWidthWithoutAProjection) {
  Model::Config c;
  c.blocks.resize(1);
  c.embedding = {.vocab_size = 4, .hidden_size = 8, .embedding_size = 6};
  EXPECT_THROW(Model(c, hw::RandomWeights{}), hw::Error);
}

// sin in the first half of the columns, cos in the second; positions go on from the state's size.
TEST(Embedding, AddsSinusoidsOfThePosition) {
  using Layer = hw::Block<hw::PreNorm<hw::RmsNorm, hw::GatedMlp>>;
  const auto rows = [](index_t steps, bool twice) {
    hw::Decoder<Layer>::Config c;
    c.embedding = {.vocab_size = 10, .hidden_size = 6, .sinusoid_steps = steps};
    c.blocks = {Layer::Config{{{hw::RmsNorm::Config{6}}, {6, 8}}}};
    const hw::Decoder<Layer> model(c, hw::RandomWeights{1}, std::make_shared<hw::ThreadPool>(1));
    std::vector<float> out;
    const auto look = [&](const hw::TapPoint& at, hw::View x) {
      if (at.kind == hw::TapPoint::after_embedding) out.insert(out.end(), x.data, x.row(x.rows));
    };
    const hw::Tap tap(look);
    hw::Output unused;
    hw::StateSet state = model.make_state();
    const std::vector<std::int32_t> ids{1, 2, 3, 4};
    for (int i = 0; i < (twice ? 2 : 1); ++i)
      model.forward({.ids = std::span(ids).subspan(twice ? 2 * i : 0, twice ? 2 : 4), .state = &state}, unused, {.tap = &tap});
    return out;
  };
  const auto plain = rows(0, false);
  for (const index_t steps : {3, 2}) {
    const auto x = rows(steps, false);
    EXPECT_EQ(rows(steps, true), x);
    for (int t = 0; t < 4; ++t)
      for (int i = 0; i < 3; ++i) {
        const double angle = t * std::pow(10000.0, -i / static_cast<double>(steps));
        const auto at = static_cast<std::size_t>(6 * t + i);
        EXPECT_NEAR(x[at] - plain[at], std::sin(angle), 1e-6);
        EXPECT_NEAR(x[at + 3] - plain[at + 3], std::cos(angle), 1e-6);
      }
  }
}

}  // namespace
