#pragma once
// BLOOM: ALiBi, and a norm behind the embedding.                                                               arXiv:2211.05100

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct Bloom {
  static constexpr std::string_view kModelTypes[] = {"bloom"};
  using Parts = DecoderParts<LayerNorm, Mlp>;
  using Model = Decoder<Parts::PreNormBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.activation = "gelu_tanh", .norm_eps = 1e-5, .bias = true, .mlp_bias = true, .rotary = false});
    p.embedding.norm = p.norm;
    p.attention.options.alibi = 1.0f;
    p.max_positions = 0;
    c.only("apply_residual_connection_post_layernorm", false);
    c.ignore({"attention_softmax_in_fp32", "bias_dropout_fusion", "masked_softmax_fusion", "offset_alibi", "seq_length", "skip_bias_add",
              "skip_bias_add_qkv", "slow_but_exact", "unk_token_id"});
    return p.stack<Model>([&](std::size_t) { return p.pre_norm(); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    if (has_gguf_names(source)) return gguf_names(c, source);
    WeightMap map;
    map.optional_prefix("transformer");
    map.rename("embedding", "word_embeddings");
    map.rename("embedding.norm", "word_embeddings_layernorm");
    map.rename("norm", "ln_f");
    map.rename("layers.*.attention.norm", "h.*.input_layernorm");
    name_interleaved_qkv(map, "h.*.self_attention.query_key_value",
                         c.size({"hidden_size", "n_embed"}) / c.size({"num_attention_heads", "n_head"}));
    map.rename("layers.*.attention.o", "h.*.self_attention.dense");
    map.rename("layers.*.mlp.norm", "h.*.post_attention_layernorm");
    map.rename("layers.*.mlp.up", "h.*.mlp.dense_h_to_4h");
    map.rename("layers.*.mlp.down", "h.*.mlp.dense_4h_to_h");
    name_head(map, c, "word_embeddings", "lm_head", true);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Bloom)
}
