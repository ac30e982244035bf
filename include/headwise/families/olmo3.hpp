#pragma once
// OLMo 2 and 3: norms behind attention and MLP only, and over the whole rows of q and k; OLMo 3 has windows.    arXiv:2501.00656

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct Olmo3 {
  static constexpr std::string_view kModelTypes[] = {"olmo2", "olmo3"};
  using Parts = DecoderParts<RmsNorm, GatedMlp>;
  using Model = Decoder<Parts::DeltaNormBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.norm_eps = 1e-5});
    auto& project = p.attention.project;
    project.q_norm = RmsNorm::Config{project.num_attention_heads * project.head_dim, p.norm.eps};
    project.k_norm = RmsNorm::Config{project.num_key_value_heads * project.head_dim, p.norm.eps};
    // Layers with a window never scale their rotation.
    const RotaryConfig global = read_rotary(c, project.head_dim, "full_attention", 5e5);
    RotaryConfig local = global;
    local.scaling = RopeScaling::none;
    local.theta = c.positive_or("rope_local_base_freq", global.theta);  // GGUF
    if (c.has("rope_parameters")) local = read_rotary(c, project.head_dim, "sliding_attention", 5e5);
    const index_t window = c.get<std::string>("model_type") == "olmo3" ? 4096 : 0;
    const auto windows = read_windows(c, p.layers, window, [](std::size_t i) { return (i + 1) % 4 != 0; });
    return p.stack<Model>([&](std::size_t i) {
      p.attention.mask.window = windows[i];
      project.rotary = windows[i] > 0 ? local : global;
      return p.delta_norm();
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    if (has_gguf_names(source)) return map;
    map.rename("layers.*.attention.delta_norm", "model.layers.*.post_attention_layernorm");
    map.rename("layers.*.mlp.delta_norm", "model.layers.*.post_feedforward_layernorm");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Olmo3)
}
