#pragma once
// StableLM: LayerNorm, a gated MLP, rotation of a part of each head; attention and MLP in parallel in some.      arXiv:2402.17834

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct StableLm {
  static constexpr std::string_view kModelTypes[] = {"stablelm"};
  using Parts = DecoderParts<LayerNorm, GatedMlp>;
  using Model = Decoder<Parts::PreNormBlock, Parts::ParallelBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.norm_eps = 1e-5, .bias = c.get_or("use_qkv_bias", false), .rotary_share = 0.25});
    p.attention.options.output_bias = false;
    c.only("qk_layernorm", false);
    const bool parallel = c.get_or("use_parallel_residual", false);
    return p.stack<Model>([&](std::size_t) -> Model::BlockConfig {
      if (parallel) return p.parallel();
      return p.pre_norm();
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) { return decoder_names(c, source); }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(StableLm)
}
