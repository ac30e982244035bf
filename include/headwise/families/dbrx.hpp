#pragma once
// DBRX: LayerNorm without bias, q, k and v clipped, experts in every layer.

#include "headwise/families/moe_common.hpp"

namespace hw::families {

struct Dbrx {
  static constexpr std::string_view kModelTypes[] = {"dbrx"};
  using Parts = MoeParts<LayerNorm>;
  using Model = Parts::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const HfConfig attention = c.sub("attn_config"), ffn = c.sub("ffn_config");
    for (const HfConfig& part : {attention, ffn}) part.ignore({"is_encoder_decoder", "hidden_size"});
    Parts p(
        c, ffn, source,
        {.norm_eps = 1e-5, .rope_theta = attention.positive_or("rope_theta", 10000.0), .intermediate_size = ffn.size("ffn_hidden_size")});
    p.norm.bias = false;
    p.attention.project.num_key_value_heads = attention.size("kv_n_heads");
    p.attention.project.clip = static_cast<float>(attention.number_or("clip_qkv", 0.0));
    p.mlp.activation = parse_activation(ffn.sub("ffn_act_fn").get<std::string>("name"));
    ffn.only("moe_normalize_expert_weights", 1);
    ffn.ignore({"moe_loss_weight", "moe_jitter_eps"});
    for (GatedMlp::Config& expert : p.moe.experts.experts) expert.activation = p.mlp.activation;
    return p.stack<Model>([&](std::size_t) { return p.layer(true); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    const HfConfig attention = c.sub("attn_config");
    const index_t d = c.size("d_model"), heads = c.size("n_heads"), experts = c.sub("ffn_config").size("moe_num_experts");
    WeightMap map;
    map.rename("embedding", "transformer.wte");
    map.rename("norm", "transformer.norm_f");
    const std::string block = "transformer.blocks.*.", mlp = "transformer.blocks.*.ffn.experts.mlp.";
    map.rename("layers.*.attention.norm", block + "norm_attn_norm.norm_1");
    map.rename("layers.*.mlp.norm", block + "norm_attn_norm.norm_2");
    name_stacked_qkv(map, block + "norm_attn_norm.attn.Wqkv", d, attention.size("kv_n_heads") * (d / heads));
    map.rename("layers.*.attention.o", block + "norm_attn_norm.attn.out_proj");
    map.rename("layers.*.mlp.router", block + "ffn.router.layer");
    map.rename("layers.*.mlp.experts.*.gate.weight", mlp + "w1").slice(1, experts);
    map.rename("layers.*.mlp.experts.*.up.weight", mlp + "v1").slice(1, experts);
    map.rename("layers.*.mlp.experts.*.down.weight", mlp + "w2").slice(1, experts).transpose();
    name_head(map, c, "transformer.wte", "lm_head", false);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Dbrx)
}
