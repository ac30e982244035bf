#pragma once
// Mixtral: Mistral with experts in every layer, weighed by a softmax over the chosen.                          arXiv:2401.04088

#include "headwise/families/moe_common.hpp"

namespace hw::families {

struct Mixtral {
  static constexpr std::string_view kModelTypes[] = {"mixtral"};
  static constexpr std::string_view kArchitectures[] = {"llama"};  // with experts
  using Parts = MoeParts<>;
  using Model = Parts::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.norm_eps = 1e-5});
    const auto windows = read_windows(c, p.layers, 0, [](std::size_t) { return true; });
    return p.stack<Model>([&](std::size_t i) {
      p.attention.mask.window = windows[i];
      return p.layer(true);
    });
  }

  static bool takes(const HfConfig& c) { return c.get<std::string>("model_type") != "llama" || c.size_or("num_local_experts", 0, 0) > 0; }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    name_experts(map, {.mlp = "block_sparse_moe", .gate = "w1", .up = "w3", .down = "w2"});
    if (has_gguf_names(source)) unpermute_rotary(map, c);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Mixtral)
}
