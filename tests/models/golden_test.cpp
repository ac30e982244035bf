// Every golden checkpoint through the first door (a zoo that loads a folder), and one of each kind through the second (user code that
// composes the same architecture from parts). Both are held to the same outputs and laws.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "examples/support/golden_case.hpp"
#include "headwise/families/stock.hpp"
#include "headwise/headwise.hpp"
#include "headwise/io/open_weights.hpp"
#include "tests/io/files.hpp"

namespace {

using hw::index_t;
const std::string kCases = std::string(HEADWISE_TEST_DATA) + "/models/";

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kCases)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

void expect_ok(const std::string& name, const std::function<std::unique_ptr<hw::Model>(int)>& load) {
  const golden::Case c(kCases + name);
  const golden::Report report = golden::check(c, load);
  for (const std::string& why : report.failures) ADD_FAILURE() << name << ": " << why;
  EXPECT_GE(report.compared.size(), 5u);
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, LoadedIsExact) {
  expect_ok(GetParam(), [&](int threads) {
    hw::LoadOptions options;
    options.threads = threads;
    return hw::stock_zoo().load(kCases + GetParam(), options);
  });
}

// The vector targets of this CPU, and plain C++: all within the tolerance, each with its own bits.
TEST_P(Golden, EveryTargetIsExact) {
  for (const hw::kernels::Target target : hw::kernels::supported_targets())
    expect_ok(GetParam(), [&](int threads) {
      hw::LoadOptions options;
      options.threads = threads;
      options.target = target;
      return hw::stock_zoo().load(kCases + GetParam(), options);
    });
}

INSTANTIATE_TEST_SUITE_P(Models, Golden, testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

// The fields of the published config.json, where the golden case has those that a library saves.
TEST(PublishedSpelling, KimiLinear) {
  const hw_test::TempFolder folder;
  std::filesystem::copy_file(kCases + "kimi_linear/model.safetensors", folder.path() + "/model.safetensors");
  const auto write = [&](const char* layers) {
    folder.file("config.json",
                hw::concat(R"({"model_type": "kimi_linear", "vocab_size": 97, "hidden_size": 32, "head_dim": 4, "intermediate_size": 40,
      "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4, "kv_lora_rank": 16, "q_lora_rank": null,
      "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 8, "mla_use_nope": true, "first_k_dense_replace": 1, "moe_layer_freq": 1,
      "moe_intermediate_size": 16, "moe_renormalize": true, "moe_router_activation_func": "sigmoid", "num_experts": 4,
      "num_experts_per_token": 2, "num_expert_group": 1, "topk_group": 1, "num_shared_experts": 1, "routed_scaling_factor": 1.7,
      "use_grouped_topk": true, "rms_norm_eps": 1e-5, "rope_scaling": null, "rope_theta": 10000.0, "tie_word_embeddings": false,
      "hidden_act": "silu", "model_max_length": 1048576, "dtype": "bfloat16",
      "linear_attn_config": {"head_dim": 8, "num_heads": 4, "short_conv_kernel_size": 4, )",
                           layers, "}}"));
  };
  const auto load = [&](int threads) { return hw::stock_zoo().load(folder.path(), {.threads = threads}); };
  write(R"("kda_layers": [1, 2, 4], "full_attn_layers": [3])");
  expect_ok("kimi_linear", load);
  for (const char* bad : {R"("kda_layers": [1, 2], "full_attn_layers": [3])", R"("kda_layers": [1, 2, 3], "full_attn_layers": [3])",
                          R"("kda_layers": [1, 2, 5], "full_attn_layers": [3])", R"("kda_layers": [0, 1, 2], "full_attn_layers": [3])"}) {
    write(bad);
    EXPECT_THROW(load(1), hw::Error) << bad;
  }
}

TEST(PublishedSpelling, GptOss) {
  const hw_test::TempFolder folder;
  std::filesystem::copy_file(kCases + "gpt-oss-mxfp4/model.safetensors", folder.path() + "/model.safetensors");
  const auto write = [&](int experts) {
    folder.file("config.json",
                hw::concat(R"({"architectures": ["GptOssForCausalLM"], "attention_bias": true, "attention_dropout": 0.0, "eos_token_id": 2,
      "experts_per_token": )",
                           experts, R"(, "head_dim": 16, "hidden_act": "silu", "hidden_size": 64, "initial_context_length": 4096,
      "initializer_range": 0.02, "intermediate_size": 96, "layer_types": ["sliding_attention", "full_attention"],
      "max_position_embeddings": 64, "model_type": "gpt_oss", "num_attention_heads": 4, "num_experts_per_tok": 2, "num_hidden_layers": 2,
      "num_key_value_heads": 2, "num_local_experts": 4, "output_router_logits": false, "pad_token_id": 0,
      "quantization_config": {"modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"], "quant_method": "mxfp4"},
      "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000, "router_aux_loss_coef": 0.9, "sliding_window": 5,
      "swiglu_limit": 7.0, "tie_word_embeddings": false, "transformers_version": "4.55.0.dev0", "use_cache": true, "vocab_size": 97})"));
  };
  const auto load = [&](int threads) { return hw::stock_zoo().load(folder.path(), {.threads = threads}); };
  write(2);
  expect_ok("gpt-oss-mxfp4", load);
  write(3);
  EXPECT_THROW(load(1), hw::Error);
}

