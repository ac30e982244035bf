#pragma once
// CTRL: scaled embeddings with sinusoids for positions, a head with a bias.                                     arXiv:1909.05858

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct Ctrl {
  static constexpr std::string_view kModelTypes[] = {"ctrl"};
  using Parts = DecoderParts<LayerNorm, Mlp>;
  using Model = Decoder<Parts::PreNormBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.activation = "relu", .norm_eps = 1e-6, .bias = true, .mlp_bias = true, .rotary = false});
    p.embedding.scale = std::sqrt(static_cast<float>(p.norm.size));
    p.embedding.sinusoid_steps = p.norm.size / 2;
    p.head = {DenseStage{"", p.embedding.vocab_size, true}};
    c.ignore({"n_ctx", "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj"});
    return p.stack<Model>([&](std::size_t) { return p.pre_norm(); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map;
    map.optional_prefix("transformer");
    map.rename("embedding", "w");
    map.rename("norm", "layernorm");
    map.rename("layers.*.attention.norm", "h.*.layernorm1");
    for (const char* name : {"q", "k", "v"}) map.rename(concat("layers.*.attention.", name), concat("h.*.multi_head_attention.W", name));
    map.rename("layers.*.attention.o", "h.*.multi_head_attention.dense");
    map.rename("layers.*.mlp.norm", "h.*.layernorm2");
    map.rename("layers.*.mlp.up", "h.*.ffn.0");
    map.rename("layers.*.mlp.down", "h.*.ffn.2");
    name_head(map, c, "w", "lm_head", true);
    map.rename("head.bias", "lm_head.bias");
    map.ignore("pos_encoding");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Ctrl)
}
