#pragma once
// Qwen2 and Qwen2.5: biases on q, k and v, windows from some layer on.                                         arXiv:2407.10671

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct Qwen2 {
  static constexpr std::string_view kModelTypes[] = {"qwen2"};
  using Parts = DecoderParts<RmsNorm, GatedMlp>;
  using Model = Decoder<Parts::PreNormBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.bias = true});
    p.attention.options.output_bias = false;
    const auto from = c.get_or<std::size_t>("max_window_layers", 28);
    const auto windows = switched_windows(c, p.layers, [&](std::size_t i) { return i >= from; });
    return p.stack<Model>([&](std::size_t i) {
      p.attention.mask.window = windows[i];
      return p.pre_norm();
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) { return decoder_names(c, source); }

  /// read_windows with a switch: none unless use_sliding_window.
  template <class Slides>
  static std::vector<index_t> switched_windows(const HfConfig& c, std::size_t layers, const Slides& slides) {
    if (c.get_or("use_sliding_window", false)) return read_windows(c, layers, 4096, slides);
    const auto types = read_layer_types(c, layers, {"sliding_attention", "full_attention"});
    const index_t window = c.size_or("sliding_window", 0, 0);  // some files say 0 for none
    if (window == 0 && std::find(types.begin(), types.end(), "sliding_attention") != types.end())
      c.fail("layer_types: a sliding_attention needs a sliding_window, found none");
    return std::vector<index_t>(layers, 0);
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Qwen2)
}
