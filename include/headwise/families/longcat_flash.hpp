#pragma once
// LongCat-Flash: two latent attentions and two dense layers a block; experts, some of them the identity, beside all but the first.
//                                                                                                                   arXiv:2509.01322

#include "headwise/blocks/parallel.hpp"
#include "headwise/families/latent_common.hpp"

namespace hw::families {

struct LongCatFlash {
  static constexpr std::string_view kModelTypes[] = {"longcat_flash"};
  using Parts = MoeParts<>;
  using Attn = Attention<Causal, LatentProjection>;
  using Attend = PreNorm<RmsNorm, Attn>;
  using Dense = PreNorm<RmsNorm, GatedMlp>;
  // The experts read what the first dense layer reads, and join behind the second.
  using Layer = Block<Attend, Keep, Dense, Attend, Dense, Residual<AddFrom<>, Normed<RmsNorm, Parts::Sparse>>>;
  using Model = Decoder<Layer>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.norm_eps = 1e-5, .rope_theta = 10000000.0});
    Attn::Config attention = read_latent_attention(c, 1e-6f);  // whatever rms_norm_eps says
    const auto scale_of = [&](const char* key, index_t rank) {
      return c.get_or(key, true) && rank > 0 ? std::sqrt(static_cast<float>(p.norm.size) / static_cast<float>(rank)) : 1.0f;
    };
    attention.project.q_scale = scale_of("mla_scale_q_lora", attention.project.q_rank);
    attention.project.kv_scale = scale_of("mla_scale_kv_lora", attention.project.kv_rank);

    p.moe.experts.identities = c.size_or("zero_expert_num", 0, 0);
    p.moe.router.num_experts += p.moe.experts.identities;
    p.moe.router.renormalise = false;
    p.moe.router.choice_bias = true;
    p.moe.router.bias = c.get_or("router_bias", false);
    p.moe.router.scale = static_cast<float>(c.positive_or("routed_scaling_factor", 1.0));
    c.only("zero_expert_type", "identity");
    c.only("attention_method", "MLA");
    return p.stack<Model>([&](std::size_t) {
      return Layer::Config{{{.pre = p.norm}, attention, "attention.0"}, {"shortcut"},
                           {{.pre = p.norm}, p.mlp, "mlp.0"},           {{.pre = p.norm}, attention, "attention.1"},
                           {{.pre = p.norm}, p.mlp, "mlp.1"},           {{"shortcut"}, {p.norm, p.moe}}};
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    name_experts(map);
    map.rename("layers.*.mlp.router", "model.layers.*.mlp.router.classifier");
    map.rename("layers.*.mlp.router.choice_bias", "model.layers.*.mlp.router.e_score_correction_bias");
    map.rename("layers.*.mlp.norm", "model.layers.*.post_attention_layernorm.0");
    map.rename("layers.*.attention.*", "model.layers.*.self_attn.*");
    map.rename("layers.*.attention.*.norm", "model.layers.*.input_layernorm.*");
    map.rename("layers.*.attention.*.o", "model.layers.*.self_attn.*.o_proj");
    name_latent_attention(map, c, "layers.*.attention.*", "model.layers.*.self_attn.*");
    map.rename("layers.*.mlp.*.norm", "model.layers.*.post_attention_layernorm.*");
    for (const char* name : {"gate", "up", "down"})
      map.rename(concat("layers.*.mlp.*.", name), concat("model.layers.*.mlps.*.", name, "_proj"));
    map.ignore("model.mtp.**");  // layers that draft
    const index_t experts = c.size("n_routed_experts");
    for (index_t i = 0; i < std::min<index_t>(c.size_or("zero_expert_num", 0, 0), 4096); ++i)
      map.ignore(concat("model.layers.*.mlp.experts.", experts + i, ".**"));  // identities, for which some files have weights
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(LongCatFlash)
}
