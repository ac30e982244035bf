#pragma once
// StarCoder2: LayerNorm, a plain MLP, biases everywhere, grouped queries, a window.                             arXiv:2402.19173

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct Starcoder2 {
  static constexpr std::string_view kModelTypes[] = {"starcoder2"};
  using Parts = DecoderParts<LayerNorm, Mlp>;
  using Model = Decoder<Parts::PreNormBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const bool bias = c.get_or("use_bias", true);
    Parts p(c, source, {.activation = "gelu_pytorch_tanh", .norm_eps = 1e-5, .bias = bias, .mlp_bias = bias});
    const auto windows = read_windows(c, p.layers, 0, [](std::size_t) { return true; });
    return p.stack<Model>([&](std::size_t i) {
      p.attention.mask.window = windows[i];
      return p.pre_norm();
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source, true);
    if (has_gguf_names(source)) return map;
    map.replace("layers.*.mlp.up", "model.layers.*.mlp.c_fc");
    map.replace("layers.*.mlp.down", "model.layers.*.mlp.c_proj");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Starcoder2)
}
