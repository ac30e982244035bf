#pragma once
// Command-R7B and Command-A: three layers with a window and rotation, then one without either.                arXiv:2504.00698

#include "headwise/families/cohere.hpp"

namespace hw::families {

struct Cohere2 {
  static constexpr std::string_view kModelTypes[] = {"cohere2"};
  using Model = Cohere::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Cohere::Parts p = Cohere::parts(c, source);
    const auto pattern = static_cast<std::size_t>(c.size_or({"sliding_window_pattern", "_sliding_window_pattern"}, 4));
    const auto windows = read_windows(c, p.layers, 4096, [&](std::size_t i) { return (i + 1) % pattern != 0; });
    const auto rotary = p.attention.project.rotary;
    return p.stack<Model>([&](std::size_t i) {
      p.attention.mask.window = windows[i];
      p.attention.project.rotary = windows[i] > 0 ? rotary : std::nullopt;
      return p.parallel();
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) { return Cohere::weights(c, source); }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Cohere2)
}
