#pragma once
// Llama 4 (text): experts whose weight scales their input, chunked attention, layers without rotation.

#include "headwise/families/moe_common.hpp"

namespace hw::families {

struct Llama4 {
  static constexpr std::string_view kModelTypes[] = {"llama4_text"};
  using Parts = MoeParts<>;
  using Model = Parts::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.norm_eps = 1e-5, .head_dim = 128, .rope_theta = 5e5});
    auto& project = p.attention.project;
    project.rotary->pairs = kernels::RopePairs::neighbours;
    p.moe.router.score = RouterScore::sigmoid;
    p.moe.router.renormalise = false;
    p.moe.router.scale_input = true;
    p.moe.shared = p.widened(p.mlp.intermediate_size);
    p.mlp.intermediate_size = c.size("intermediate_size_mlp");

    const auto types = read_layer_types(c, p.layers, {"chunked_attention", "full_attention"});
    const auto step = static_cast<std::size_t>(c.size_or("interleave_moe_layer_step", 1));
    const auto every = static_cast<std::size_t>(c.size_or("no_rope_layer_interval", 4));
    const auto sparse = c.find("moe_layers");
    const auto listed = sparse ? sparse->as<std::vector<std::size_t>>() : std::vector<std::size_t>();
    auto rotates = c.get_or("no_rope_layers", std::vector<int>());  // 1: rotates
    for (std::size_t i = rotates.size(); i < p.layers; ++i) rotates.push_back((i + 1) % every != 0);
    const index_t chunk = c.size_or("attention_chunk_size", 8192);
    const auto scale = static_cast<float>(c.number_or("attn_scale", 0.1));
    const float temperature = c.get_or("attn_temperature_tuning", true) ? scale : 0.0f;
    const index_t floor = c.size_or("floor_scale", 8192);
    const bool norms = c.get_or("use_qk_norm", true);
    const auto rotary = project.rotary;
    return p.stack<Model>([&](std::size_t i) {
      const bool rotated = rotates[i] != 0, chunked = types.empty() ? rotated : types[i] == "chunked_attention";
      p.attention.mask.chunk = chunked ? chunk : 0;
      project.rotary = rotated ? rotary : std::nullopt;
      project.temperature_scale = rotated ? 0.0f : temperature;
      project.temperature_floor = floor;
      // Without weights, so that it does not matter that the model has it behind the rotation.
      const RmsNorm::Config norm{project.head_dim, p.norm.eps, false};
      project.q_norm = project.k_norm = rotated && norms ? AnyNormConfig(norm) : AnyNormConfig(NoNorm::Config{});
      return p.layer(sparse ? std::find(listed.begin(), listed.end(), i) != listed.end() : (i + 1) % step == 0);
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    const std::string file = "model.layers.*.feed_forward.", experts = "model.layers.*.feed_forward.experts.";
    name_experts(map, {.mlp = "feed_forward", .router = "router", .shared = "shared_expert"});
    for (const char* part : {"gate", "up", "down"}) map.rename(concat("layers.*.mlp.", part), concat(file, part, "_proj"));
    map.rename("layers.*.mlp.experts.*.gate.weight", experts + "gate_up_proj").slice(1).transpose().part(0, 2);
    map.rename("layers.*.mlp.experts.*.up.weight", experts + "gate_up_proj").slice(1).transpose().part(1, 2);
    map.rename("layers.*.mlp.experts.*.down.weight", experts + "down_proj").slice(1).transpose();
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Llama4)
}
