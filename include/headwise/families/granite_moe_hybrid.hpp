#pragma once
// Granite 4: Mamba-2 and attention in turn, experts beside a shared MLP, or that MLP alone.

#include "headwise/families/granite_moe.hpp"
#include "headwise/families/recurrent_common.hpp"

namespace hw::families {

struct GraniteMoeHybrid {
  static constexpr std::string_view kModelTypes[] = {"granitemoehybrid"};
  using Experts = MoeParts<>::Sparse;
  template <class Mixer, class Mlp>
  using Layer = Block<PreNorm<RmsNorm, Mixer>, PreNorm<RmsNorm, Mlp>>;
  using Model = Decoder<Layer<Ssd, GatedMlp>, Layer<Attention<>, GatedMlp>, Layer<Ssd, Experts>, Layer<Attention<>, Experts>>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    using Parts = DecoderParts<RmsNorm, GatedMlp>;
    Parts p(c, source);
    Granite::read_multipliers(c, p);
    const Ssd::Config ssm = read_ssd(c, p.norm.eps);
    if (c.get_or<std::string>("position_embedding_type", "") != "rope") p.attention.project.rotary.reset();
    GatedMlp::Config shared = p.mlp;
    shared.intermediate_size = c.size_or("shared_intermediate_size", p.mlp.intermediate_size);
    std::optional<Experts::Config> experts;
    if (c.size_or("num_local_experts", 0, 0) > 0) {
      experts = MoeParts<>(c, source).moe;
      experts->shared = shared;
    } else {
      c.ignore({"num_experts_per_tok"});
    }
    const auto recurrent = read_recurrent_layers(c, p.layers, "linear_attention", "full_attention");
    return p.stack<Model>([&](std::size_t i) -> Model::BlockConfig {
      const Add<RmsNorm>::Config join{.pre = p.norm, .scale = p.residual_scale};
      if (recurrent[i] && experts) return Layer<Ssd, Experts>::Config{{join, ssm}, {join, *experts}};
      if (recurrent[i]) return Layer<Ssd, GatedMlp>::Config{{join, ssm}, {join, shared}};
      if (experts) return Layer<Attention<>, Experts>::Config{{join, p.attention}, {join, *experts}};
      return Layer<Attention<>, GatedMlp>::Config{{join, p.attention}, {join, shared}};
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    const std::string shared = "model.layers.*.shared_mlp";
    GraniteMoe::name_granite_experts(map, "model.layers.*.block_sparse_moe", shared);
    map.replace("layers.*.mlp.gate", shared + ".input_linear").part(0, 2);
    map.replace("layers.*.mlp.up", shared + ".input_linear").part(1, 2);
    map.replace("layers.*.mlp.down", shared + ".output_linear");
    map.rename("layers.*.ssm.norm", "model.layers.*.input_layernorm");
    name_ssm(map, "layers.*.ssm", "model.layers.*.mamba");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(GraniteMoeHybrid)
}
