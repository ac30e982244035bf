#include "headwise/io/gguf.hpp"

#include <gtest/gtest.h>

#include "headwise/io/gguf_config.hpp"
#include "headwise/io/hf_config.hpp"
#include "headwise/io/open_weights.hpp"
#include "tests/io/files.hpp"

namespace {

using hw::DType;
using hw::Gguf;
using hw_test::bytes_of;
using hw_test::error_of;
using hw_test::GgufBytes;
using hw_test::mentions;

struct GgufFile {
  explicit GgufFile(const GgufBytes& content) : path(folder.file("model.gguf", content.bytes())) {}
  Gguf open() const { return Gguf::open(path); }
  hw_test::TempFolder folder;
  std::string path;
};

TEST(Gguf, ReadsMetadataOfEveryType) {
  GgufBytes content;
  content.raw("u8", 0, "\xFF").raw("i8", 1, "\xFF").raw("u16", 2, "\xFF\xFF").raw("i16", 3, "\xFF\xFF").u32("u32", 7);
  content.raw("i32", 5, bytes_of(std::int32_t{-7})).f32("f32", 0.5f).raw("bool", 7, "\x01").string("s", "caf\xC3\xA9");
  content.raw("u64", 10, bytes_of(~std::uint64_t{0})).raw("i64", 11, bytes_of(std::int64_t{-1} << 40)).raw("f64", 12, bytes_of(0.25));
  content.strings("tokens", {"a", "", "ccc"});
  content.raw("scores", 9, bytes_of(std::uint32_t{6}) + bytes_of(std::uint64_t{2}) + bytes_of(std::vector<float>{1.5f, -2.0f}));
  const GgufFile file(content);
  const Gguf g = file.open();
  EXPECT_EQ(g.version(), 3);
  EXPECT_EQ(g.get<int>("u8"), 255);
  EXPECT_EQ(g.get<int>("i8"), -1);
  EXPECT_EQ(g.get<int>("u16"), 65535);
  EXPECT_EQ(g.get<int>("i16"), -1);
  EXPECT_EQ(g.get<std::size_t>("u32"), 7u);
  EXPECT_EQ(g.get<int>("i32"), -7);
  EXPECT_EQ(g.get<float>("f32"), 0.5f);
  EXPECT_EQ(g.get<double>("i32"), -7.0);
  EXPECT_TRUE(g.get<bool>("bool"));
  EXPECT_EQ(g.get<std::string>("s"), "caf\xC3\xA9");
  EXPECT_EQ(g.get<std::uint64_t>("u64"), ~std::uint64_t{0});
  EXPECT_EQ(g.get<std::int64_t>("i64"), std::int64_t{-1} << 40);
  EXPECT_EQ(g.get<double>("f64"), 0.25);
  EXPECT_EQ(g.get<std::vector<std::string>>("tokens"), (std::vector<std::string>{"a", "", "ccc"}));
  EXPECT_EQ(g.get<std::vector<std::string_view>>("tokens")[2], "ccc");
  EXPECT_EQ(g.get<std::vector<float>>("scores"), (std::vector<float>{1.5f, -2.0f}));
  EXPECT_EQ(g.get_or<int>("none", 3), 3);
  EXPECT_EQ(g.metadata().front().key, "u8");
  std::string joined;
  for (const std::string_view token : g.at("tokens").strings()) joined += std::string(token) + "|";
  EXPECT_EQ(joined, "a||ccc|");
}

TEST(Gguf, ChecksTypesAndRanges) {
  GgufBytes content;
  content.raw("u64", 10, bytes_of(~std::uint64_t{0})).raw("i32", 5, bytes_of(std::int32_t{-7})).f32("f", 2.0f).string("s", "2").raw("b", 7, "\x07");
  const GgufFile file(content.strings("l", {}));
  const Gguf g = file.open();
  EXPECT_TRUE(mentions(error_of([&] { g.get<std::int64_t>("u64"); }), "model.gguf: u64: the number 18446744073709551615 is out of range"));
  EXPECT_TRUE(mentions(error_of([&] { g.get<std::uint32_t>("i32"); }), "-7 is out of range"));
  EXPECT_TRUE(mentions(error_of([&] { g.get<int>("f"); }), "model.gguf: f: expected an integer, found the number 2"));
  EXPECT_TRUE(mentions(error_of([&] { g.get<int>("s"); }), "found the string '2'"));
  EXPECT_TRUE(mentions(error_of([&] { g.get<double>("s"); }), "expected a number"));
  EXPECT_TRUE(mentions(error_of([&] { g.get<bool>("b"); }), "expected true or false, found the boolean 7"));
  EXPECT_TRUE(mentions(error_of([&] { g.get<std::string>("f"); }), "expected a string"));
  EXPECT_TRUE(mentions(error_of([&] { g.get<int>("l"); }), "expected one value, found an array of 0 string"));
  EXPECT_TRUE(mentions(error_of([&] { g.get<std::vector<int>>("f"); }), "expected an array"));
  EXPECT_TRUE(mentions(error_of([&] { g.at("f").strings(); }), "expected an array of strings"));
  EXPECT_TRUE(mentions(error_of([&] { g.at("none"); }), "the key 'none' is missing"));
}

TEST(Gguf, ReportsShapesRowMajor) {
  const GgufFile file(GgufBytes()
                          .string("general.architecture", "x")
                          .tensor("w", {32, 3, 2}, 8, std::string(6 * 34, 'q'))
                          .tensor("v", {5}, 0, std::string(20, 'v')));
  const Gguf g = file.open();
  const hw::WeightSource source = g.weights();
  EXPECT_EQ(source.find("w")->shape, (std::vector<hw::index_t>{2, 3, 32}));
  EXPECT_EQ(source.find("w")->type, DType::q8_0);
  EXPECT_EQ(source.find("w")->bytes.size(), 6u * 34);
  EXPECT_EQ(source.find("v")->bytes[0], std::byte{'v'});
  EXPECT_EQ(source.find("v")->bytes.size(), 20u);
}

TEST(Gguf, WeightsKeepTheFileAlive) {
  const GgufFile file(GgufBytes().tensor("v", {5}, 0, std::string(20, 'v')));
  const auto source = hw::open_weights(file.path);
  EXPECT_EQ(source->tensors()[0].file, "model.gguf");
  EXPECT_EQ(source->tensors()[0].bytes[19], std::byte{'v'});
}

TEST(Gguf, NamesTheTypesThatItDoesNotRead) {
  const GgufFile file(GgufBytes().tensor("blk.0.w", {256}, 23, std::string(136, 0)));
  EXPECT_EQ(error_of([&] { file.open(); }), "model.gguf: blk.0.w: tensor type 23 (iq4_xs) is not supported");
}

TEST(Gguf, RefusesRepeatsAndPartsAndNothing) {
  EXPECT_TRUE(mentions(error_of([] { GgufFile(GgufBytes().u32("a", 1).u32("a", 1)).open(); }), "the key 'a' appears twice"));
  EXPECT_TRUE(mentions(error_of([] { GgufFile(GgufBytes().u32("split.count", 2)).open(); }), "split model"));
  const GgufFile empty(GgufBytes().u32("a", 1));
  EXPECT_TRUE(mentions(error_of([&] { hw::open_weights(empty.path); }), "expected tensors, found none"));
}

GgufBytes tiny(const std::string& prefix = "llama.") {
  GgufBytes out;
  out.string("general.architecture", prefix.substr(0, prefix.size() - 1));
  out.u32(prefix + "block_count", 2).u32(prefix + "embedding_length", 16).u32(prefix + "attention.head_count", 4);
  out.f32(prefix + "attention.layer_norm_rms_epsilon", 0.5f).strings("tokenizer.ggml.tokens", {"a", "b"});
  return out;
}

TEST(GgufConfig, SpeaksAsHuggingFaceDoes) {
  const GgufFile file(tiny()
                          .string("llama.rope.scaling.type", "linear")
                          .f32("llama.rope.scaling.factor", 4)
                          .u32("llama.rope.dimension_count", 2)
                          .u32("tokenizer.ggml.eos_token_id", 1));
  const hw::Json j = hw::gguf_config(file.open());
  EXPECT_EQ(j.dump(), R"({"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 4, "rms_norm_eps": 0.5, )"
                      R"("partial_rotary_factor": 0.5, "rope_scaling": {"rope_type": "linear", "factor": 4.0}, "vocab_size": 2, )"
                      R"("tie_word_embeddings": true, "eos_token_id": 1})");
  EXPECT_FALSE(hw::gguf_config(GgufFile(tiny().tensor("output.weight", {1}, 0, "abcd")).open()).get<bool>("tie_word_embeddings"));
}

