#pragma once
// MPT: ALiBi, norms without biases, q, k and v clipped.

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct Mpt {
  static constexpr std::string_view kModelTypes[] = {"mpt"};
  using Parts = DecoderParts<LayerNorm, Mlp>;
  using Model = Decoder<Parts::PreNormBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.activation = "gelu", .norm_eps = 1e-5, .rotary = false});
    p.norm.bias = false;
    p.attention.options.alibi = 1.0f;
    c.only("no_bias", true);
    c.only("logit_scale", nullptr);
    c.ignore({"embedding_fraction", "expansion_ratio", "learned_pos_emb", "norm_type", "verbose"});
    c.only("alibi_bias_max", 8);  // GGUF
    double clip = c.number_or("clip_qkv", 0.0);
    if (const auto a = c.find_sub("attn_config")) {
      clip = a->number_or("clip_qkv", 0.0);
      if (a->has("softmax_scale")) p.attention.options.scale = static_cast<float>(a->number("softmax_scale"));
      a->only("alibi", true);
      a->only("alibi_bias_max", 8);
      a->only("attn_type", "multihead_attention");
      a->only("prefix_lm", false);
      a->only("qk_ln", false);
      a->ignore({"attn_impl", "attn_uses_sequence_id"});
    }
    p.attention.project.clip = static_cast<float>(clip);
    return p.stack<Model>([&](std::size_t) { return p.pre_norm(); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    if (has_gguf_names(source)) return gguf_names(c, source);
    WeightMap map;
    map.optional_prefix("transformer");
    map.rename("embedding", "wte");
    map.rename("norm", "norm_f");
    map.rename("layers.*.attention.norm", "blocks.*.norm_1");
    const index_t d = c.size({"d_model", "hidden_size"});
    name_stacked_qkv(map, "blocks.*.attn.Wqkv", d, d);
    map.rename("layers.*.attention.o", "blocks.*.attn.out_proj");
    map.rename("layers.*.mlp.norm", "blocks.*.norm_2");
    map.rename("layers.*.mlp.up", "blocks.*.ffn.up_proj");
    map.rename("layers.*.mlp.down", "blocks.*.ffn.down_proj");
    name_head(map, c, "wte", "lm_head", true);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Mpt)
}
