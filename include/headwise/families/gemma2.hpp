#pragma once
// Gemma 2: sandwich norms, soft-caps on scores and logits, a window in every second layer.                      arXiv:2408.00118

#include "headwise/families/gemma.hpp"

namespace hw::families {

struct Gemma2 {
  static constexpr std::string_view kModelTypes[] = {"gemma2"};
  using Model = Decoder<Gemma::Parts::SandwichBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Gemma::Parts p = Gemma::parts(c, source, 256);
    const auto windows = read_windows(c, p.layers, 4096, [](std::size_t i) { return i % 2 == 0; });
    return p.stack<Model>([&](std::size_t i) {
      p.attention.mask.window = windows[i];
      return p.sandwich_norm();
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    return has_gguf_names(source) ? gguf_names(c, source) : Gemma::sandwich_names(c, source);
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Gemma2)
}