// bf16 weights and activations: near the recorded values, and every law bit for bit.
TEST(Bf16, ActivationsAreNearAndKeepTheLaws) {
  for (const std::string name : {"llama", "gpt2", "gemma3-text", "bert_mlm"})
    for (const hw::kernels::Target target : hw::kernels::supported_targets()) {
      golden::Case c(kCases + name);
      c.tolerance = 0.1;
      c.greedy_margin = 0.1;
      const golden::Report report = golden::check(c, [&](int threads) {
        hw::LoadOptions options;
        options.threads = threads;
        options.target = target;
        options.weights = hw::DType::bf16;
        options.bf16_activations = true;
        return hw::stock_zoo().load(kCases + name, options);
      });
      for (const std::string& why : report.failures) ADD_FAILURE() << name << " " << hw::kernels::name_of(target) << ": " << why;
      EXPECT_GT(report.max_error, 1e-4) << "f32 activations were used";
    }
}

// Smaller keys and values: near the recorded values, and every law bit for bit, with and without a state.
TEST(KeysAndValues, OfSmallerTypesAreNearAndKeepTheLaws) {
  for (const hw::DType type : {hw::DType::f16, hw::DType::bf16, hw::DType::q8_0})
    for (const std::string name : {"llama", "gpt2", "gemma3-text"}) {
      golden::Case c(kCases + name);
      c.tolerance = type == hw::DType::f16 ? 0.01 : type == hw::DType::bf16 ? 0.1 : 0.3;
      c.greedy_margin = c.tolerance;
      const golden::Report report = golden::check(c, [&](int threads) {
        hw::LoadOptions options;
        options.threads = threads;
        options.kv = type;
        return hw::stock_zoo().load(kCases + name, options);
      });
      for (const std::string& why : report.failures) ADD_FAILURE() << name << " " << hw::name_of(type) << ": " << why;
      EXPECT_GT(report.max_error, 1e-5) << "f32 was kept";
    }
  hw::LoadOptions options;
  options.kv = hw::DType::f16;
  options.weights = hw::DType::q4_k;
  const std::string said = hw::stock_zoo().load(kCases + "llama", options)->explain();
  EXPECT_NE(said.find("layers.*.mlp.down.weight x"), std::string::npos) << said;
  EXPECT_NE(said.find("are no multiple of 256, the block of q4_k"), std::string::npos) << said;
  EXPECT_NE(said.find("kept as f16"), std::string::npos) << said;
  options.weights.reset();
  options.kv = hw::DType::q4_0;
  EXPECT_THROW(hw::stock_zoo().load(kCases + "llama", options), hw::Error);
}

TEST(GoldenCases, AreAllThere) { EXPECT_GE(cases().size(), 90u); }

// ---- the second door

std::shared_ptr<hw::Executor> pool(int threads) { return std::make_shared<hw::ThreadPool>(threads); }

TEST(Composed, LlamaIsTheSameModel) {
  using Layer = hw::Block<hw::PreNorm<hw::RmsNorm, hw::Attention<>>, hw::PreNorm<hw::RmsNorm, hw::GatedMlp>>;
  using Llama = hw::Decoder<Layer>;
  const hw::RmsNorm::Config norm{.size = 48, .eps = 1e-2f};
  const hw::RotaryConfig rotary{.dims = 16};
  hw::Attention<>::Config attention;
  attention.project = {
      .hidden_size = 48, .num_attention_heads = 4, .num_key_value_heads = 2, .head_dim = 16, .bias = true, .rotary = rotary};
  attention.options.output_bias = true;
  const hw::GatedMlp::Config mlp{.hidden_size = 48, .intermediate_size = 96, .activation = hw::Activation::gelu, .bias = true};
  const Layer::Config layer{{{norm}, attention}, {{norm}, mlp}};

  hw::WeightMap names;
  names.rename("embedding", "model.embed_tokens");
  names.rename("norm", "model.norm");
  names.rename("head", "lm_head");
  names.rename("layers.*.attention.norm", "model.layers.*.input_layernorm");
  names.rename("layers.*.mlp.norm", "model.layers.*.post_attention_layernorm");
  for (const char* x : {"q", "k", "v", "o"})
    names.rename(hw::concat("layers.*.attention.", x), hw::concat("model.layers.*.self_attn.", x, "_proj"));
  for (const char* x : {"gate", "up", "down"}) names.rename(hw::concat("layers.*.mlp.", x), hw::concat("model.layers.*.mlp.", x, "_proj"));

  expect_ok("llama-bias", [&](int threads) {
    const hw::Weights weights(hw::open_weights(kCases + "llama-bias"), names);
    Llama::Config config;
    config.embedding = {.vocab_size = 97, .hidden_size = 48};
    config.blocks = {layer, layer};
    config.norm = norm;
    config.heads = {{.name = "logits", .stages = {hw::DenseStage{"", 97, false}}}};
    return std::make_unique<Llama>(config, weights, pool(threads));
  });
}

