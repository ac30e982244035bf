#pragma once
// Llama 1 to 3.x, and the many checkpoints published under its model_type (SmolLM2, TinyLlama, Vicuna, ...).   arXiv:2302.13971

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct Llama {
  static constexpr std::string_view kModelTypes[] = {"llama"};
  using Parts = DecoderParts<RmsNorm, GatedMlp>;
  using Model = Decoder<Parts::PreNormBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const Parts p(c, source);
    return p.stack<Model>([&](std::size_t) { return p.pre_norm(); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    if (has_gguf_names(source)) unpermute_rotary(map, c);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Llama)
}
