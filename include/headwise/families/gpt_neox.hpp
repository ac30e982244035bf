#pragma once
// GPT-NeoX and Pythia: attention and MLP in parallel, each with a norm; rotation of a part of each head.        arXiv:2204.06745

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct GptNeoX {
  static constexpr std::string_view kModelTypes[] = {"gpt_neox"};
  static constexpr std::string_view kArchitectures[] = {"gptneox"};
  using Parts = DecoderParts<LayerNorm, Mlp>;
  using Model = Decoder<Parts::ParallelNormsBlock, Parts::PreNormBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.activation = "gelu", .norm_eps = 1e-5, .bias = true, .mlp_bias = true, .rotary_share = 0.25});
    p.attention.project.num_key_value_heads = p.attention.project.num_attention_heads;  // some files carry another number
    const bool parallel = c.get_or("use_parallel_residual", true);
    return p.stack<Model>([&](std::size_t) -> Model::BlockConfig {
      if (parallel) return p.parallel_norms();
      return p.pre_norm();
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    if (has_gguf_names(source)) return gguf_names(c, source);
    WeightMap map;
    map.optional_prefix("gpt_neox");
    map.rename("embedding", "embed_in");
    map.rename("norm", "final_layer_norm");
    map.rename("layers.*.attention.norm", "layers.*.input_layernorm");
    name_interleaved_qkv(map, "layers.*.attention.query_key_value", c.size("hidden_size") / c.size("num_attention_heads"));
    map.rename("layers.*.attention.o", "layers.*.attention.dense");
    map.rename("layers.*.mlp.norm", "layers.*.post_attention_layernorm");
    map.rename("layers.*.mlp.up", "layers.*.mlp.dense_h_to_4h");
    map.rename("layers.*.mlp.down", "layers.*.mlp.dense_4h_to_h");
    name_head(map, c, "embed_in", "embed_out", false);
    for (const char* name : {"bias", "masked_bias", "rotary_emb.inv_freq"}) map.ignore(concat("layers.*.attention.", name));
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(GptNeoX)
}
