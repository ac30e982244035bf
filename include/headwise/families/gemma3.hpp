#pragma once
// Gemma 3, text only: sandwich norms, q/k norms, windows of two rotary bases.                                    arXiv:2503.19786

#include "headwise/families/gemma.hpp"

namespace hw::families {

struct Gemma3 {
  static constexpr std::string_view kModelTypes[] = {"gemma3_text"};  // "gemma3" in a folder is the vision model around it
  static constexpr std::string_view kArchitectures[] = {"gemma3"};
  using Parts = Gemma::Parts;
  using Model = Decoder<Parts::SandwichBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p = Gemma::parts(c, source, 256);
    auto& project = p.attention.project;
    project.q_norm = project.k_norm = RmsNorm::Config{project.head_dim, p.norm.eps};

    const RotaryConfig global = read_rotary(c, project.head_dim, "full_attention", 1e6);
    RotaryConfig local = global;
    if (c.has("rope_parameters")) {
      local = read_rotary(c, project.head_dim, "sliding_attention");
    } else {
      local.theta = c.positive_or("rope_local_base_freq", 10000.0);
      local.scaling = RopeScaling::none;
    }
    const auto pattern = c.get_or<std::size_t>({"sliding_window_pattern", "_sliding_window_pattern"}, 6);
    const auto windows = read_windows(c, p.layers, 4096, [&](std::size_t i) { return pattern == 0 || (i + 1) % pattern != 0; });
    return p.stack<Model>([&](std::size_t i) {
      p.attention.mask.window = windows[i];
      project.rotary = windows[i] > 0 ? local : global;
      return p.sandwich_norm();
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    if (has_gguf_names(source)) return gguf_names(c, source);
    WeightMap map = Gemma::sandwich_names(c, source);
    for (const char* name : {"q", "k"})
      map.rename(concat("layers.*.attention.", name, "_norm"), concat("model.layers.*.self_attn.", name, "_norm")).plus(1);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Gemma3)
}
