#pragma once
// GLM-4 (2024): neighbours rotate in half of each head, biases on q, k and v, gate and up fused.                arXiv:2406.12793

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct Glm {
  static constexpr std::string_view kModelTypes[] = {"glm"};
  static constexpr std::string_view kArchitectures[] = {"chatglm"};
  using Parts = DecoderParts<RmsNorm, GatedMlp>;
  using Model = Decoder<Parts::PreNormBlock>;

  /// What both generations share.
  static Parts parts(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.norm_eps = 1.5625e-7, .head_dim = 128, .bias = true, .rotary_share = 0.5});
    p.attention.options.output_bias = false;
    p.attention.project.rotary->pairs = kernels::RopePairs::neighbours;
    return p;
  }

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const Parts p = parts(c, source);
    return p.stack<Model>([&](std::size_t) { return p.pre_norm(); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    name_stacked_gate_up(map, has_gguf_names(source) ? "blk.*.ffn_up" : "model.layers.*.mlp.gate_up_proj");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Glm)
}
