#pragma once
// Command-R: one norm without bias for attention and MLP in parallel, neighbours rotate, scaled logits.

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct Cohere {
  static constexpr std::string_view kModelTypes[] = {"cohere"};
  static constexpr std::string_view kArchitectures[] = {"command-r"};
  using Parts = DecoderParts<LayerNorm, GatedMlp>;
  using Model = Decoder<Parts::ParallelBlock>;

  /// What both generations share.
  static Parts parts(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.norm_eps = 1e-5});
    p.norm.bias = false;
    p.attention.project.rotary->pairs = kernels::RopePairs::neighbours;
    p.head.emplace_back(ScaleStage{static_cast<float>(c.positive_or("logit_scale", 0.0625))});
    c.only("use_qk_norm", false);
    return p;
  }

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const Parts p = parts(c, source);
    return p.stack<Model>([&](std::size_t) { return p.parallel(); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) { return decoder_names(c, source, true); }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Cohere)
}
