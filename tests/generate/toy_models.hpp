#pragma once
// Small decoders with random weights whose vocabulary is small enough to look at every continuation, and plain double loops over their
// logits.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "headwise/headwise.hpp"

namespace toy {

using hw::index_t;
using Ids = std::vector<std::int32_t>;

/// Two layers of attention, the first with a window (0: without).
inline std::unique_ptr<hw::Model> decoder(index_t vocab, index_t window = 0, std::uint64_t seed = 3, index_t max_positions = 0) {
  using Layer = hw::Block<hw::PreNorm<hw::RmsNorm, hw::Attention<>>, hw::PreNorm<hw::RmsNorm, hw::GatedMlp>>;
  constexpr index_t kWidth = 16;
  const hw::RmsNorm::Config norm{.size = kWidth};
  hw::Attention<>::Config attention;
  attention.project = {
      .hidden_size = kWidth, .num_attention_heads = 2, .num_key_value_heads = 1, .head_dim = 8, .rotary = hw::RotaryConfig{.dims = 8}};
  const Layer::Config full{{{norm}, attention}, {{norm}, {.hidden_size = kWidth, .intermediate_size = 24}}};
  Layer::Config windowed = full;
  attention.mask.window = window;
  windowed = {{{norm}, attention}, {{norm}, {.hidden_size = kWidth, .intermediate_size = 24}}};
  hw::Decoder<Layer>::Config c;
  c.embedding = {.vocab_size = vocab, .hidden_size = kWidth};
  c.blocks = {windowed, full};
  c.norm = norm;
  c.heads = {{.name = "logits", .stages = {hw::DenseStage{"", vocab, false}}}};
  c.max_positions = max_positions;
  return std::make_unique<hw::Decoder<Layer>>(c, hw::RandomWeights{.seed = seed}, std::make_shared<hw::ThreadPool>(1));
}

/// The logits after `ids`, from a forward without a state.
inline std::vector<float> logits(const hw::Model& model, const Ids& ids) {
  hw::Output out;
  model.forward(hw::Sequence{ids}, out);
  const auto row = out.logits_row(0, 0);
  return {row.begin(), row.end()};
}

inline std::vector<double> log_softmax(const std::vector<float>& l) {
  const double max = *std::max_element(l.begin(), l.end());
  double sum = 0;
  for (const float x : l) sum += std::exp(double{x} - max);
  std::vector<double> out;
  for (const float x : l) out.push_back(double{x} - max - std::log(sum));
  return out;
}

inline Ids random_ids(hw::Rng& rng, std::size_t n, index_t vocab) {
  Ids out(n);
  for (auto& id : out) id = static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(vocab)));
  return out;
}

inline std::string error_of(const auto& call) {
  try {
    call();
  } catch (const hw::Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace toy
