// Parallel branches: their sum, their norms, their states.

#include "headwise/blocks/parallel.hpp"

#include <gtest/gtest.h>

#include "headwise/headwise.hpp"
#include "tests/models/toy.hpp"

namespace {

using hw::index_t;

// delta = factor * in, and sees what came in.
struct Times {
  static constexpr std::string_view kName = "times";
  static constexpr hw::Couples couples = hw::Couples::nothing;
  struct Config {
    float factor = 1;
  };
  Times(const Config& c, const hw::Build&) : factor(c.factor) {}
  void forward(hw::In in, hw::View delta) const {
    for (index_t t = 0; t < delta.rows; ++t)
      for (index_t j = 0; j < delta.cols; ++j) delta(t, j) = factor * in.x(t, j);
  }
  float factor;
};

// x + sum of the branches, for one block of the join and branches; and x.
template <class Layer>
std::pair<std::vector<float>, std::vector<float>> run(const typename Layer::Config& layer) {
  typename hw::Decoder<Layer>::Config c;
  c.embedding = {.vocab_size = toy::kVocab, .hidden_size = 32};
  c.blocks = {layer};
  const hw::Decoder<Layer> model(c, hw::RandomWeights{2}, std::make_shared<hw::ThreadPool>(2));
  std::pair<std::vector<float>, std::vector<float>> out;
  const auto look = [&](const hw::TapPoint& at, hw::View x) {
    if (at.kind == hw::TapPoint::after_embedding) out.first.assign(x.data, x.row(x.rows));
    if (at.kind == hw::TapPoint::after_entry) out.second.assign(x.data, x.row(x.rows));
  };
  const hw::Tap tap(look);
  hw::Output unused;
  const auto ids = toy::ids(9);
  model.forward({.ids = ids}, unused, {.tap = &tap});
  return out;
}

TEST(Parallel, AddsItsBranches) {
  using Layer = hw::Block<hw::Residual<hw::Add<hw::NoNorm>, hw::Parallel<Times, Times, Times>>>;
  const auto [x, y] = run<Layer>(Layer::Config{{{}, {{2}, {3}, {0.5f}}}});
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_FLOAT_EQ(y[i], 6.5f * x[i]);
}

TEST(Parallel, ABranchMayHaveANormOfItsOwn) {
  using Layer = hw::Block<hw::Residual<hw::Add<hw::NoNorm>, hw::Parallel<Times, hw::Normed<hw::RmsNorm, Times>>>>;
  const auto [x, y] = run<Layer>(Layer::Config{{{}, {{1}, {{32, 1e-6f}, {10}}}}});
  using Alone = hw::Block<hw::Residual<hw::Add<hw::RmsNorm>, Times>>;
  const auto [same, normed] = run<Alone>(Alone::Config{{{.pre = {32, 1e-6f}}, {10}}});  // the same scope, so the same drawn weights
  ASSERT_EQ(x, same);
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(y[i], x[i] + normed[i], 1e-5);
}

TEST(Parallel, StatesOfBranchesObeyTheLaws) {
  using Layer = hw::Block<hw::PreNorm<hw::RmsNorm, hw::Parallel<hw::Attention<>, toy::Average, hw::GatedMlp>>>;
  hw::Attention<>::Config attention;
  attention.project = {.hidden_size = 32, .num_attention_heads = 4, .num_key_value_heads = 2, .head_dim = 8, .rotary = hw::RotaryConfig{.dims = 8}};
  hw::Decoder<Layer>::Config c;
  c.embedding = {.vocab_size = toy::kVocab, .hidden_size = 32};
  c.blocks = {Layer::Config{{{{32}}, {attention, {32}, {32, 48}}}}};
  c.norm = hw::RmsNorm::Config{32};
  c.heads = {{.name = "logits", .stages = {hw::DenseStage{"", toy::kVocab, false}}}};
  const hw::Decoder<Layer> model(c, hw::RandomWeights{4}, std::make_shared<hw::ThreadPool>(2));
  const auto x = toy::ids(100), more = toy::ids(20, 2);
  const auto whole = toy::feed(model, nullptr, x);
  for (const std::size_t chunk : {1, 9, 64}) {
    hw::StateSet state = model.make_state();
    EXPECT_EQ(toy::feed(model, &state, x, chunk), whole);
    hw::StateSet child = state.fork();
    const auto expected = toy::feed(model, &state, more);
    EXPECT_EQ(toy::feed(model, &child, more, 3), expected);
    model.rewind(state, 100);
    EXPECT_EQ(toy::feed(model, &state, more, 7), expected);
  }
}

}  // namespace
