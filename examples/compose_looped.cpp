// A looped transformer: one block, run four times over, with keys and values of its own in every pass; its weights are given by name.
// Loops, shared layers and cross-layer sharing are rows of a table (Config::schedule).                      Universal: arXiv:1807.03819

#include <headwise/headwise.hpp>
#include <headwise/io/weight_map.hpp>
#include <iostream>

using Block = hw::Block<hw::SandwichNorm<hw::RmsNorm, hw::Attention<>>, hw::SandwichNorm<hw::RmsNorm, hw::GatedMlp>>;
using Looped = hw::Decoder<Block>;

constexpr hw::index_t kWidth = 32, kHidden = 64, kVocab = 50;

// Tensors in memory by the names that the parts ask for: model.explain() and the messages of hw::Weights say which.
struct NamedTensors {
  std::vector<hw::RawTensor> list{};
  std::shared_ptr<std::vector<std::vector<float>>> values = std::make_shared<std::vector<std::vector<float>>>();

  void add(const std::string& name, std::vector<hw::index_t> shape, float from, float to) {
    hw::index_t n = 1;
    for (const hw::index_t size : shape) n *= size;
    std::vector<float>& v = values->emplace_back(static_cast<std::size_t>(n));
    for (float& x : v) x = from + (to - from) * static_cast<float>(random.uniform());
    list.push_back({.name = name, .shape = std::move(shape), .bytes = std::as_bytes(std::span(v)), .file = "memory"});
  }
  hw::Weights weights() {
    return hw::Weights(std::make_shared<hw::WeightSource>("memory", list, std::vector<std::shared_ptr<const hw::MappedFile>>{},
                                                          std::vector<std::shared_ptr<const void>>{values}));
  }
  hw::Rng random{1};
};

int main() {
  NamedTensors tensors;
  tensors.add("embedding.weight", {kVocab, kWidth}, -1, 1);
  for (const char* part : {"attention", "mlp"})
    for (const char* norm : {".norm.weight", ".delta_norm.weight"})
      tensors.add(std::string("layers.0.") + part + norm, {kWidth}, 0.9f, 1.1f);
  for (const char* matrix : {"q", "k", "v", "o"})
    tensors.add(std::string("layers.0.attention.") + matrix + ".weight", {kWidth, kWidth}, -0.3f, 0.3f);
  for (const char* matrix : {"gate", "up"}) tensors.add(std::string("layers.0.mlp.") + matrix + ".weight", {kHidden, kWidth}, -0.3f, 0.3f);
  tensors.add("layers.0.mlp.down.weight", {kWidth, kHidden}, -0.3f, 0.3f);
  tensors.add("norm.weight", {kWidth}, 0.9f, 1.1f);
  tensors.add("head.weight", {kVocab, kWidth}, -0.5f, 0.5f);

  const hw::RmsNorm::Config norm{.size = kWidth};
  hw::Attention<>::Config attention;
  attention.project = {
      .hidden_size = kWidth, .num_attention_heads = 2, .num_key_value_heads = 2, .head_dim = 16, .rotary = hw::RotaryConfig{.dims = 16}};
  Looped::Config c{
      .embedding = {.vocab_size = kVocab, .hidden_size = kWidth},
      .blocks = {Block::Config{{{norm, norm}, attention}, {{norm, norm}, {.hidden_size = kWidth, .intermediate_size = kHidden}}}},
      .norm = norm,
      .heads = {{.name = "logits", .stages = {hw::DenseStage{"", kVocab, false}}}}};
  for (int pass = 0; pass < 4; ++pass) c.schedule.push_back({.block = 0, .state = pass});  // block 0, with a state for each pass
  const Looped model(c, tensors.weights());

  hw::StateSet state = model.make_state();
  const auto made = hw::generate(model, state, {1, 2, 3}, {.max_new_tokens = 30});
  hw::StateSet fork = state.fork();
  fork.truncate(2);  // attention reaches every token: nothing is replayed
  const bool again = hw::generate(model, fork, {3}, {.max_new_tokens = 30}).ids == made.ids;

  // Two passes of the same weights are another model.
  c.schedule.resize(2);
  const Looped shorter(c, tensors.weights());
  const std::vector<std::int32_t> prompt = {1, 2, 3};
  hw::Output four, two;
  model.forward(hw::Sequence{.ids = prompt}, four);
  shorter.forward(hw::Sequence{.ids = prompt}, two);
  const float difference = four.logits_row(0, 0)[0] - two.logits_row(0, 0)[0];
  std::cout << (again ? "the same text again" : "ANOTHER text") << "; two passes fewer change the first logit by " << difference << '\n';
  return again && difference != 0 ? 0 : 1;
}
