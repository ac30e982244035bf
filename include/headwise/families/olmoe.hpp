#pragma once
// OLMoE: norms over the whole rows of q and k, all layers with experts.                                          arXiv:2409.02060

#include "headwise/families/moe_common.hpp"

namespace hw::families {

struct Olmoe {
  static constexpr std::string_view kModelTypes[] = {"olmoe"};
  using Parts = MoeParts<>;
  using Model = Parts::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.norm_eps = 1e-5});
    auto& project = p.attention.project;
    project.q_norm = RmsNorm::Config{project.num_attention_heads * project.head_dim, p.norm.eps};
    project.k_norm = RmsNorm::Config{project.num_key_value_heads * project.head_dim, p.norm.eps};
    project.clip = static_cast<float>(c.number_or("clip_qkv", 0.0));
    p.moe.router.renormalise = c.get_or("norm_topk_prob", false);
    return p.stack<Model>([&](std::size_t) { return p.layer(true); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    name_experts(map);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Olmoe)
}
