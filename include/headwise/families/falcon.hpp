#pragma once
// Falcon in its three layouts: multi-query (7B), grouped with a norm for each branch (40B), serial with ALiBi (RW).   arXiv:2311.16867

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct Falcon {
  static constexpr std::string_view kModelTypes[] = {"falcon"};
  using Parts = DecoderParts<LayerNorm, Mlp>;
  using Model = Decoder<Parts::ParallelBlock, Parts::ParallelNormsBlock, Parts::PreNormBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const bool bias = c.get_or("bias", false), alibi = c.get_or("alibi", false);
    Parts p(c, source, {.activation = "gelu", .norm_eps = 1e-5, .bias = bias, .mlp_bias = bias, .rotary = !alibi});
    p.attention.project.num_key_value_heads = groups(c);
    if (alibi) {
      p.attention.options.alibi = 1.0f / std::sqrt(static_cast<float>(p.attention.project.head_dim));  // scaled with the scores
      c.ignore({"rope_theta", "rope_scaling", "rope_parameters"});
    }
    const bool grouped = has_gguf_names(source) ? source.find("blk.0.attn_norm_2.weight") != nullptr : is_grouped(c);
    const bool parallel = c.get_or("parallel_attn", true) || grouped;
    const bool two_norms = c.size_or("num_ln_in_parallel_attn", 2) == 2 && grouped;
    return p.stack<Model>([&](std::size_t) -> Model::BlockConfig {
      if (two_norms) return p.parallel_norms();
      if (parallel) return p.parallel();
      return p.pre_norm();
    });
  }

  static bool is_grouped(const HfConfig& c) { return c.get_or("new_decoder_architecture", false); }

  /// The number of KV heads.
  static index_t groups(const HfConfig& c) {
    if (c.has("num_key_value_heads")) return c.size("num_key_value_heads");  // GGUF
    const bool one = c.get_or("multi_query", true);
    const index_t given = c.size_or({"num_kv_heads", "n_head_kv"}, c.size({"num_attention_heads", "n_head"}));
    return one && !is_grouped(c) ? 1 : given;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    if (has_gguf_names(source)) {
      WeightMap map = gguf_names(c, source);
      if (source.find("blk.0.attn_norm_2.weight") == nullptr) return map;
      map.replace("layers.*.attention.norm", "blk.*.attn_norm_2");
      map.replace("layers.*.mlp.norm", "blk.*.attn_norm");
      return map;
    }
    WeightMap map;
    map.optional_prefix("transformer");
    map.rename("embedding", "word_embeddings");
    map.rename("norm", "ln_f");
    map.rename("layers.*.norm", "h.*.input_layernorm");
    map.rename("layers.*.attention.norm", "h.*.ln_attn");
    map.rename("layers.*.attention.norm", "h.*.input_layernorm");
    map.rename("layers.*.mlp.norm", "h.*.ln_mlp");
    map.rename("layers.*.mlp.norm", "h.*.post_attention_layernorm");
    const index_t heads = c.size({"num_attention_heads", "n_head"}), head_dim = c.size("hidden_size") / heads, each = heads / groups(c);
    const char* qkv = "h.*.self_attention.query_key_value";  // the queries of a group, its k, its v
    map.rename("layers.*.attention.q", qkv).interleaved(0, each + 2, head_dim, each);
    map.rename("layers.*.attention.k", qkv).interleaved(each, each + 2, head_dim);
    map.rename("layers.*.attention.v", qkv).interleaved(each + 1, each + 2, head_dim);
    map.rename("layers.*.attention.o", "h.*.self_attention.dense");
    map.rename("layers.*.mlp.up", "h.*.mlp.dense_h_to_4h");
    map.rename("layers.*.mlp.down", "h.*.mlp.dense_4h_to_h");
    name_head(map, c, "word_embeddings", "lm_head", true);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Falcon)
}
