#pragma once
// GPT-2: learned positions, LayerNorm, fused transposed qkv.

#include "headwise/families/openai_gpt.hpp"

namespace hw::families {

struct Gpt2 {
  static constexpr std::string_view kModelTypes[] = {"gpt2"};
  using Parts = DecoderParts<LayerNorm, Mlp>;
  using Model = Decoder<Parts::PreNormBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    c.only("add_cross_attention", false);
    Parts p = parts(c, source);
    const bool scaled = c.get_or("scale_attn_weights", true), by_layer = c.get_or("scale_attn_by_inverse_layer_idx", false);
    const float root = scaled ? std::sqrt(static_cast<float>(p.attention.project.head_dim)) : 1.0f;
    return p.stack<Model>([&](std::size_t i) {
      p.attention.options.scale = 1.0f / (root * (by_layer ? static_cast<float>(i + 1) : 1.0f));
      return p.pre_norm();
    });
  }

  static Parts parts(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.activation = "gelu_new", .norm_eps = 1e-5, .bias = true, .mlp_bias = true, .rotary = false});
    p.embedding.positions = p.max_positions;
    c.ignore({"n_ctx", "reorder_and_upcast_attn", "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type",
              "summary_use_proj"});
    return p;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    if (has_gguf_names(source)) return gguf_names(c, source);
    WeightMap map;
    map.optional_prefix("transformer");
    map.rename("embedding", "wte");
    map.rename("embedding.positions", "wpe");
    map.rename("norm", "ln_f");
    OpenAiGpt::name_conv_layers(map);
    map.rename("layers.*.attention.norm", "h.*.ln_1");
    map.rename("layers.*.mlp.norm", "h.*.ln_2");
    name_head(map, c, "wte", "lm_head", true);
    map.ignore("h.*.attn.bias");  // the causal mask, which old files store
    map.ignore("h.*.attn.masked_bias");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Gpt2)
}
