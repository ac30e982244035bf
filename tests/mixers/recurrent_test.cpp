// Recurrent mixers and what goes with them, at sizes that are split over threads: the same bits whatever the threads and the steps, and the
// errors of their configurations. What they compute is held by the golden checkpoints of their families.

#include <gtest/gtest.h>

#include "headwise/blocks/chain.hpp"
#include "headwise/blocks/side_stream.hpp"
#include "headwise/mixers/attention/convolved_projection.hpp"
#include "headwise/mixers/attention/distance_projection.hpp"
#include "headwise/mixers/attention/lora_projection.hpp"
#include "headwise/mixers/attention/projections.hpp"
#include "headwise/mixers/convolved.hpp"
#include "headwise/mixers/linear_attention/gated_delta_net.hpp"
#include "headwise/mixers/linear_attention/lightning_attention.hpp"
#include "headwise/mixers/ssm/selective_ssm.hpp"
#include "headwise/moe/depth_router.hpp"
#include "headwise/moe/moe.hpp"
#include "headwise/moe/sink_moe.hpp"
#include "tests/models/toy.hpp"

namespace {

using hw::index_t;
constexpr index_t kWidth = toy::kWidth;
const hw::RmsNorm::Config kNorm{.size = kWidth};

template <class Block>
std::unique_ptr<hw::Model> stacked(const std::vector<typename Block::Config>& blocks, int threads) {
  typename hw::Decoder<Block>::Config c;
  c.embedding = {.vocab_size = toy::kVocab, .hidden_size = kWidth};
  for (const auto& block : blocks) c.blocks.emplace_back(block);
  c.norm = kNorm;
  c.heads = {{.name = "logits", .stages = {hw::DenseStage{"", toy::kVocab, false}}}};
  return std::make_unique<hw::Decoder<Block>>(c, hw::RandomWeights{.seed = 3}, std::make_shared<hw::ThreadPool>(threads));
}

template <class Block>
void expect_same_bits(const std::vector<typename Block::Config>& blocks) {
  const auto x = toy::ids(150);
  const auto expected = toy::feed(*stacked<Block>(blocks, 1), nullptr, x);
  for (const float v : expected) ASSERT_TRUE(std::isfinite(v));
  for (const int threads : {2, 3, 5}) {
    const auto model = stacked<Block>(blocks, threads);
    EXPECT_EQ(toy::feed(*model, nullptr, x), expected) << threads << " threads";
    for (const std::size_t chunk : {1, 3, 64}) {
      hw::StateSet state = model->make_state();
      EXPECT_EQ(toy::feed(*model, &state, x, chunk), expected) << threads << " threads, steps of " << chunk;
    }
  }
}

// Two layers of one sublayer behind a norm.
template <class S>
void expect_same_bits_of(const typename S::Config& c) {
  using Block = hw::Block<hw::PreNorm<hw::RmsNorm, S>>;
  const typename Block::Config block{{{.pre = kNorm}, c}};
  expect_same_bits<Block>({block, block});
}
template <class S>
void expect_error(const typename S::Config& c) {
  using Block = hw::Block<hw::PreNorm<hw::RmsNorm, S>>;
  EXPECT_THROW(stacked<Block>({{{{.pre = kNorm}, c}}}, 1), hw::Error);
}

const hw::GatedDeltaNet::Config kDelta{.hidden_size = kWidth, .key_heads = 2, .value_heads = 4, .key_dim = 16, .value_dim = 24};

TEST(GatedDeltaNet, DecaysByHead) { expect_same_bits_of<hw::GatedDeltaNet>(kDelta); }

TEST(GatedDeltaNet, DecaysByKey) {
  hw::GatedDeltaNet::Config c = kDelta;
  c.key_heads = 4, c.key_decay = true, c.gate = hw::Activation::sigmoid;
  expect_same_bits_of<hw::GatedDeltaNet>(c);
  c.decay_floor = -5;
  expect_same_bits_of<hw::GatedDeltaNet>(c);
  c.decay_rank = 8, c.gate_rank = 12;
  expect_same_bits_of<hw::GatedDeltaNet>(c);
}

TEST(GatedDeltaNet, Errors) {
  hw::GatedDeltaNet::Config c = kDelta;
  c.key_heads = 3;
  expect_error<hw::GatedDeltaNet>(c);
  c = kDelta, c.decay_floor = 1;
  expect_error<hw::GatedDeltaNet>(c);
  c = kDelta, c.decay_rank = -1;
  expect_error<hw::GatedDeltaNet>(c);
}

TEST(LightningAttention, SameBits) {
  expect_same_bits_of<hw::LightningAttention>({.hidden_size = kWidth, .heads = 5, .head_dim = 16, .slope_scale = 0.7f});
}

TEST(LightningAttention, Errors) {
  expect_error<hw::LightningAttention>({.hidden_size = kWidth, .heads = 0, .head_dim = 16});
  expect_error<hw::LightningAttention>({.hidden_size = kWidth, .heads = 2, .head_dim = 16, .slope_scale = -1});
  expect_error<hw::LightningAttention>({.hidden_size = kWidth, .heads = 2, .head_dim = 16, .slope_scale = NAN});
}

hw::SelectiveSsm::Config mamba(index_t heads) {
  return {.hidden_size = kWidth, .inner_size = 240, .state_size = 8, .dt_rank = 4, .heads = heads};
}

TEST(SelectiveSsm, HeadsAreCutAnywhere) {
  for (const index_t heads : {1, 2, 3}) expect_same_bits_of<hw::SelectiveSsm>(mamba(heads));  // 15, 8 or 5 tasks a head
}

TEST(SelectiveSsm, Errors) {
  for (const index_t heads : {0, 7, -1}) expect_error<hw::SelectiveSsm>(mamba(heads));
  hw::SelectiveSsm::Config c = mamba(2);
  c.inner_norms = true;
  expect_error<hw::SelectiveSsm>(c);
}

using Cca = hw::Attention<hw::Causal, hw::ConvolvedProjection>;
Cca::Config convolved(index_t taps) {
  return {.project = {.hidden_size = kWidth,
                      .num_attention_heads = 4,
                      .num_key_value_heads = 2,
                      .head_dim = 16,
                      .depthwise_taps = taps,
                      .grouped_taps = taps,
                      .rotary = {.dims = 8}}};
}

TEST(ConvolvedProjection, SameBits) {
  for (const index_t taps : {1, 2, 5}) expect_same_bits_of<Cca>(convolved(taps));
}

TEST(ConvolvedProjection, Errors) {
  for (const index_t taps : {0, -1, 65}) expect_error<Cca>(convolved(taps));
  Cca::Config c = convolved(2);
  c.project.num_key_value_heads = 3;
  expect_error<Cca>(c);
  c = convolved(2), c.project.head_dim = 9, c.project.num_key_value_heads = 1, c.project.rotary.dims = 8;
  expect_error<Cca>(c);
}

using Distant = hw::Convolved<hw::Attention<hw::Causal, hw::DistanceProjection>>;
Distant::Config distant(index_t extent) {
  return {.sublayer = {.project = {.hidden_size = kWidth,
                                   .num_attention_heads = 4,
                                   .num_key_value_heads = 2,
                                   .head_dim = 16,
                                   .rank = 3,
                                   .extent = extent,
                                   .temperature_scale = 0.1f,
                                   .temperature_floor = 20}},
          .channels = kWidth};
}

TEST(DistanceProjection, SameBits) {
  for (const index_t extent : {1, 50, 1000}) expect_same_bits_of<Distant>(distant(extent));
}

TEST(DistanceProjection, Errors) {
  expect_error<Distant>(distant(0));
  Distant::Config c = distant(8);
  c.sublayer.project.temperature_floor = 0;
  expect_error<Distant>(c);
  c = distant(8), c.kernel_size = 0;
  expect_error<Distant>(c);
}

TEST(GatedWholeHeads, SameBits) {
  using Gated = hw::Attention<hw::Causal, hw::GatedWholeHeads<hw::QkvProjection>>;
  expect_same_bits_of<Gated>({.project = {.hidden_size = kWidth, .num_attention_heads = 4, .num_key_value_heads = 2, .head_dim = 16}});
}

hw::SinkMoe::Config sink(index_t top_k, index_t shared) {
  return {.expert = {.hidden_size = kWidth, .intermediate_size = 32}, .num_experts = 6, .shared = shared, .top_k = top_k, .scale = 1.5f};
}

TEST(SinkMoe, SameBits) {
  for (const index_t shared : {0, 2}) expect_same_bits_of<hw::SinkMoe>(sink(2, shared));
}

TEST(SinkMoe, Errors) {
  for (const index_t top_k : {0, 7}) expect_error<hw::SinkMoe>(sink(top_k, 1));
  for (const index_t shared : {-1, 7}) expect_error<hw::SinkMoe>(sink(2, shared));
}

// The second layer reads what the first left.
TEST(DepthRouter, SameBits) {
  using Sparse = hw::Moe<hw::DepthRouter, hw::GatedMlp>;
  using Block = hw::Block<hw::PreNorm<hw::RmsNorm, Sparse>>;
  Sparse::Config moe;
  moe.router = {.hidden_size = kWidth, .num_experts = 5, .size = 16, .first = true};
  moe.experts.experts.assign(4, {.hidden_size = kWidth, .intermediate_size = 32});
  const Block::Config first{{{.pre = kNorm}, moe}};
  moe.router.first = false;
  expect_same_bits<Block>({first, {{{.pre = kNorm}, moe}}});
}

// A shared attention and MLP that see the stream and the embeddings, and change what the mixer behind them sees.
TEST(SideStreams, SameBits) {
  using Shared = hw::Chain<hw::Normed<hw::RmsNorm, hw::Attention<hw::Causal, hw::LoraProjection>>,
                           hw::Normed<hw::RmsNorm, hw::LoraGatedMlp>, hw::LinearLayer>;
  using Block =
      hw::Block<hw::KeepForStep, hw::Residual<hw::ConcatAside, Shared>, hw::Residual<hw::AddBeside<hw::RmsNorm>, hw::SelectiveSsm>>;
  const hw::LoraProjection::Config project{.input_size = 2 * kWidth,
                                           .hidden_size = kWidth,
                                           .num_attention_heads = 4,
                                           .num_key_value_heads = 4,
                                           .head_dim = 32,
                                           .rank = 4,
                                           .rotary = hw::RotaryConfig{.dims = 32}};
  Shared::Config shared;
  shared.sublayers = {
      {{2 * kWidth}, {.project = project}}, {kNorm, {.hidden_size = kWidth, .intermediate_size = 96, .rank = 3}}, {kWidth, kWidth}};
  shared.width = kWidth;
  std::vector<Block::Config> blocks;
  for (const char* keep : {"embeddings", ""})
    blocks.push_back({{keep, kWidth}, {{"embeddings", "shared", kWidth}, shared}, {{kNorm, "shared", kWidth}, mamba(2)}});
  expect_same_bits<Block>(blocks);
  auto& bad = std::get<0>(std::get<1>(blocks[0]).sublayer.sublayers).sublayer.project;
  bad.rank = -1;
  EXPECT_THROW(stacked<Block>(blocks, 1), hw::Error);
  bad.rank = 0, bad.input_size = 0;
  EXPECT_THROW(stacked<Block>(blocks, 1), hw::Error);
}

}  // namespace
