#pragma once
// ZAYA1: compressed convolutional attention, one expert a token by a router with a state of its own.        arXiv:2511.17127

#include "headwise/blocks/join_variants.hpp"
#include "headwise/families/moe_common.hpp"
#include "headwise/mixers/attention/convolved_projection.hpp"
#include "headwise/moe/depth_router.hpp"

namespace hw::families {

struct Zaya {
  static constexpr std::string_view kModelTypes[] = {"zaya"};
  using Attn = Attention<Causal, ConvolvedProjection>;
  using Experts = Moe<DepthRouter, GatedMlp>;
  using Layer = Block<Residual<AffineAdd<RmsNorm>, Attn>, Residual<AffineAdd<RmsNorm>, Experts>>;
  using Model = Decoder<Layer>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    DecoderParts<RmsNorm, GatedMlp> p(c, source, {.norm_eps = 1e-5, .rotary = false, .intermediate_size = 1});
    p.embedding.affine = true;
    const auto& sizes = p.attention.project;
    ConvolvedProjection::Config project{.hidden_size = sizes.hidden_size,
                                        .num_attention_heads = sizes.num_attention_heads,
                                        .num_key_value_heads = sizes.num_key_value_heads,
                                        .head_dim = sizes.head_dim,
                                        .depthwise_taps = c.size_or("cca_time0", 2),
                                        .grouped_taps = c.size_or("cca_time1", 2)};
    auto moe = read_moe<DepthRouter, GatedMlp>(c, p.mlp);
    moe.router.num_experts += 1;  // the last is to skip them all
    moe.router.size = c.size_or("router_hidden_size", 256);
    moe.router.norm_eps = p.norm.eps;
    c.only("num_experts_per_tok", 1);
    c.only("lm_head_bias", false);
    c.only("attention_bias", false);
    const index_t window = c.size_or("sliding_window", 0, 0);
    const RotaryConfig far = read_rotary(c, project.head_dim, "hybrid", 5e6, 0.5),
                       near = read_rotary(c, project.head_dim, "hybrid_sliding", 1e4, 0.5);
    auto types = read_layer_types(c, p.layers, {"hybrid", "hybrid_sliding"});
    types.resize(p.layers, "hybrid");
    if (window == 0 && std::find(types.begin(), types.end(), "hybrid_sliding") != types.end())
      c.fail("layer_types: hybrid_sliding needs a sliding_window, found none");
    const AffineAdd<RmsNorm>::Config join{p.norm, p.norm.size};
    return p.stack<Model>([&](std::size_t i) {
      const bool slides = types[i] == "hybrid_sliding";
      project.rotary = slides ? near : far;
      moe.router.first = i == 0;
      Attn::Config attention{project, {}, p.attention.options, {}, {}};
      attention.mask.window = slides ? window : 0;
      return Layer::Config{{join, attention}, {join, moe}};
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source, true);
    map.rename("embedding.shift", "model.input_hidden_states_bias");
    map.rename("embedding.gain", "model.input_hidden_states_scale");
    for (const char* part : {"attention", "mlp"})
      for (const auto& [ours, name] : {std::pair("stream_shift", "residual_bias"),
                                       {"stream_gain", "residual_scale"},
                                       {"delta_shift", "hidden_states_bias"},
                                       {"delta_gain", "hidden_states_scale"}})
        map.rename(concat("layers.*.", part, ".", ours), concat("model.layers.*.post_", part, "_residual_scale.", name));
    const std::string attention = "layers.*.attention.", file = "model.layers.*.self_attn.", qkv = file + "qkv_proj.";
    for (const auto& [part, name] : {std::pair("q", "q_proj"), {"k", "k_proj"}, {"v", "v_proj_current"}, {"v_delayed", "v_proj_delayed"}})
      map.replace(concat(attention, part), concat(qkv, name));
    map.rename(attention + "depthwise.weight", qkv + "conv_qk_depthwise.weight").flatten(2);
    map.rename(attention + "grouped.weight", qkv + "conv_qk_grouped.weight").flatten(2);
    for (const char* conv : {"depthwise", "grouped"}) map.rename(concat(attention, conv, ".bias"), concat(qkv, "conv_qk_", conv, ".bias"));
    map.rename(attention + "key_scale", file + "qk_norm.temp");
    const std::string router = "layers.*.mlp.router.", gate = "model.layers.*.mlp.gate.";
    for (const auto& [part, name] : {std::pair("down", "down_proj"),
                                     {"norm", "router_mlp.norm"},
                                     {"up.0", "router_mlp.fc1"},
                                     {"up.1", "router_mlp.fc2"},
                                     {"out", "router_mlp.out_proj"},
                                     {"choice_bias", "balancing_biases"},
                                     {"state_scale", "router_states_scale"}})
      map.rename(concat(router, part), concat(gate, name));
    const std::string expert = "layers.*.mlp.experts.*.", experts = "model.layers.*.mlp.experts.";
    map.rename(expert + "gate.weight", experts + "gate_up_proj").slice(1).part(0, 2);
    map.rename(expert + "up.weight", experts + "gate_up_proj").slice(1).part(1, 2);
    map.rename(expert + "down.weight", experts + "down_proj").slice(1);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Zaya)
}
