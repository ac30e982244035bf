#pragma once
// Granite 4: Mamba-2 and attention in turn, experts beside a shared MLP, or that MLP alone.

#include "headwise/families/granite_moe.hpp"
#include "headwise/families/hybrid_common.hpp"
#include "headwise/families/recurrent_common.hpp"

namespace hw::families {

struct GraniteMoeHybrid {
  static constexpr std::string_view kModelTypes[] = {"granitemoehybrid"};
  static constexpr std::string_view kArchitectures[] = {"granitehybrid"};
  using Hybrid = HybridParts<Ssd, Attention<>>;
  using Model = Hybrid::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    DecoderParts<RmsNorm, GatedMlp> p(c, source);
    Granite::read_multipliers(c, p);
    if (c.get_or<std::string>("position_embedding_type", "") != "rope") p.attention.project.rotary.reset();
    Hybrid h{{.pre = p.norm, .scale = p.residual_scale}, read_ssd(c, p.norm.eps), p.attention, p.mlp};
    h.mlp.intermediate_size = c.size_or({"shared_intermediate_size", "shared_expert_intermediate_size"}, p.mlp.intermediate_size);
    if (c.size_or("num_local_experts", 0, 0) > 0) {
      h.experts = read_moe<TopKRouter, GatedMlp>(c, p.mlp);
      h.experts->shared = h.mlp;
    } else {
      c.ignore({"num_experts_per_tok"});
    }
    const auto recurrent = read_recurrent_layers(c, p.layers, "linear_attention", "full_attention");
    return p.stack<Model>([&](std::size_t i) { return h.layer(recurrent[i], h.experts.has_value()); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    if (has_gguf_names(source)) {
      unpermute_rotary(map, c);
      name_gguf_ssm(map, 1);
      return map;
    }
    const std::string shared = "model.layers.*.shared_mlp";
    GraniteMoe::name_granite_experts(map, "model.layers.*.block_sparse_moe", shared);
    map.replace("layers.*.mlp.gate", shared + ".input_linear").part(0, 2);
    map.replace("layers.*.mlp.up", shared + ".input_linear").part(1, 2);
    map.replace("layers.*.mlp.down", shared + ".output_linear");
    map.rename("layers.*.ssm.norm", "model.layers.*.input_layernorm");
    name_ssm(map, "layers.*.ssm", "model.layers.*.mamba");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(GraniteMoeHybrid)
}