TEST(GgufConfig, MessagesNameTheKeyOfTheFile) {
  const GgufFile file(tiny().f32("llama.rope.freq_base", -1));
  const hw::HfConfig c(hw::gguf_config(file.open()));
  EXPECT_TRUE(mentions(error_of([&] { c.positive("rope_theta"); }), "model.gguf: llama.rope.freq_base (rope_theta): expected a number above 0"));
  EXPECT_TRUE(mentions(error_of([&] { c.size("intermediate_size"); }), "'intermediate_size' (llama.feed_forward_length) is missing"));
  EXPECT_TRUE(mentions(error_of([] { hw::gguf_config(GgufFile(GgufBytes().u32("general.architecture", 7)).open()); }), "general.architecture"));
}

TEST(GgufConfig, SpecialTokensAreTokens) {
  const auto config = [](std::uint32_t id) { return hw::gguf_config(GgufFile(tiny().u32("tokenizer.ggml.eot_token_id", id)).open()); };
  EXPECT_NO_THROW(config(1));
  EXPECT_TRUE(mentions(error_of([&] { config(2); }), "tokenizer.ggml.eot_token_id: expected the number of one of 2 tokens, found the number 2"));
  EXPECT_THROW(config(~0u), hw::Error);
}

TEST(GgufConfig, RefusesSizesThatCannotBe) {
  const auto config = [](const char* key, std::uint32_t value) {
    return error_of([&] { hw::gguf_config(GgufFile(tiny().u32(key, value)).open()); });
  };
  EXPECT_TRUE(mentions(config("llama.context_length", 0), "llama.context_length: expected a whole number above 0, found the number 0"));
  EXPECT_TRUE(mentions(config("llama.rope.dimension_count", 3), "llama.rope.dimension_count: expected an even number up to the width of a head, 4"));
  EXPECT_TRUE(mentions(config("llama.rope.dimension_count", 64), "found the number 64"));
  EXPECT_TRUE(mentions(error_of([] { hw::gguf_config(GgufFile(GgufBytes().string("general.architecture", "x").u32("x.embedding_length", 8)).open()); }),
                       "x.attention.layer_norm_rms_epsilon"));
  EXPECT_NO_THROW(hw::gguf_config(GgufFile(tiny().u32("llama.expert_count", 0)).open()));
}

