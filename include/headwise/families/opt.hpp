#pragma once
// OPT: learned positions stored two rows on; the 350M model has narrow embeddings and norms behind the sums.    arXiv:2205.01068

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct Opt {
  static constexpr std::string_view kModelTypes[] = {"opt"};
  using Parts = DecoderParts<LayerNorm, Mlp>;
  using Model = Decoder<Parts::PreNormBlock, Parts::PostNormBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const bool bias = c.get_or("enable_bias", true), before = c.get_or("do_layer_norm_before", true);
    Parts p(c, source, {.activation = "relu", .norm_eps = 1e-5, .bias = bias, .mlp_bias = bias, .rotary = false});
    p.embedding.positions = p.max_positions + 2;
    p.embedding.position_offset = 2;
    if (const index_t width = c.size_or("word_embed_proj_dim", p.norm.size); width != p.norm.size) {
      p.embedding.embedding_size = width;
      p.embedding.projection = Embedding::Projection::tokens;
      p.embedding.projection_bias = false;
      p.head = {DenseStage{"project", width, false}, DenseStage{"", p.embedding.vocab_size, false}};
    }
    c.only("layer_norm_elementwise_affine", true);
    auto m = p.stack<Model>([&](std::size_t) -> Model::BlockConfig {
      if (before) return p.pre_norm();
      return p.post_norm();
    });
    if (c.get_or("_remove_final_layer_norm", false) || !before) m.norm = NoNorm::Config{};
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map;
    map.optional_prefix("model.decoder");
    map.optional_prefix("decoder");
    map.rename("embedding", "embed_tokens");
    map.rename("embedding.positions", "embed_positions");
    map.rename("embedding.projection", "project_in");
    map.rename("norm", "final_layer_norm");
    for (const char* name : {"q", "k", "v"}) map.rename(concat("layers.*.attention.", name), concat("layers.*.self_attn.", name, "_proj"));
    map.rename("layers.*.attention.o", "layers.*.self_attn.out_proj");
    map.rename("layers.*.mlp.up", "layers.*.fc1");
    map.rename("layers.*.mlp.down", "layers.*.fc2");
    for (const char* place : {"norm", "post_norm"}) {
      map.rename(concat("layers.*.attention.", place), "layers.*.self_attn_layer_norm");
      map.rename(concat("layers.*.mlp.", place), "layers.*.final_layer_norm");
    }
    name_head(map, c, "embed_tokens", "lm_head", true);
    map.rename("head.project", "project_out");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Opt)
}
