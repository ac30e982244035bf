#pragma once
// Gemma 3, text only: sandwich norms, q/k norms, windows of two rotary bases.                                    arXiv:2503.19786

#include "headwise/families/llama.hpp"

namespace hw::families {

struct Gemma3 {
  static constexpr std::string_view kModelTypes[] = {"gemma3_text"};  // "gemma3" is the vision model
  static constexpr std::string_view kArchitectures[] = {"gemma3"};
  using Block = hw::Block<SandwichNorm<RmsNorm, Attention<>>, SandwichNorm<RmsNorm, GatedMlp>>;
  using Model = Decoder<Block>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const auto d = c.size("hidden_size"), heads = c.size("num_attention_heads"), vocab = c.size("vocab_size");
    const auto head_dim = c.size_or("head_dim", 256);
    const RmsNorm::Config norm{d, static_cast<float>(c.positive_or("rms_norm_eps", 1e-6))};
    const bool bias = c.get_or("attention_bias", false);
    c.only("use_bidirectional_attention", false);

    Attention<>::Config attention;
    attention.project = {.hidden_size = d, .num_attention_heads = heads, .num_key_value_heads = c.size_or("num_key_value_heads", heads),
                         .head_dim = head_dim, .bias = bias, .norm_eps = norm.eps};
    attention.options.output_bias = bias;
    attention.options.scale = static_cast<float>(1.0 / std::sqrt(c.positive_or("query_pre_attn_scalar", 256.0)));
    attention.options.soft_cap = static_cast<float>(c.number_or("attn_logit_softcapping", 0.0));
    const GatedMlp::Config mlp{d, c.size("intermediate_size"),
                               read_activation(c, {"hidden_activation", "hidden_act"}, "gelu_pytorch_tanh")};

    const RotaryConfig global = read_rotary(c, head_dim, "full_attention", 1e6);
    RotaryConfig local = global;
    if (c.has("rope_parameters")) {
      local = read_rotary(c, head_dim, "sliding_attention");
    } else {
      local.theta = c.positive_or("rope_local_base_freq", 10000.0);
      local.scaling = RopeScaling::none;
    }
    const auto window = c.size_or("sliding_window", 4096);
    const auto pattern = c.get_or<std::size_t>({"sliding_window_pattern", "_sliding_window_pattern"}, 6);
    const auto layers = read_layers(c, "num_hidden_layers", source);
    const auto types = read_layer_types(c, layers, {"sliding_attention", "full_attention"});

    Model::Config m;
    m.embedding = {.vocab_size = vocab, .hidden_size = d, .scale = std::sqrt(static_cast<float>(d))};
    for (std::size_t i = 0; i < layers; ++i) {
      const bool sliding = !types.empty() ? types[i] == "sliding_attention" : pattern == 0 || (i + 1) % pattern != 0;
      attention.mask.window = sliding ? window : 0;
      attention.project.rotary = sliding ? local : global;
      m.blocks.push_back(Block::Config{{{norm, norm}, attention}, {{norm, norm}, mlp}});
    }
    m.norm = norm;
    m.heads = {{"logits", Pooling::none, {DenseStage{"", vocab, false}}}};
    if (const float cap = static_cast<float>(c.number_or("final_logit_softcapping", 0.0)); cap > 0)
      m.heads[0].stages.push_back(ScaleStage{1.0f, cap});
    m.max_positions = c.size_or("max_position_embeddings", 0);
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    if (has_gguf_names(source)) return gguf_names(c);
    WeightMap map = Llama::decoder_names();
    Llama::tie_head(map, c.get_or("tie_word_embeddings", true));
    map.replace("norm", "model.norm").plus(1);  // the file keeps norm weights minus 1
    for (const char* name : {"q", "k"})
      map.rename(concat("layers.*.attention.", name, "_norm"), concat("model.layers.*.self_attn.", name, "_norm")).plus(1);
    map.replace("layers.*.attention.norm", "model.layers.*.input_layernorm").plus(1);
    map.rename("layers.*.attention.delta_norm", "model.layers.*.post_attention_layernorm").plus(1);
    map.replace("layers.*.mlp.norm", "model.layers.*.pre_feedforward_layernorm").plus(1);
    map.rename("layers.*.mlp.delta_norm", "model.layers.*.post_feedforward_layernorm").plus(1);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Gemma3)
}
