#pragma once
// Qwen3: RMSNorm over each head of q and k, no biases.                                                         arXiv:2505.09388

#include "headwise/families/qwen2.hpp"

namespace hw::families {

struct Qwen3 {
  static constexpr std::string_view kModelTypes[] = {"qwen3"};
  using Parts = Qwen2::Parts;
  using Model = Qwen2::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.head_dim = 128});
    p.attention.project.q_norm = p.attention.project.k_norm = RmsNorm::Config{p.attention.project.head_dim, p.norm.eps};
    const auto from = c.get_or<std::size_t>("max_window_layers", 28);
    const auto windows = Qwen2::switched_windows(c, p.layers, [&](std::size_t i) { return i >= from; });
    return p.stack<Model>([&](std::size_t i) {
      p.attention.mask.window = windows[i];
      return p.pre_norm();
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) { return decoder_names(c, source); }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Qwen3)
}
