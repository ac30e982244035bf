#pragma once
// GLM-4-0414: GLM with norms behind attention and MLP too.

#include "headwise/families/glm.hpp"

namespace hw::families {

struct Glm4 {
  static constexpr std::string_view kModelTypes[] = {"glm4"};
  using Model = Decoder<Glm::Parts::SandwichBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const Glm::Parts p = Glm::parts(c, source);
    return p.stack<Model>([&](std::size_t) { return p.sandwich_norm(); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = Glm::weights(c, source);
    if (has_gguf_names(source)) return map;
    map.rename("layers.*.attention.delta_norm", "model.layers.*.post_self_attn_layernorm");
    map.rename("layers.*.mlp.delta_norm", "model.layers.*.post_mlp_layernorm");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Glm4)
}
