#pragma once
// SmolLM3: Llama without rotation in every fourth layer.                                        NoPE, arXiv:2501.18795

#include "headwise/families/llama.hpp"
#include "headwise/families/qwen2.hpp"

namespace hw::families {

struct SmolLm3 {
  static constexpr std::string_view kModelTypes[] = {"smollm3"};
  using Model = Llama::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Llama::Parts p(c, source, {.rope_theta = 2e6});
    const auto interval = static_cast<std::size_t>(c.size_or("no_rope_layer_interval", 4));
    auto rotates = c.get_or("no_rope_layers", std::vector<int>());  // despite its name: 1 where a layer rotates
    if (rotates.empty())
      for (std::size_t i = 0; i < p.layers; ++i) rotates.push_back((i + 1) % interval != 0);
    if (rotates.size() != p.layers) c.fail(concat("no_rope_layers: expected ", p.layers, " (num_hidden_layers), found ", rotates.size()));
    c.ignore({"max_window_layers"});
    const auto windows = Qwen2::switched_windows(c, p.layers, [&](std::size_t i) { return rotates[i] == 0; });
    const auto rotary = p.attention.project.rotary;
    return p.stack<Model>([&](std::size_t i) {
      p.attention.project.rotary = rotates[i] != 0 ? rotary : std::nullopt;
      p.attention.mask.window = windows[i];
      return p.pre_norm();
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source, true);
    if (has_gguf_names(source)) unpermute_rotary(map, c);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(SmolLm3)
}
