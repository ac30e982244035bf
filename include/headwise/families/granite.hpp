#pragma once
// Granite: Llama with four multipliers.

#include "headwise/families/llama.hpp"

namespace hw::families {

struct Granite {
  static constexpr std::string_view kModelTypes[] = {"granite"};
  using Model = Llama::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Llama::Parts p(c, source);
    read_multipliers(c, p);
    return p.stack<Model>([&](std::size_t) { return p.pre_norm(); });
  }

  template <class Parts>
  static void read_multipliers(const HfConfig& c, Parts& p) {
    p.embedding.scale = static_cast<float>(c.positive_or({"embedding_multiplier", "embedding_scale"}, 1.0));
    p.attention.options.scale = static_cast<float>(c.positive_or({"attention_multiplier", "attention_scale"}, 1.0));
    p.residual_scale = static_cast<float>(c.positive_or({"residual_multiplier", "residual_scale"}, 1.0));
    p.head.emplace_back(ScaleStage{static_cast<float>(1.0 / c.positive_or({"logits_scaling", "logit_scale"}, 1.0))});
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) { return Llama::weights(c, source); }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Granite)
}
