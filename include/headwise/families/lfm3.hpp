#pragma once
// LFM3: LFM2 with norms on both sides, a gate for each head, windows in some attentions and rotations of their own in the others.

#include "headwise/families/lfm2.hpp"
#include "headwise/mixers/attention/projections.hpp"

namespace hw::families {

struct Lfm3 {
  static constexpr std::string_view kModelTypes[] = {"lfm3"};
  using Attn = Attention<Causal, GatedWholeHeads<QkvProjection>>;
  template <class Mixer>
  using Layer = Block<SandwichNorm<RmsNorm, Mixer>, SandwichNorm<RmsNorm, GatedMlp>>;
  using Model = Decoder<Layer<GatedConv>, Layer<Attn>>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    DecoderParts<RmsNorm, GatedMlp> p(c, source, {.norm_eps = 1e-5, .rotary = false});
    auto& project = p.attention.project;
    project.q_norm = project.k_norm = RmsNorm::Config{project.head_dim, p.norm.eps};
    c.only("use_sandwich_norm", true);
    c.only("use_attention_gate", true);
    const GatedConv::Config conv{p.norm.size, c.size_or("conv_L_cache", 3), c.get_or("conv_bias", false)};
    const RotaryConfig near = read_rotary(c, project.head_dim, "sliding_attention"), far = read_proportional(c, project.head_dim);
    const index_t window = c.size_or("sliding_window", 0, 0);
    const auto types = read_layer_types(c, p.layers, {"conv", "sliding_attention", "full_attention"});
    if (types.empty()) c.fail("layer_types: expected a type for each layer, found none");
    if (window == 0 && std::find(types.begin(), types.end(), "sliding_attention") != types.end())
      c.fail("layer_types: a sliding_attention needs a sliding_window, found none");
    const Add<RmsNorm, RmsNorm>::Config join{p.norm, p.norm};
    return p.stack<Model>([&](std::size_t i) -> Model::BlockConfig {
      if (types[i] == "conv") return Layer<GatedConv>::Config{{join, conv}, {join, p.mlp}};
      const bool slides = types[i] == "sliding_attention";
      p.attention.mask.window = slides ? window : 0;
      project.rotary = slides ? near : far;
      const Attn::Config attention{project, p.attention.mask, p.attention.options, {}, {}};
      return Layer<Attn>::Config{{join, attention}, {join, p.mlp}};
    });
  }

  /// The rotation of full attention: the frequencies of a whole head, of which a share turns (rope_type proportional).
  static RotaryConfig read_proportional(const HfConfig& c, index_t head_dim) {
    const auto all = c.find_sub("rope_parameters");
    const auto own = all ? all->find_sub("full_attention") : std::nullopt;
    if (!own || own->get_or<std::string>("rope_type", "default") != "proportional") return read_rotary(c, head_dim, "full_attention");
    RotaryConfig out{.dims = head_dim, .theta = own->positive_or("rope_theta", 1e6)};
    const auto turning = static_cast<std::size_t>(own->positive_or("partial_rotary_factor", 1.0) * static_cast<double>(head_dim) / 2);
    constexpr float kStill = 1e20f;  // slower than any sequence is long
    out.frequency_factors.assign(static_cast<std::size_t>(head_dim / 2), kStill);
    std::fill_n(out.frequency_factors.begin(), std::min(turning, out.frequency_factors.size()), 1.0f);
    return out;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = Lfm2::weights(c, source);
    for (const char* mixer : {"attention", "conv"})
      map.rename(concat("layers.*.", mixer, ".delta_norm"), "model.layers.*.post_operator_norm");
    map.rename("layers.*.mlp.delta_norm", "model.layers.*.post_ffn_norm");
    map.rename("layers.*.attention.gate", "model.layers.*.self_attn.gate_proj");
    map.replace("layers.*.attention.o", "model.layers.*.self_attn.o_proj");
    for (const char* x : {"q", "k"})
      map.replace(concat("layers.*.attention.", x, "_norm"), concat("model.layers.*.self_attn.", x, "_norm"));
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Lfm3)
}
