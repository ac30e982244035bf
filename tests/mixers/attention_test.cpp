// Attention as a mixer: policies of a user's own against the stock run-time choices, and masks with predicates.

#include "headwise/mixers/attention/attention.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "headwise/headwise.hpp"
#include "headwise/mixers/attention/attend_with.hpp"
#include "tests/models/toy.hpp"

namespace {

using hw::index_t;

// ALiBi written as a user would: after the dot product.
struct Slopes {
  std::vector<float> slopes;
  void modify(const hw::kernels::ScoreTile& tile) const {
    for (int i = 0; i < tile.rows; ++i)
      for (int j = 0; j < 64; ++j)
        tile(i, j) += slopes[static_cast<std::size_t>(tile.row[i].head)] * static_cast<float>(tile.entry + j - tile.row[i].entry);
  }
};

// A window written as a predicate.
struct WindowBits {
  static constexpr hw::Couples couples = hw::Couples::past;
  index_t window = 0;
  hw::EntryRange range(const hw::TokenSet& t, index_t row, index_t) const noexcept { return {0, t.index[static_cast<std::size_t>(row)] + 1}; }
  std::uint64_t sees(const hw::TokenSet& t, index_t row, index_t block) const noexcept {
    std::uint64_t bits = 0;
    for (index_t k = 0; k < 64; ++k)
      if (block * 64 + k > t.index[static_cast<std::size_t>(row)] - window) bits |= std::uint64_t{1} << k;
    return bits;
  }
};

template <class A>
std::unique_ptr<hw::Model> model(typename A::Config attention) {
  using Layer = hw::Block<hw::PreNorm<hw::RmsNorm, A>>;
  attention.project = {.hidden_size = 64, .num_attention_heads = 6, .num_key_value_heads = 2, .head_dim = 12, .rotary = hw::RotaryConfig{.dims = 8}};
  const typename Layer::Config layer{{{hw::RmsNorm::Config{64}}, attention}};
  typename hw::Decoder<Layer>::Config c;
  c.embedding = {.vocab_size = toy::kVocab, .hidden_size = 64};
  c.blocks = {layer, layer};
  c.norm = hw::RmsNorm::Config{64};
  c.heads = {{.name = "logits", .stages = {hw::DenseStage{"", toy::kVocab, false}}}};
  return std::make_unique<hw::Decoder<Layer>>(c, hw::RandomWeights{3}, std::make_shared<hw::ThreadPool>(2));
}

void expect_near(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 2e-5) << i;
}

TEST(AttentionPolicies, AUsersScoreIsTheStockOne) {
  using Custom = hw::Attention<hw::Causal, hw::QkvProjection, Slopes>;
  hw::Attention<>::Config stock;
  stock.options.alibi = 1;
  Custom::Config custom;
  custom.score.slopes = hw::detail::alibi_slopes(6);
  const auto x = toy::ids(150);
  const auto a = model<hw::Attention<>>(stock), b = model<Custom>(custom);
  const auto whole = toy::feed(*b, nullptr, x);
  expect_near(toy::feed(*a, nullptr, x), whole);
  hw::StateSet state = b->make_state();
  EXPECT_EQ(toy::feed(*b, &state, x, 7), whole) << "the same bits in steps";
}

TEST(AttentionPolicies, WholeRowsAreTheOnlineSoftmax) {
  using Rows = hw::Attention<hw::Causal, hw::QkvProjection, hw::kernels::DotScore, hw::kernels::SoftmaxRows>;
  const auto x = toy::ids(150);
  hw::Attention<>::Config online;
  online.mask.window = 70;
  Rows::Config rows;
  rows.mask.window = 70;
  const auto a = model<hw::Attention<>>(online), b = model<Rows>(rows);
  const auto whole = toy::feed(*b, nullptr, x);
  expect_near(toy::feed(*a, nullptr, x), whole);
  hw::StateSet state = b->make_state();
  EXPECT_EQ(toy::feed(*b, &state, x, 11), whole);
}

TEST(AttentionPolicies, APredicateIsTheStockWindow) {
  hw::Attention<>::Config range;
  range.mask.window = 20;
  hw::Attention<WindowBits>::Config bits;
  bits.mask.window = 20;
  const auto x = toy::ids(150);
  expect_near(toy::feed(*model<hw::Attention<>>(range), nullptr, x), toy::feed(*model<hw::Attention<WindowBits>>(bits), nullptr, x));
}

// Long contexts: segments of 1024 keys side by side on several threads have the bits of one thread.
TEST(AttentionPolicies, SegmentsOnThreadsHaveTheSameBits) {
  const auto x = toy::ids(2300), y = toy::ids(3, 2);
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 4}) {
    const auto m = toy::hybrid(threads, false);
    hw::StateSet state = m->make_state();
    hw::Output out;
    m->forward({.ids = x, .state = &state, .wanted = hw::Wanted::none}, out);
    results.push_back(toy::feed(*m, &state, y, 1));
  }
  EXPECT_EQ(results[0], results[1]);
}

}  // namespace
