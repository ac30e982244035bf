#pragma once
// Mistral: Llama with a window in every layer.                                                                  arXiv:2310.06825

#include "headwise/families/llama.hpp"

namespace hw::families {

struct Mistral {
  static constexpr std::string_view kModelTypes[] = {"mistral"};  // GGUF files call it llama
  using Model = Llama::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Llama::Parts p(c, source);
    const auto windows = read_windows(c, p.layers, 4096, [](std::size_t) { return true; });
    return p.stack<Model>([&](std::size_t i) {
      p.attention.mask.window = windows[i];
      return p.pre_norm();
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) { return Llama::weights(c, source); }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Mistral)
}
