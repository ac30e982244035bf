#pragma once
// ERNIE 4.5: Llama with neighbouring rotation; with experts, a bias that chooses only.

#include "headwise/families/moe_common.hpp"

namespace hw::families {

struct Ernie45Moe {
  static constexpr std::string_view kModelTypes[] = {"ernie4_5_moe"};
  static constexpr std::string_view kArchitectures[] = {"ernie4_5-moe"};
  using Parts = MoeParts<>;
  using Model = Parts::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.norm_eps = 1e-5, .bias = c.get_or("use_bias", false), .mlp_bias = c.get_or("use_bias", false), .rope_theta = 5e5});
    p.attention.project.rotary->pairs = kernels::RopePairs::neighbours;
    p.moe.router.choice_bias = true;
    p.moe.router.renormalise = true;
    c.ignore({"moe_norm_min"});  // guards a division by zero
    p.read_shared(c, {"moe_num_shared_experts", "n_shared_experts"});
    const index_t begin = c.size_or({"moe_layer_start_index", "first_k_dense_replace"}, 1, 0),
                  end = c.get_or<index_t>("moe_layer_end_index", -1);
    const index_t step = c.size_or("moe_layer_interval", 1), last = end < 0 ? static_cast<index_t>(p.layers) - 1 : end;
    return p.stack<Model>([&](std::size_t at) {
      const auto i = static_cast<index_t>(at);
      return p.layer((i + 1) % step == 0 && i >= begin && i <= last);
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source, true);
    name_experts(map);
    map.rename("layers.*.mlp.router.choice_bias", "model.layers.*.mlp.moe_statics.e_score_correction_bias").flatten(1);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Ernie45Moe)
}
