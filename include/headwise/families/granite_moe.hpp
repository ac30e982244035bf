#pragma once
// Granite with experts, and in granitemoeshared one that all tokens pass.

#include "headwise/families/granite.hpp"
#include "headwise/families/moe_common.hpp"

namespace hw::families {

struct GraniteMoe {
  static constexpr std::string_view kModelTypes[] = {"granitemoe", "granitemoeshared"};
  using Parts = MoeParts<>;
  using Model = Parts::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source);
    Granite::read_multipliers(c, p);
    if (const index_t width = c.size_or({"shared_intermediate_size", "shared_expert_intermediate_size"}, 0, 0))
      p.moe.shared = p.widened(width);
    return p.stack<Model>([&](std::size_t) { return p.layer(true); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    name_granite_experts(map, "model.layers.*.block_sparse_moe", "model.layers.*.shared_mlp");
    if (has_gguf_names(source)) unpermute_rotary(map, c);
    return map;
  }

  static void name_granite_experts(WeightMap& map, std::string_view moe, std::string_view shared) {
    map.rename("layers.*.mlp.router", concat(moe, ".router.layer"));
    name_stacked_experts(map, concat(moe, ".input_linear"), concat(moe, ".output_linear"));
    map.rename("layers.*.mlp.shared.gate", concat(shared, ".input_linear")).part(0, 2);
    map.rename("layers.*.mlp.shared.up", concat(shared, ".input_linear")).part(1, 2);
    map.rename("layers.*.mlp.shared.down", concat(shared, ".output_linear"));
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(GraniteMoe)
}