TEST(GgufConfig, PassesOnWhatItDoesNotKnow) {
  const GgufFile file(tiny("x.").f32("x.attention.surprise", 2).u32("other.key", 1));
  const hw::HfConfig c(hw::gguf_config(file.open()));
  c.ignore({"num_hidden_layers", "hidden_size", "num_attention_heads", "rms_norm_eps", "vocab_size", "tie_word_embeddings"});
  EXPECT_TRUE(mentions(error_of([&] { c.account(); }), "x.attention.surprise"));
}

TEST(GgufConfig, TakesOneNumberForAllLayers) {
  const auto array = [](std::vector<std::uint32_t> v) {
    return bytes_of(std::uint32_t{4}) + bytes_of(static_cast<std::uint64_t>(v.size())) + bytes_of(v);
  };
  const auto config = [&](std::vector<std::uint32_t> v) { return hw::gguf_config(GgufFile(tiny().raw("llama.attention.head_count_kv", 9, array(v))).open()); };
  EXPECT_EQ(config({2, 2}).get<int>("num_key_value_heads"), 2);
  EXPECT_TRUE(mentions(error_of([&] { config({2}); }), "llama.attention.head_count_kv: expected one number, or one for each of 2 layers"));
  EXPECT_TRUE(mentions(error_of([&] { config({2, 4}); }), "layers that differ"));
  const auto width = [&](std::vector<std::uint32_t> v) { return hw::gguf_config(GgufFile(tiny().raw("llama.feed_forward_length", 9, array(v))).open()); };
  EXPECT_EQ(width({0, 5}).get<int>("intermediate_size"), 5);  // some layers have none
  EXPECT_FALSE(width({0, 0}).contains("intermediate_size"));
  EXPECT_TRUE(mentions(error_of([&] { width({4, 5}); }), "layers that differ"));
}

TEST(GgufConfig, WidthsOfLatentAttention) {
  const auto file = [](std::uint32_t rotated) {
    return tiny("x.").u32("x.attention.kv_lora_rank", 16).u32("x.attention.key_length", 20).u32("x.attention.value_length", 16).u32("x.rope.dimension_count", rotated);
  };
  const auto sizes = [](const GgufBytes& bytes) {
    const hw::Json j = hw::gguf_config(GgufFile(bytes).open());
    EXPECT_FALSE(j.contains("head_dim"));
    return std::vector{j.get<int>("kv_lora_rank"), j.get<int>("qk_rope_head_dim"), j.get<int>("qk_nope_head_dim"), j.get<int>("v_head_dim")};
  };
  EXPECT_EQ(sizes(file(4)), (std::vector{16, 4, 16, 16}));  // of early files: the widths of heads
  EXPECT_EQ(sizes(file(4).u32("x.attention.key_length_mla", 12).u32("x.attention.value_length_mla", 10)), (std::vector{16, 4, 8, 10}));
  for (const std::uint32_t rotated : {0u, 20u, 21u})
    EXPECT_TRUE(mentions(error_of([&] { sizes(file(rotated)); }), "x.rope.dimension_count: expected a rotated part of a head's 20"));
}

}  // namespace
