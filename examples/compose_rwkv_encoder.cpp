// An encoder-decoder that nobody ships: the source is read by RWKV-4, which costs the same for every token however long the text is;
// the target is written by attention, which looks at all of what was read. Weights are random.

#include <headwise/headwise.hpp>
#include <headwise/mixers/rwkv/rwkv4.hpp>
#include <iostream>

using Read = hw::Block<hw::PreNorm<hw::LayerNorm, hw::RwkvTimeMix>, hw::PreNorm<hw::LayerNorm, hw::RwkvChannelMix>>;
using Write = hw::Block<hw::PreNorm<hw::RmsNorm, hw::Attention<>>, hw::PreNorm<hw::RmsNorm, hw::CrossAttention>,
                        hw::PreNorm<hw::RmsNorm, hw::GatedMlp>>;
using Translator = hw::EncoderDecoder<Read, Write>;

constexpr hw::index_t kWidth = 48, kVocab = 80;

Translator::Config config() {
  Translator::Config c;
  const hw::LayerNorm::Config read_norm{.size = kWidth};
  const Read::Config read{{{read_norm}, {.hidden_size = kWidth, .attention_hidden_size = kWidth}},
                          {{read_norm}, {.hidden_size = kWidth, .intermediate_size = 4 * kWidth}}};
  c.encoder = {.embedding = {.vocab_size = kVocab, .hidden_size = kWidth}, .blocks = {read, read, read}, .norm = read_norm};

  const hw::RmsNorm::Config norm{.size = kWidth};
  hw::Attention<>::Config attention;
  attention.project = {
      .hidden_size = kWidth, .num_attention_heads = 3, .num_key_value_heads = 1, .head_dim = 16, .rotary = hw::RotaryConfig{.dims = 16}};
  const hw::CrossAttention::Config cross{.hidden_size = kWidth, .num_attention_heads = 3, .num_key_value_heads = 3, .head_dim = 16};
  const Write::Config write{{{norm}, attention}, {{norm}, cross}, {{norm}, {.hidden_size = kWidth, .intermediate_size = 2 * kWidth}}};
  c.decoder = {.embedding = {.vocab_size = kVocab, .hidden_size = kWidth},
               .blocks = {write, write},
               .norm = norm,
               .heads = {{.name = "logits", .stages = {hw::DenseStage{"", kVocab, false}}}}};
  return c;
}

int main() {
  const Translator model(config(), hw::RandomWeights{.seed = 3});
  const std::vector<std::int32_t> brief = {5, 6, 7}, text = {9, 8, 7, 6, 5, 4, 3, 2, 1, 10, 11, 12, 13};
  const hw::GenerateOptions options{.max_new_tokens = 20};

  // Sources of unequal length are read in one batch; each target has the bits it has when its source was read alone.
  const std::vector<hw::Sequence> sources = {{.ids = brief}, {.ids = text}};
  hw::Output memory;
  std::vector<hw::StateSet> states = model.encode(sources, memory);
  bool alone = true;
  for (std::size_t i = 0; i < states.size(); ++i) {
    hw::StateSet state = model.encode(sources[i]);
    alone = alone && hw::generate(model, state, {0}, options).ids == hw::generate(model, states[i], {0}, options).ids;
  }

  // One source, read once, for several targets: a fork shares what was read.
  const hw::StateSet read = model.encode({.ids = text});
  hw::StateSet one = read.fork(), two = read.fork();
  const auto greedy = hw::generate(model, one, {0}, options);
  hw::GenerateOptions sampled = options;
  sampled.sampling.temperature = 1.5f;
  const auto other = hw::generate(model, two, {0}, sampled);
  std::cout << (alone ? "batched sources are those alone" : "batched sources DIFFER") << "; one source gave "
            << (greedy.ids != other.ids ? "two texts\n" : "ONE text\n");
  return alone && greedy.ids != other.ids ? 0 : 1;
}
