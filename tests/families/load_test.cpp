// hw::load on checkpoints that are written here: what the optional keys and files of a checkpoint do.

#include "headwise/families/load.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "headwise/families/llama.hpp"
#include "tests/io/files.hpp"

namespace {

using hw_test::bytes_of;
using hw_test::error_of;
using hw_test::GgufBytes;
using hw_test::mentions;

constexpr std::uint32_t kVocab = 8, kWidth = 32, kInner = 48;
const std::vector<std::string> kTokens{"<unk>", "<s>", "</s>", "<end>", "\xE2\x96\x81", "a", "b", "\xE2\x96\x81" "a"};

std::string floats(std::size_t n, int seed) {
  std::vector<float> out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = 0.2f * std::sin(static_cast<float>(seed) + 1.7f * static_cast<float>(i));
  return bytes_of(out);
}

template <class T>
std::string array(std::uint32_t type, const std::vector<T>& values) {
  return bytes_of(type) + bytes_of(static_cast<std::uint64_t>(values.size())) + bytes_of(values);
}

// A llama of one layer. `optional` adds keys that a file may have or not.
template <class Optional>
std::string write(const hw_test::TempFolder& folder, Optional optional) {
  GgufBytes g;
  g.string("general.architecture", "llama").u32("llama.block_count", 1).u32("llama.embedding_length", kWidth);
  g.u32("llama.feed_forward_length", kInner).u32("llama.attention.head_count", 2).u32("llama.context_length", 64);
  g.f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  g.string("tokenizer.ggml.model", "llama").strings("tokenizer.ggml.tokens", kTokens);
  g.raw("tokenizer.ggml.scores", 9, array<float>(6, {0, 0, 0, 0, -3, -2, -2, -1}));
  g.raw("tokenizer.ggml.token_type", 9, array<std::int32_t>(5, {2, 3, 3, 3, 1, 1, 1, 1}));
  g.u32("tokenizer.ggml.bos_token_id", 1).u32("tokenizer.ggml.eos_token_id", 2);
  optional(g);
  int seed = 0;
  const auto matrix = [&](const std::string& name, std::uint64_t cols, std::uint64_t rows) {
    g.tensor(name, {cols, rows}, 0, floats(cols * rows, ++seed));
  };
  const auto norm = [&](const std::string& name) { g.tensor(name, {kWidth}, 0, bytes_of(std::vector<float>(kWidth, 1.0f))); };
  matrix("token_embd.weight", kWidth, kVocab);
  norm("output_norm.weight");
  for (const char* name : {"q", "k", "v", "output"}) matrix(hw::concat("blk.0.attn_", name, ".weight"), kWidth, kWidth);
  norm("blk.0.attn_norm.weight");
  norm("blk.0.ffn_norm.weight");
  matrix("blk.0.ffn_gate.weight", kWidth, kInner);
  matrix("blk.0.ffn_up.weight", kWidth, kInner);
  matrix("blk.0.ffn_down.weight", kInner, kWidth);
  return folder.file("model.gguf", g.bytes());
}

hw::TextModel load(const std::string& path, hw::LoadOptions options = {}) {
  options.threads = 1;
  return hw::load(path, hw::Zoo{}.add<hw::families::Llama>(), options);
}

std::vector<float> logits(const hw::TextModel& model) {
  hw::Output out;
  const std::vector<std::int32_t> ids{1, 7, 6, 5};
  model.model().forward({.ids = ids, .wanted = hw::Wanted::all}, out);
  const hw::ConstView v = out.logits();
  return {v.data, v.data + v.rows * v.cols};
}

TEST(Load, GgufWithoutOptionalKeys) {
  const hw_test::TempFolder folder;
  const hw::TextModel model = load(write(folder, [](GgufBytes&) {}));
  EXPECT_EQ(model.stop_ids(), std::vector<std::int32_t>{2});
  EXPECT_FALSE(model.has_chat_template());
  EXPECT_TRUE(mentions(error_of([&] { (void)model.chat_template(); }), "no chat template"));
  EXPECT_EQ(model.encode("ab"), (std::vector<std::int32_t>{1, 7, 6}));
  EXPECT_EQ(model.model().info().max_positions, 64);
}

TEST(Load, GgufWithOptionalKeys) {
  const hw_test::TempFolder folder;
  for (const auto access : {hw::MappedFile::Access::map, hw::MappedFile::Access::copy}) {
    const hw::TextModel model = load(write(folder,
                                           [](GgufBytes& g) {
                                             g.u32("tokenizer.ggml.eot_token_id", 3).u32("tokenizer.ggml.unknown_token_id", 0);
                                             g.raw("tokenizer.ggml.add_bos_token", 7, std::string(1, '\0'));
                                             g.string("tokenizer.chat_template",
                                                      "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}");
                                             g.string("general.name", "a llama of one layer");
                                           }),
                                     {.access = access});
    EXPECT_EQ(model.stop_ids(), (std::vector<std::int32_t>{2, 3}));
    EXPECT_EQ(model.encode("ab"), (std::vector<std::int32_t>{7, 6})) << "add_bos_token is false";
    EXPECT_EQ(model.chat_template().render({{"user", "a"}, {"user", "b"}}), "a</s>b</s>");
    EXPECT_EQ(model.encode_chat({{"user", "ab"}}), (std::vector<std::int32_t>{7, 6, 2}));
  }
}

// Keys that change the numbers do, and with the default as their value they do not.
TEST(Load, GgufKeysOfTheModel) {
  const hw_test::TempFolder folder;
  const auto with = [&](auto optional) { return logits(load(write(folder, optional))); };
  const auto plain = with([](GgufBytes&) {});
  EXPECT_EQ(with([](GgufBytes& g) { g.f32("llama.rope.freq_base", 10000).u32("llama.attention.head_count_kv", 2); }), plain);
  EXPECT_EQ(with([](GgufBytes& g) { g.u32("llama.rope.dimension_count", 16).u32("llama.attention.key_length", 16); }), plain);
  EXPECT_NE(with([](GgufBytes& g) { g.f32("llama.rope.freq_base", 100); }), plain);
  EXPECT_NE(with([](GgufBytes& g) { g.string("llama.rope.scaling.type", "linear").f32("llama.rope.scaling.factor", 4); }), plain);
}

TEST(Load, GgufKeysThatLie) {
  const hw_test::TempFolder folder;
  const auto error = [&](auto optional) { return error_of([&] { load(write(folder, optional)); }); };
  EXPECT_TRUE(mentions(error([](GgufBytes& g) { g.u32("tokenizer.ggml.eot_token_id", 8); }), "eot_token_id"));
  EXPECT_TRUE(mentions(error([](GgufBytes& g) { g.string("tokenizer.ggml.eot_token_id", "</s>"); }), "eot_token_id"));
  EXPECT_TRUE(mentions(error([](GgufBytes& g) { g.string("tokenizer.chat_template", "{% for %}"); }), "template"));
  EXPECT_TRUE(mentions(error([](GgufBytes& g) { g.u32("llama.vocab_size", 7); }), "vocab_size"));
  EXPECT_TRUE(mentions(error([](GgufBytes& g) { g.u32("llama.expert_count", 4); }), "expert_count"));
}

}  // namespace