TEST(Composed, Gpt2IsTheSameModel) {
  using Layer = hw::Block<hw::PreNorm<hw::LayerNorm, hw::Attention<>>, hw::PreNorm<hw::LayerNorm, hw::Mlp>>;
  using Gpt2 = hw::Decoder<Layer>;
  const hw::LayerNorm::Config norm{.size = 32};
  hw::Attention<>::Config attention;
  attention.project = {.hidden_size = 32, .num_attention_heads = 4, .num_key_value_heads = 4, .head_dim = 8, .bias = true};
  attention.options.output_bias = true;
  const hw::Mlp::Config mlp{.hidden_size = 32, .intermediate_size = 64, .activation = hw::Activation::gelu_tanh, .bias = true};
  const Layer::Config layer{{{norm}, attention}, {{norm}, mlp}};

  hw::WeightMap names;
  names.optional_prefix("transformer");
  names.rename("embedding", "wte");
  names.rename("embedding.positions", "wpe");
  names.rename("head", "wte");
  names.rename("norm", "ln_f");
  names.rename("layers.*.attention.norm", "h.*.ln_1");
  names.rename("layers.*.mlp.norm", "h.*.ln_2");
  for (const int i : {0, 1, 2})
    names.rename(hw::concat("layers.*.attention.", std::string_view("qkv").substr(static_cast<std::size_t>(i), 1)), "h.*.attn.c_attn")
        .transpose()
        .part(i, 3);
  names.rename("layers.*.attention.o", "h.*.attn.c_proj").transpose();
  names.rename("layers.*.mlp.up", "h.*.mlp.c_fc").transpose();
  names.rename("layers.*.mlp.down", "h.*.mlp.c_proj").transpose();

  expect_ok("gpt2", [&](int threads) {
    Gpt2::Config config;
    config.embedding = {.vocab_size = 97, .hidden_size = 32, .positions = 64};
    config.blocks = {layer, layer};
    config.norm = norm;
    config.heads = {{.name = "logits", .stages = {hw::DenseStage{"", 97, false}}}};
    return std::make_unique<Gpt2>(config, hw::Weights(hw::open_weights(kCases + "gpt2"), names), pool(threads));
  });
}

TEST(Composed, BertIsTheSameModel) {
  using Layer = hw::Block<hw::PostNorm<hw::LayerNorm, hw::Attention<hw::Full>>, hw::PostNorm<hw::LayerNorm, hw::Mlp>>;
  using Bert = hw::Encoder<Layer>;
  const hw::LayerNorm::Config norm{.size = 32, .eps = 1e-12f};
  hw::Attention<hw::Full>::Config attention;
  attention.project = {.hidden_size = 32, .num_attention_heads = 4, .num_key_value_heads = 4, .head_dim = 8, .bias = true};
  attention.options.output_bias = true;
  const hw::Mlp::Config mlp{.hidden_size = 32, .intermediate_size = 48, .activation = hw::Activation::relu, .bias = true};
  const Layer::Config layer{{{{}, {}, norm}, attention}, {{{}, {}, norm}, mlp}};

  hw::WeightMap names;
  names.rename("embedding", "bert.embeddings.word_embeddings");
  names.rename("embedding.positions", "bert.embeddings.position_embeddings");
  names.rename("embedding.types", "bert.embeddings.token_type_embeddings");
  names.rename("embedding.norm", "bert.embeddings.LayerNorm");
  names.rename("layers.*.attention.q", "bert.encoder.layer.*.attention.self.query");
  names.rename("layers.*.attention.k", "bert.encoder.layer.*.attention.self.key");
  names.rename("layers.*.attention.v", "bert.encoder.layer.*.attention.self.value");
  names.rename("layers.*.attention.o", "bert.encoder.layer.*.attention.output.dense");
  names.rename("layers.*.attention.post_norm", "bert.encoder.layer.*.attention.output.LayerNorm");
  names.rename("layers.*.mlp.up", "bert.encoder.layer.*.intermediate.dense");
  names.rename("layers.*.mlp.down", "bert.encoder.layer.*.output.dense");
  names.rename("layers.*.mlp.post_norm", "bert.encoder.layer.*.output.LayerNorm");
  names.rename("head.start", "qa_outputs").rows(0, 1);
  names.rename("head.end", "qa_outputs").rows(1, 1);

  expect_ok("bert_qa", [&](int threads) {
    Bert::Config config;
    config.embedding = {.vocab_size = 97, .hidden_size = 32, .positions = 40, .types = 2, .norm = norm};
    config.blocks = {layer, layer};
    config.heads = {{.name = "start_logits", .stages = {hw::DenseStage{"start", 1}}},
                    {.name = "end_logits", .stages = {hw::DenseStage{"end", 1}}}};
    return std::make_unique<Bert>(config, hw::Weights(hw::open_weights(kCases + "bert_qa"), names), pool(threads));
  });
}

}  // namespace
