#pragma once
// Jamba: Mamba with inner norms, an attention layer in eight, experts in every other layer.                     arXiv:2403.19887

#include "headwise/families/hybrid_common.hpp"
#include "headwise/families/recurrent_common.hpp"
#include "headwise/mixers/ssm/selective_ssm.hpp"

namespace hw::families {

struct Jamba {
  static constexpr std::string_view kModelTypes[] = {"jamba"};
  using Hybrid = HybridParts<SelectiveSsm, Attention<>>;
  using Model = Hybrid::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    MoeParts<> p(c, source, {.rotary = false});
    p.moe.router.renormalise = false;
    const index_t d = p.norm.size;
    const SelectiveSsm::Config ssm{.hidden_size = d,
                                   .inner_size = c.size_or("ssm_inner_size", checked_mul(c.size_or("mamba_expand", 2), d, "mamba_expand")),
                                   .state_size = c.size_or({"mamba_d_state", "state_size"}, 16),
                                   .dt_rank = c.size_or({"mamba_dt_rank", "time_step_rank"}, (d + 15) / 16),
                                   .kernel_size = c.size_or({"mamba_d_conv", "conv_kernel"}, 4),
                                   .conv_bias = c.get_or("mamba_conv_bias", true),
                                   .bias = c.get_or("mamba_proj_bias", false),
                                   .inner_norms = true,
                                   .norm_eps = p.norm.eps};
    c.ignore({"use_mamba_kernels", "use_associative_scan", "use_mambapy", "num_logits_to_keep"});
    const auto every = [&](const char* period, index_t usual_period, const char* offset, index_t usual_offset) {
      return std::pair(static_cast<std::size_t>(c.size_or(period, usual_period)),
                       static_cast<std::size_t>(c.size_or(offset, usual_offset, 0)));
    };
    const auto attends = every("attn_layer_period", 8, "attn_layer_offset", 4),
               routes = every("expert_layer_period", 2, "expert_layer_offset", 1);
    const bool has_experts = p.moe.router.num_experts > 1;
    const Hybrid h{{.pre = p.norm}, ssm, p.attention, p.mlp, p.moe};
    if (has_gguf_names(source)) {  // which says it layer by layer
      const auto recurrent = read_recurrent_layers(c, p.layers, "recurrent", "full_attention");
      return p.stack<Model>([&](std::size_t i) { return h.layer(recurrent[i], has_gguf_experts(source, i)); });
    }
    return p.stack<Model>(
        [&](std::size_t i) { return h.layer(i % attends.first != attends.second, has_experts && i % routes.first == routes.second); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    if (has_gguf_names(source)) {
      name_gguf_ssm(map, 2);
      return map;
    }
    map.replace("norm", "model.final_layernorm");
    map.rename("layers.*.ssm.norm", "model.layers.*.input_layernorm");
    map.replace("layers.*.mlp.norm", "model.layers.*.pre_ff_layernorm");
    name_ssm(map, "layers.*.ssm", "model.layers.*.mamba");
    for (const char* x : {"dt", "b", "c"})
      map.rename(concat("layers.*.ssm.", x, "_norm"), concat("model.layers.*.mamba.", x, "_layernorm"));
    name_experts(map, {.mlp = "feed_forward", .router = "router"});
    for (const char* x : {"gate", "up", "down"})
      map.replace(concat("layers.*.mlp.", x), concat("model.layers.*.feed_forward.", x, "_proj"));
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Jamba)
}
