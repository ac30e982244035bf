// A hybrid that nobody ships: Mamba-2 in two layers of three, attention with a window in the third, experts in every other layer.
// Its weights are random, so it says nothing sensible; but any of its states forks, goes back and joins batches without a changed bit.

#include <headwise/headwise.hpp>
#include <headwise/mixers/ssm/ssd.hpp>
#include <headwise/moe/moe.hpp>
#include <headwise/moe/router.hpp>
#include <iostream>

using Experts = hw::Moe<hw::TopKRouter, hw::GatedMlp>;
template <class Mixer, class FeedForward>
using Layer = hw::Block<hw::PreNorm<hw::RmsNorm, Mixer>, hw::PreNorm<hw::RmsNorm, FeedForward>>;
using Scan = Layer<hw::Ssd, hw::GatedMlp>;
using ScanExperts = Layer<hw::Ssd, Experts>;
using Window = Layer<hw::Attention<>, hw::GatedMlp>;
using Hybrid = hw::Decoder<Scan, ScanExperts, Window>;

constexpr hw::index_t kWidth = 64, kVocab = 100;

Hybrid::Config config() {
  const hw::RmsNorm::Config norm{.size = kWidth};
  const hw::GatedMlp::Config mlp{.hidden_size = kWidth, .intermediate_size = 160};
  const hw::Ssd::Config ssm{.hidden_size = kWidth, .heads = 8, .head_dim = 16, .groups = 2, .state_size = 32};
  Experts::Config experts{.router = {.hidden_size = kWidth, .num_experts = 8, .top_k = 2}};
  experts.experts.experts.assign(8, {.hidden_size = kWidth, .intermediate_size = 48});
  experts.shared = hw::GatedMlp::Config{.hidden_size = kWidth, .intermediate_size = 48};  // all tokens pass it
  hw::Attention<>::Config attention;
  attention.project = {.hidden_size = kWidth, .num_attention_heads = 4, .num_key_value_heads = 2, .head_dim = 16};
  attention.project.rotary = hw::RotaryConfig{.dims = 16};
  attention.mask.window = 16;

  Hybrid::Config c{.embedding = {.vocab_size = kVocab, .hidden_size = kWidth}, .norm = norm};
  for (int i = 0; i < 2; ++i) {
    c.blocks.push_back(Scan::Config{{{norm}, ssm}, {{norm}, mlp}});
    c.blocks.push_back(ScanExperts::Config{{{norm}, ssm}, {{norm}, experts}});
    c.blocks.push_back(Window::Config{{{norm}, attention}, {{norm}, mlp}});
  }
  c.heads = {{.name = "logits", .stages = {hw::DenseStage{"", kVocab, false}}}};
  return c;
}

bool same(std::span<const float> a, std::span<const float> b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

int main() {
  const Hybrid model(config(), hw::RandomWeights{.seed = 1});
  std::cout << model.explain() << '\n';

  hw::StateSet state = model.make_state();
  const auto made = hw::generate(model, state, {1, 2, 3}, {.max_new_tokens = 40});

  // All tokens at once, without a state, beside another sequence: the last row has the bits of the steps before.
  const std::vector<std::int32_t> all(state.ids().begin(), state.ids().end()), other = {7, 7, 7, 7, 7}, next = {made.ids.back()};
  std::vector<std::int32_t> whole = all;
  whole.push_back(next[0]);
  hw::Output batch, step;
  const std::vector<hw::Sequence> sequences = {{.ids = other}, {.ids = whole}};
  model.forward(sequences, batch);
  hw::StateSet fork = state.fork();
  model.forward(hw::Sequence{.ids = next, .state = &fork}, step);
  const bool prefill = same(batch.logits_row(1, 0), step.logits_row(0, 0));

  // Back to the third token: recurrences replay what their snapshots do not reach.
  const hw::index_t replayed = model.rewind(state, 2);
  const bool again = hw::generate(model, state, {3}, {.max_new_tokens = 40}).ids == made.ids;
  std::cout << "prefill " << (prefill ? "=" : "is NOT") << " steps; after " << replayed << " replayed tokens "
            << (again ? "the same text" : "ANOTHER text") << '\n';
  return prefill && again ? 0 : 1;
}
