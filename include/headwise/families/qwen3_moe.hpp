#pragma once
// Qwen3-MoE: Qwen3 with experts.                                                                                arXiv:2505.09388

#include "headwise/families/qwen2_moe.hpp"

namespace hw::families {

struct Qwen3Moe {
  static constexpr std::string_view kModelTypes[] = {"qwen3_moe"};
  static constexpr std::string_view kArchitectures[] = {"qwen3moe"};
  using Parts = MoeParts<>;
  using Model = Parts::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source);
    p.attention.project.q_norm = p.attention.project.k_norm = RmsNorm::Config{p.attention.project.head_dim, p.norm.eps};
    p.moe.router.renormalise = c.get_or("norm_topk_prob", has_gguf_names(source));
    const auto windows = Qwen2::switched_windows(c, p.layers, [](std::size_t) { return true; });
    const auto sparse = Qwen2Moe::sparse_layers(c, source, p.layers);
    return p.stack<Model>([&](std::size_t i) {
      p.attention.mask.window = windows[i];
      return p.layer(sparse[i]);
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    name_experts(map);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Qwen3Moe)
}
