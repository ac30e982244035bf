#pragma once
// LFM2: gated short convolutions, attention in between; in lfm2_moe experts behind the first layers.             arXiv:2511.23404

#include "headwise/families/hybrid_common.hpp"
#include "headwise/families/recurrent_common.hpp"
#include "headwise/mixers/gated_conv.hpp"

namespace hw::families {

struct Lfm2 {
  static constexpr std::string_view kModelTypes[] = {"lfm2", "lfm2_moe"};
  static constexpr std::string_view kArchitectures[] = {"lfm2", "lfm2moe"};
  using Hybrid = HybridParts<GatedConv, Attention<>>;
  using Model = Hybrid::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    DecoderParts<RmsNorm, GatedMlp> p(c, source, {.norm_eps = 1e-5, .rope_theta = 1e6});
    auto& project = p.attention.project;
    project.q_norm = project.k_norm = RmsNorm::Config{project.head_dim, p.norm.eps};
    if (c.get_or("block_auto_adjust_ff_dim", false)) {  // two thirds, stretched, and up to a multiple
      const double stretch = c.number_or("block_ffn_dim_multiplier", 1.0);
      const index_t of = c.size_or("block_multiple_of", 256);
      const auto width = static_cast<index_t>(stretch * static_cast<double>(2 * p.mlp.intermediate_size / 3));
      p.mlp.intermediate_size = (width + of - 1) / of * of;
    }
    c.ignore({"block_ffn_dim_multiplier", "block_multiple_of", "full_attn_idxs"});
    Hybrid h{{.pre = p.norm}, {p.norm.size, c.size_or("conv_L_cache", 3), c.get_or("conv_bias", false)}, p.attention, p.mlp};
    std::size_t dense = p.layers;
    if (c.get<std::string>("model_type") != "lfm2") {
      h.experts = read_moe<TopKRouter, GatedMlp>(c, p.mlp);
      c.only("scoring_func", "sigmoid");
      read_grouped_router(c, h.experts->router);
      h.experts->router.choice_bias = c.get_or("use_expert_bias", true);
      dense = static_cast<std::size_t>(c.size_or({"num_dense_layers", "first_k_dense_replace"}, 0, 0));
    }
    const auto convolves = read_recurrent_layers(c, p.layers, "conv", "full_attention");
    return p.stack<Model>([&](std::size_t i) { return h.layer(convolves[i], i >= dense); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source, true);
    if (has_gguf_names(source)) {
      map.replace("norm", "token_embd_norm");
      map.rename("layers.*.conv.norm", "blk.*.attn_norm");
      map.rename("layers.*.conv.in", "blk.*.shortconv.in_proj");
      map.rename("layers.*.conv.out", "blk.*.shortconv.out_proj");
      map.rename("layers.*.conv.conv", "blk.*.shortconv.conv");
      return map;
    }
    map.replace("norm", "model.embedding_norm");
    for (const char* mixer : {"attention", "conv"}) map.replace(concat("layers.*.", mixer, ".norm"), "model.layers.*.operator_norm");
    map.replace("layers.*.mlp.norm", "model.layers.*.ffn_norm");
    map.replace("layers.*.attention.o", "model.layers.*.self_attn.out_proj");
    for (const char* x : {"q", "k"})
      map.rename(concat("layers.*.attention.", x, "_norm"), concat("model.layers.*.self_attn.", x, "_layernorm"));
    map.rename("layers.*.conv.in", "model.layers.*.conv.in_proj");
    map.rename("layers.*.conv.out", "model.layers.*.conv.out_proj");
    map.rename("layers.*.conv.conv.weight", "model.layers.*.conv.conv.weight").flatten(2);
    map.rename("layers.*.conv.conv.bias", "model.layers.*.conv.conv.bias");
    name_experts(map, {.mlp = "feed_forward", .gate = "w1", .up = "w3", .down = "w2"});
    map.replace("layers.*.mlp.router.choice_bias", "model.layers.*.feed_forward.expert_bias");
    for (const auto& [part, file] : {std::pair("gate", "w1"), {"up", "w3"}, {"down", "w2"}})
      map.replace(concat("layers.*.mlp.", part), concat("model.layers.*.feed_forward.", file));
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Lfm2)
}
