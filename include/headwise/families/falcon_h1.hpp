#pragma once
// Falcon-H1: attention and Mamba-2 side by side in every layer, and a factor at every place.                     arXiv:2507.22448

#include "headwise/blocks/scaled.hpp"
#include "headwise/families/decoder.hpp"
#include "headwise/families/recurrent_common.hpp"

namespace hw::families {

struct FalconH1 {
  static constexpr std::string_view kModelTypes[] = {"falcon_h1"};
  static constexpr std::string_view kArchitectures[] = {"falcon-h1"};  // its files have the factors in the weights
  using Parts = DecoderParts<RmsNorm, GatedMlp>;
  using Mixers = Parallel<Scaled<Attention<>>, Scaled<Ssd>>;
  using Block = hw::Block<PreNorm<RmsNorm, Mixers>, PreNorm<RmsNorm, Scaled<GatedMlp>>>;
  using Model = Decoder<Block>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const auto factor = [&](const char* name) { return static_cast<float>(c.number_or(name, 1.0)); };
    Parts p(c, source, {.norm_eps = 1e-5});
    Ssd::Config ssm = read_ssd(c, p.norm.eps);
    const bool gguf = has_gguf_names(source);
    ssm.norm = c.get_or("mamba_rms_norm", gguf && source.find("blk.0.ssm_norm.weight") != nullptr);
    ssm.norm_before_gate = c.get_or("mamba_norm_before_gate", !gguf);
    ssm.in_scale = factor("ssm_in_multiplier");
    const auto parts = c.get_or("ssm_multipliers", std::vector<float>(5, 1.0f)),
               mlp = c.get_or("mlp_multipliers", std::vector<float>(2, 1.0f));
    if (parts.size() != 5 || mlp.size() != 2) c.fail("ssm_multipliers, mlp_multipliers: expected 5 and 2 numbers");
    std::copy(parts.begin(), parts.end(), ssm.part_scales.begin());
    p.mlp.gate_scale = mlp[0];
    p.attention.options.scale = factor("key_multiplier") / std::sqrt(static_cast<float>(p.attention.project.head_dim));
    p.embedding.scale = factor("embedding_multiplier");
    p.head.emplace_back(ScaleStage{factor("lm_head_multiplier")});
    c.ignore({"mamba_d_ssm", "projectors_bias"});
    const Block::Config block{
        {{.pre = p.norm},
         {{p.attention, factor("attention_in_multiplier"), factor("attention_out_multiplier")}, {ssm, 1.0f, factor("ssm_out_multiplier")}}},
        {{.pre = p.norm}, {p.mlp, 1.0f, mlp[1]}}};
    return p.stack<Model>([&](std::size_t) { return block; });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    if (has_gguf_names(source)) {
      name_gguf_ssm(map, 1);
      for (const char* file : {"blk.*.ffn_norm", "blk.*.ffn_norm.weight"}) map.rename("layers.*.mlp.norm.weight", file);
      return map;
    }
    map.rename("norm", "model.final_layernorm");
    name_ssm(map, "layers.*.ssm", "model.layers.*.mamba");
    map.replace("layers.*.mlp.norm", "model.layers.*.pre_ff_layernorm");
    for (const char* part : {"gate", "up", "down"})
      map.replace(concat("layers.*.mlp.", part), concat("model.layers.*.feed_forward.", part, "_proj"));
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(FalconH1)
}
