#pragma once
// Ring 2.5 (bailing_hybrid): Kimi delta attention with bounded decays, gated latent attention, experts in groups.

#include "headwise/families/kimi_linear.hpp"
#include "headwise/mixers/attention/projections.hpp"

namespace hw::families {

struct BailingHybrid {
  static constexpr std::string_view kModelTypes[] = {"bailing_hybrid"};
  using Hybrid = HybridParts<GatedDeltaNet, Attention<Causal, GatedWholeHeads<LatentProjection>>>;
  using Model = Hybrid::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    MoeParts<> p(c, source, {.rotary = false});
    GatedDeltaNet::Config delta = KimiLinear::read_delta_attention(c, p.norm);
    if (c.get_or("kda_safe_gate", true)) delta.decay_floor = static_cast<float>(c.number_or("kda_lower_bound", -5.0));
    const auto attention = read_latent_attention(c, 1e-6f);
    KimiLinear::read_experts(c, p);
    c.ignore({"mtp_loss_scaling_factor", "rope_theta", "layer_group_size"});  // rope_parameters and layer_types have the last two
    p.max_positions = c.size_or("model_max_length", 0);
    const Hybrid h{{.pre = p.norm}, delta, {attention.project, attention.mask, attention.options, {}, {}}, p.mlp, p.moe};
    const auto recurrent = read_recurrent_layers(c, p.layers, "linear_attention", "full_attention");
    const auto sparse = KimiLinear::sparse_layers(c, p.layers);
    return p.stack<Model>([&](std::size_t i) { return h.layer(recurrent[i], sparse[i]); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    const std::string mixer = "model.layers.*.attention";
    map.replace("embedding", "model.word_embeddings");
    KimiLinear::name_delta_attention(map, mixer);
    name_latent_attention(map, c, "layers.*.attention", mixer);
    for (const auto& [part, file] : {std::pair("a", ".f_proj"), {"z", ".g_proj"}, {"o", ".dense"}})
      map.replace(concat("layers.*.linear_attention.", part), mixer + file);
    map.replace("layers.*.attention.o", mixer + ".dense");
    map.rename("layers.*.attention.gate", mixer + ".g_proj");
    name_experts(map);
    map.replace("layers.*.mlp.router.choice_bias", "model.layers.*.mlp.gate.expert_bias");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(BailingHybrid)
}
