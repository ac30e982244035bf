#include "headwise/io/weight_map.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>
#include <thread>

#include "headwise/core/half.hpp"
#include "headwise/core/view.hpp"
#include "headwise/io/open_weights.hpp"
#include "headwise/io/weight_buffer.hpp"
#include "headwise/kernels/packing.hpp"
#include "tests/io/files.hpp"

namespace {

using hw::DType;
using hw::index_t;
using hw::WeightBuffer;
using hw::WeightMap;
using hw::Weights;
using hw_test::error_of;
using hw_test::mentions;
using Floats = std::vector<float>;

// first, first + 1, ...
Floats count_up(index_t n, float first = 0) {
  Floats out(static_cast<std::size_t>(n));
  std::iota(out.begin(), out.end(), first);
  return out;
}

Floats all_rows(const hw::MatrixSource& m) {
  Floats out(static_cast<std::size_t>(m.rows * m.cols));
  for (index_t i = 0; i < m.rows; ++i) m.read_row(i, out.data() + i * m.cols);
  return out;
}

TEST(WeightMap, RenamesScopesWithNumbers) {
  WeightMap map;
  map.rename("embedding", "model.embed");
  map.rename("layers.*.attention", "model.layers.*.attn");
  map.rename("layers.*.attention.q", "model.layers.*.attn.query_proj");  // the longer pattern wins
  WeightBuffer buffer;
  buffer.add("model.embed.weight", {2}, {1, 2}).add("model.layers.12.attn.norm.weight", {1}, {3});
  buffer.add("model.layers.12.attn.query_proj.weight", {1, 2}, {4, 5}).add("own.name", {1}, {6}).add("model.layers.03.attn.norm.weight", {1}, {0});
  const Weights w(buffer.finish(), map);
  const Weights layer = w.scope("layers.12").scope("attention");
  EXPECT_EQ(w.vector("embedding.weight", 2), (Floats{1, 2}));
  EXPECT_EQ(layer.vector("norm.weight", 1), (Floats{3}));
  EXPECT_EQ(all_rows(layer.matrix("q.weight", 1, 2)), (Floats{4, 5}));
  EXPECT_EQ(w.vector("own.name", 1), (Floats{6}));
  EXPECT_EQ(layer.path("q.weight"), "layers.12.attention.q.weight");
  EXPECT_TRUE(layer.has("norm.weight"));
  EXPECT_FALSE(layer.has("norm.bias"));
  EXPECT_FALSE(w.has("layers.3.attention.norm.weight"));  // 03 is not 3
  EXPECT_EQ(layer.shape("q.weight"), (std::vector<index_t>{1, 2}));
}

TEST(WeightMap, TriesPrefixesSuffixesAndAlternatives) {
  WeightMap map;
  map.optional_prefix("bert");
  map.suffix("weight", "gamma");
  map.rename("norm", "LayerNorm");
  map.rename("head", "lm_head");
  map.rename("head", "embed");
  map.rename("other", "a");
  map.replace("other", "b");
  WeightBuffer buffer;
  buffer.add("bert.LayerNorm.gamma", {1}, {1}).add("LayerNorm.bias", {1}, {2}).add("embed.weight", {1}, {3}).add("a", {1}, {4}).add("b", {1}, {5});
  const Weights w(buffer.finish(), map);
  EXPECT_EQ(w.vector("norm.weight", 1), (Floats{1}));
  EXPECT_EQ(w.vector("norm.bias", 1), (Floats{2}));
  EXPECT_EQ(w.vector("head.weight", 1), (Floats{3}));
  EXPECT_EQ(w.vector("other", 1), (Floats{5}));
}

TEST(WeightMap, ALaterRuleForTheSameTensorReplacesTheEarlier) {
  WeightMap map;
  map.rename("norm", "n");
  map.rename("norm", "n").plus(1);
  EXPECT_EQ(Weights(WeightBuffer().add("n.weight", {2}, {0, 1}).finish(), map).vector("norm.weight", 2), (Floats{1, 2}));
}

// GPT-2: (in, 3 out), split after the transpose.
TEST(WeightMap, SplitsFusedTransposedTensors) {
  WeightMap map;
  for (int i = 0; i < 3; ++i) map.rename(std::string(1, "qkv"[i]), "c_attn").transpose().part(i, 3);
  const Weights w(WeightBuffer().add("c_attn.weight", {2, 6}, count_up(12)).add("c_attn.bias", {6}, count_up(6)).finish(), map);
  EXPECT_EQ(all_rows(w.matrix("q.weight", 2, 2)), (Floats{0, 6, 1, 7}));
  EXPECT_EQ(all_rows(w.matrix("v.weight", 2, 2)), (Floats{4, 10, 5, 11}));
  EXPECT_EQ(w.vector("k.bias", 2), (Floats{2, 3}));
  EXPECT_NO_THROW(w.account());
  EXPECT_NE(w.matrix("q.weight", 2, 2).key, w.matrix("k.weight", 2, 2).key);
  EXPECT_EQ(w.matrix("q.weight", 2, 2).key, w.matrix("q.weight", 2, 2).key);
}

TEST(WeightMap, FlattensTensors) {
  WeightMap map;
  map.rename("rows", "w").flatten(2);
  map.rename("turned", "w").flatten(2).transpose();
  map.rename("vector", "w").flatten(1);
  map.rename("late", "w").flatten(2).rows(1, 1);
  map.rename("thin", "v").flatten(2);
  WeightBuffer buffer;
  buffer.add("w", {2, 3, 2}, count_up(12)).add("v", {4}, count_up(4));
  const Weights w(buffer.finish(), map);
  EXPECT_EQ(all_rows(w.matrix("rows", 2, 6)), count_up(12));
  EXPECT_EQ(all_rows(w.matrix("turned", 6, 2)), (Floats{0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11}));
  EXPECT_EQ(w.vector("vector", 12), count_up(12));
  EXPECT_EQ(all_rows(w.matrix("late", 1, 6)), count_up(6, 6));
  EXPECT_TRUE(mentions(error_of([&] { w.matrix("thin", 4, 1); }), "at least 2 dimensions, found (4)"));
}

TEST(WeightMap, SlicesAreViewsOfTheFile) {
  WeightMap map;
  map.rename("a", "fused").rows(1, 2);
  map.rename("b", "fused").part(1, 2);
  map.rename("c", "fused").rows(1, 3).rows(1, 1);
  const auto source = WeightBuffer().add("fused.weight", {4, 3}, count_up(12)).finish();
  const Weights w(source, map);
  const hw::MatrixSource a = w.matrix("a.weight", 2, 3);
  EXPECT_EQ(a.row(0), source->tensors()[0].bytes.data() + 12);
  EXPECT_EQ(all_rows(a), count_up(6, 3));
  EXPECT_EQ(all_rows(w.matrix("b.weight", 2, 3)), count_up(6, 6));
  EXPECT_EQ(all_rows(w.matrix("c.weight", 1, 3)), count_up(3, 6));
}

// GPT-NeoX: for each of 2 heads of width 2: q rows, k rows, v rows.
TEST(WeightMap, TakesInterleavedHeadsApart) {
  WeightMap map;
  for (int i = 0; i < 3; ++i) map.rename(std::string(1, "qkv"[i]), "qkv").interleaved(i, 3, 2);
  const Weights w(WeightBuffer().add("qkv.weight", {12, 1}, count_up(12)).add("qkv.bias", {12}, count_up(12)).finish(), map);
  EXPECT_EQ(all_rows(w.matrix("q.weight", 4, 1)), (Floats{0, 1, 6, 7}));
  EXPECT_EQ(all_rows(w.matrix("k.weight", 4, 1)), (Floats{2, 3, 8, 9}));
  EXPECT_EQ(w.vector("v.bias", 4), (Floats{4, 5, 10, 11}));
}

// Falcon: for each of 2 groups: the rows of its 3 queries of width 1, its k, its v.
TEST(WeightMap, TakesSeveralBlocksOfACycle) {
  WeightMap map;
  map.rename("q", "qkv").interleaved(0, 5, 1, 3);
  map.rename("k", "qkv").interleaved(3, 5, 1);
  map.rename("bad", "qkv").interleaved(3, 5, 1, 3);
  const Weights w(WeightBuffer().add("qkv.weight", {10, 1}, count_up(10)).finish(), map);
  EXPECT_EQ(all_rows(w.matrix("q.weight", 6, 1)), (Floats{0, 1, 2, 5, 6, 7}));
  EXPECT_EQ(all_rows(w.matrix("k.weight", 2, 1)), (Floats{3, 8}));
  EXPECT_THROW(w.matrix("bad.weight", 6, 1), hw::Error);
}

// What llama.cpp's converter does to q and k: reshape (heads, 2, half, in), swap the middle axes.
TEST(WeightMap, UndoesTheRotaryPermutationOfGguf) {
  const index_t heads = 2, half = 3;
  Floats file;
  for (index_t h = 0; h < heads; ++h)
    for (index_t j = 0; j < half; ++j)
      for (index_t p = 0; p < 2; ++p) file.push_back(static_cast<float>(h * 2 * half + p * half + j));
  WeightMap map;
  map.rename("q", "attn_q").unpermute_rotary(heads);
  const Weights w(WeightBuffer().add("attn_q.weight", {12, 1}, file).finish(), map);
  EXPECT_EQ(all_rows(w.matrix("q.weight", 12, 1)), count_up(12));
}

TEST(WeightMap, StacksAndSlicesExperts) {
  WeightMap map;
  map.rename("gate_up", std::vector<std::string>{"gate", "up"});
  map.rename("experts.*", "experts").slice(0);
  map.rename("second_rows", std::vector<std::string>{"gate", "up"}).rows(1, 2);
  const Weights w(WeightBuffer().add("gate.weight", {2, 2}, count_up(4)).add("up.weight", {1, 2}, count_up(2, 4)).add("experts.weight", {3, 2, 2}, count_up(12)).finish(), map);
  EXPECT_EQ(all_rows(w.matrix("gate_up.weight", 3, 2)), count_up(6));
  EXPECT_EQ(all_rows(w.matrix("second_rows.weight", 2, 2)), count_up(4, 2));
  EXPECT_EQ(all_rows(w.matrix("experts.2.weight", 2, 2)), count_up(4, 8));
  EXPECT_TRUE(mentions(error_of([&] { w.matrix("experts.3.weight", 2, 2); }), "entry number 3"));
  EXPECT_NO_THROW(w.account());
}

// Two rows of a block each: scales 2^0 and 2^1, values that count the codes up and down.
TEST(WeightMap, JoinsBlocksAndScalesOfMxfp4) {
  std::vector<std::byte> blocks, scales{std::byte{127}, std::byte{128}};
  for (int i = 0; i < 32; ++i) {  // values 2 j and 2 j + 1 in a byte
    const int row = i / 16, first = 2 * i % 16;
    blocks.push_back(static_cast<std::byte>(row == 0 ? first | (first + 1) << 4 : (15 - first) | (14 - first) << 4));
  }
  const auto source = [&](std::vector<index_t> block_shape, std::vector<index_t> scale_shape) {
    return std::make_shared<const hw::WeightSource>(
        "memory", std::vector<hw::RawTensor>{{"w_blocks", DType::u8, std::move(block_shape), blocks, {}}, {"w_scales", DType::u8, std::move(scale_shape), scales, {}}},
        std::vector<std::shared_ptr<const hw::MappedFile>>{});
  };
  const std::vector<std::string> both{"w_blocks", "w_scales"};
  WeightMap map;
  map.rename("w.*", both).slice(0).mxfp4();
  map.rename("second.*", both).slice(0).mxfp4().rows(1, 1);
  const Weights w(source({1, 2, 1, 16}, {1, 2, 1}), map);
  const hw::MatrixSource m = w.matrix("w.0", 2, 32);
  EXPECT_EQ(m.type, DType::mxfp4);
  const Floats values{0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6};
  const Floats rows = all_rows(m);
  for (std::size_t i = 0; i < 32; ++i) {
    EXPECT_EQ(rows[i], values[i % 16]) << i;
    EXPECT_EQ(rows[32 + i], 2 * values[15 - i % 16]) << i;
  }
  EXPECT_EQ(all_rows(w.matrix("second.0", 1, 32)), Floats(rows.begin() + 32, rows.end()));
  for (const auto& [a, b] : {std::pair<std::vector<index_t>, std::vector<index_t>>{{1, 2, 2, 8}, {1, 2, 1}}, {{1, 2, 1, 16}, {1, 1, 2}}, {{1, 32}, {1, 2}}})
    EXPECT_TRUE(mentions(error_of([&, &x = a, &y = b] { Weights(source(x, y), map).matrix("w.0", 2, 32); }), "(rows, n, 16) and (rows, n)"));
}

TEST(WeightMap, AppliesFunctions) {
  WeightMap map;
  map.rename("a", "a").apply("-exp", [](float x) { return -std::exp(x); }).plus(0.5f);
  const Weights w(WeightBuffer().add("a", {1, 2}, {0, 1}).finish(), map);
  EXPECT_EQ(all_rows(w.matrix("a", 1, 2)), (Floats{-0.5f, -std::exp(1.0f) + 0.5f}));
  EXPECT_EQ(w.values("a", {1, 2}), (Floats{-0.5f, -std::exp(1.0f) + 0.5f}));
}

TEST(WeightMap, AccountsForEveryTensor) {
  WeightMap map;
  map.optional_prefix("model");
  map.ignore("**.inv_freq");
  map.ignore("h.*.bias");
  WeightBuffer buffer;
  buffer.add("model.layers.0.rotary.inv_freq", {1}, {0}).add("model.h.3.bias", {1}, {0}).add("empty", {0}, {}).add("h.bias", {1}, {0});
  for (int i = 0; i < 7; ++i) buffer.add("left." + std::to_string(i), {1}, {0});
  const Weights w(buffer.finish(), map);
  EXPECT_EQ(error_of([&] { w.account(); }),
            "'weights in memory': 8 tensors are in the file but not in the model: h.bias, left.0, left.1, left.2, left.3, ...");
  for (int i = 0; i < 7; ++i) w.scope("left").vector(std::to_string(i), 1);
  EXPECT_EQ(error_of([&] { w.account(); }), "'weights in memory': 1 tensor is in the file but not in the model: h.bias");
  w.vector("h.bias", 1);
  EXPECT_NO_THROW(w.account());
}

TEST(WeightMap, SaysWhatWasExpected) {
  WeightMap map;
  map.rename("layers.*.k", "model.layers.*.k_proj");
  map.rename("odd", "model.layers.0.k_proj").part(0, 3);
  const Weights w(WeightBuffer().add("model.layers.0.k_proj.weight", {2, 4}, count_up(8)).finish(), map);
  EXPECT_EQ(error_of([&] { w.matrix("layers.0.k.weight", 4, 2); }),
            "layers.0.k.weight (model.layers.0.k_proj.weight): expected (4, 2), found (2, 4)");
  EXPECT_EQ(error_of([&] { w.vector("layers.0.k.weight", 8); }), "layers.0.k.weight (model.layers.0.k_proj.weight): expected (8), found (2, 4)");
  EXPECT_EQ(error_of([&] { w.vector("layers.1.k.bias", 8); }),
            "layers.1.k.bias (model.layers.1.k_proj.bias): the tensor is missing from 'weights in memory'");
  EXPECT_TRUE(mentions(error_of([&] { w.matrix("odd.weight", 1, 4); }), "multiple of 3, found (2, 4)"));
}

TEST(WeightMap, IntegersAreNoWeights) {
  const std::byte bytes[4] = {};
  const Weights w(std::make_shared<const hw::WeightSource>("test", std::vector<hw::RawTensor>{{"w", DType::i16, {1, 2}, bytes, "f"}},
                                                           std::vector<std::shared_ptr<const hw::MappedFile>>{}));
  EXPECT_EQ(error_of([&] { w.matrix("w", 1, 2); }), "w: expected a type of weights, found i16");
}

// The same matrix in each type: transposed, widened, converted.
TEST(WeightMap, KeepsTheTypeOfTheFileWhereItCan) {
  const std::vector<double> doubles{0, 1, 2, 3, 4, 5};
  std::vector<hw::bf16> halves;
  for (const double d : doubles) halves.push_back(hw::to_bf16(static_cast<float>(d)));
  const auto make = [&](DType type, std::span<const std::byte> bytes) {
    WeightMap map;
    map.rename("t", "w").transpose();
    return Weights(std::make_shared<const hw::WeightSource>("test", std::vector<hw::RawTensor>{{"w", type, {2, 3}, bytes, "f"}},
                                                            std::vector<std::shared_ptr<const hw::MappedFile>>{}),
                   map);
  };
  const Weights from_doubles = make(DType::f64, std::as_bytes(std::span(doubles)));
  EXPECT_EQ(from_doubles.matrix("w", 2, 3).type, DType::f32);
  EXPECT_EQ(all_rows(from_doubles.matrix("w", 2, 3)), count_up(6));
  EXPECT_EQ(all_rows(from_doubles.matrix("t", 3, 2)), (Floats{0, 3, 1, 4, 2, 5}));
  const Weights from_halves = make(DType::bf16, std::as_bytes(std::span(halves)));
  EXPECT_EQ(from_halves.matrix("t", 3, 2).type, DType::bf16);
  EXPECT_EQ(all_rows(from_halves.matrix("t", 3, 2)), (Floats{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(from_halves.values("t", {3, 2}), (Floats{0, 3, 1, 4, 2, 5}));
}

// What a matrix holds after packing as `as`, in ranges of panels.
Floats packed_rows(const hw::MatrixSource& m, DType as) {
  hw::AlignedBuffer<std::byte> memory(hw::kernels::packed_bytes(as, m.rows, m.cols));
  const hw::kernels::PackedMatrix packed{as, m.rows, m.cols, memory.data()};
  for (index_t panel = packed.panels() - 1; panel >= 0; --panel) m.pack(as, panel, panel + 1, memory.data());
  Floats out(static_cast<std::size_t>(m.rows * m.cols));
  for (index_t i = 0; i < m.rows; ++i) hw::kernels::unpack_row(packed, i, out.data() + i * m.cols);
  return out;
}

TEST(PackMatrix, ConvertsRowByRow) {
  WeightMap map;
  map.rename("reversed", "w").rows(35, 1);
  const Weights w(WeightBuffer().add("w.weight", {70, 256}, count_up(70 * 256, -9000)).finish(), map);
  const hw::MatrixSource m = w.matrix("w.weight", 70, 256);
  const Floats exact = all_rows(m);
  EXPECT_EQ(packed_rows(m, m.type), exact);
  EXPECT_EQ(packed_rows(m, m.stored_as(DType::f32)), exact);
  for (const auto& [type, share] : std::map<DType, float>{{DType::f16, 0.001f}, {DType::bf16, 0.01f}, {DType::q8_0, 0.01f},
                                                          {DType::q4_0, 0.14f}, {DType::q4_k, 0.02f}}) {
    EXPECT_EQ(m.stored_as(type), type);
    const Floats close = packed_rows(m, type);
    for (std::size_t i = 0; i < exact.size(); ++i) ASSERT_NEAR(close[i], exact[i], 9000 * share) << hw::name_of(type);
    EXPECT_NE(close, exact);
  }
}

TEST(PackMatrix, KeepsRowsThatTheBlockDoesNotDivide) {
  const Weights w(WeightBuffer().add("w", {2, 48}, count_up(96)).finish());
  const hw::MatrixSource m = w.matrix("w", 2, 48);
  EXPECT_EQ(m.stored_as(DType::q4_0), DType::f32);
  EXPECT_EQ(packed_rows(m, DType::f32), count_up(96));
  EXPECT_TRUE(mentions(error_of([&] { m.stored_as(DType::q6_k); }), "q6_k"));
}

// The folder and the GGUF file hold the same model.
TEST(Weights, GgufAndSafetensorsGiveTheSameRows) {
  const std::string base = std::string(HEADWISE_TEST_DATA) + "/../hostile/";
  WeightMap gguf, folder;
  gguf.rename("q", "blk.1.attn_q").unpermute_rotary(4);
  gguf.rename("down", "blk.1.ffn_down");
  folder.rename("q", "model.layers.1.self_attn.q_proj");
  folder.rename("down", "model.layers.1.mlp.down_proj");
  const Weights a(hw::open_weights(base + "gguf/base-f32.gguf"), gguf), b(hw::open_weights(base + "base/hf"), folder);
  EXPECT_EQ(all_rows(a.matrix("q.weight", 16, 16)), all_rows(b.matrix("q.weight", 16, 16)));
  EXPECT_EQ(all_rows(a.matrix("down.weight", 16, 32)), all_rows(b.matrix("down.weight", 16, 32)));
  const hw::MatrixSource m = a.matrix("down.weight", 16, 32);
  const Floats before = all_rows(m);
  m.advise(hw::MappedFile::Advice::not_needed);
  EXPECT_EQ(all_rows(m), before);
}

TEST(Weights, MayBeReadByThreads) {
  WeightBuffer buffer;
  for (int i = 0; i < 64; ++i) buffer.add("w." + std::to_string(i), {1}, {static_cast<float>(i)});
  const Weights w(buffer.finish());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = t; i < 64; i += 4) EXPECT_EQ(w.scope("w").vector(std::to_string(i), 1)[0], static_cast<float>(i));
    });
  for (auto& t : threads) t.join();
  EXPECT_NO_THROW(w.account());
}

}  // namespace
