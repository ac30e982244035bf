#pragma once
// Qwen2-MoE: Qwen2 with experts in most layers, and one more behind a gate that all tokens pass.                arXiv:2407.10671

#include "headwise/families/moe_common.hpp"
#include "headwise/families/qwen2.hpp"

namespace hw::families {

struct Qwen2Moe {
  static constexpr std::string_view kModelTypes[] = {"qwen2_moe"};
  static constexpr std::string_view kArchitectures[] = {"qwen2moe"};
  using Parts = MoeParts<>;
  using Model = Parts::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.bias = c.get_or("qkv_bias", true)});
    p.attention.options.output_bias = false;
    p.moe.router.renormalise = c.get_or("norm_topk_prob", false);
    p.moe.shared = p.widened(c.size("shared_expert_intermediate_size"));
    p.moe.shared_gate = true;
    const auto from = c.get_or<std::size_t>("max_window_layers", 28);
    const auto windows = Qwen2::switched_windows(c, p.layers, [&](std::size_t i) { return i >= from; });
    const auto sparse = sparse_layers(c, source, p.layers);
    return p.stack<Model>([&](std::size_t i) {
      p.attention.mask.window = windows[i];
      return p.layer(sparse[i]);
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    name_experts(map, {.shared = "shared_expert"});
    map.rename("layers.*.mlp.shared_gate", "model.layers.*.mlp.shared_expert_gate");
    return map;
  }

  /// Every decoder_sparse_step-th layer, but those of mlp_only_layers; of a GGUF file those that have experts.
  static std::vector<bool> sparse_layers(const HfConfig& c, const WeightSource& source, std::size_t layers) {
    const auto dense = c.get_or("mlp_only_layers", std::vector<index_t>());
    const auto step = static_cast<std::size_t>(c.size_or("decoder_sparse_step", 1));
    std::vector<bool> out(layers);
    for (std::size_t i = 0; i < layers; ++i)
      out[i] = has_gguf_names(source)
                   ? has_gguf_experts(source, i)
                   : (i + 1) % step == 0 && std::find(dense.begin(), dense.end(), static_cast<index_t>(i)) == dense.end();
    return out;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Qwen2Moe)
}
