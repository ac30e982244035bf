#pragma once
// Phi-3.5-MoE: LayerNorm, biases, two experts by SparseMixer.                                                   arXiv:2404.14219

#include "headwise/families/moe_common.hpp"

namespace hw::families {

struct PhiMoe {
  static constexpr std::string_view kModelTypes[] = {"phimoe"};
  using Parts = MoeParts<LayerNorm, SparseMixerRouter>;
  using Model = Parts::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.norm_eps = 1e-5, .rope_theta = 1e6});
    c.only("num_experts_per_tok", 2);
    p.moe.router.epsilon = static_cast<float>(c.number_or("router_jitter_noise", 0.01));
    p.head = {DenseStage{"", p.embedding.vocab_size, c.get_or("lm_head_bias", false)}};
    const auto windows = read_windows(c, p.layers, 0, [](std::size_t) { return true; });
    return p.stack<Model>([&](std::size_t i) {
      p.attention.mask.window = windows[i];
      return p.layer(true);
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    name_experts(map, {.mlp = "block_sparse_moe", .gate = "w1", .up = "w3", .down = "w2"});
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(PhiMoe)
}
