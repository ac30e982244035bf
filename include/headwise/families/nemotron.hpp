#pragma once
// Nemotron-4 and Minitron: LayerNorm that multiplies by 1 + w, a plain MLP with squared ReLU.                   arXiv:2402.16819

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct Nemotron {
  static constexpr std::string_view kModelTypes[] = {"nemotron"};
  using Parts = DecoderParts<LayerNorm, Mlp>;
  using Model = Decoder<Parts::PreNormBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const Parts p(c, source, {.activation = "relu2", .norm_eps = 1e-5, .rotary_share = 0.5});
    return p.stack<Model>([&](std::size_t) { return p.pre_norm(); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    if (has_gguf_names(source)) return map;
    map.rename("norm.weight", "model.norm.weight").plus(1);  // the file keeps norm weights minus 1
    map.rename("layers.*.attention.norm.weight", "model.layers.*.input_layernorm.weight").plus(1);
    map.rename("layers.*.mlp.norm.weight", "model.layers.*.post_attention_layernorm.weight").plus(1);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Nemotron)
}
