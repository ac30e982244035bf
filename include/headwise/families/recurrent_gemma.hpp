#pragma once
// RecurrentGemma (Griffin): two recurrent layers, then one of local attention.                                  arXiv:2404.07839

#include "headwise/families/decoder.hpp"
#include "headwise/families/recurrent_common.hpp"
#include "headwise/mixers/ssm/rg_lru.hpp"

namespace hw::families {

struct RecurrentGemma {
  static constexpr std::string_view kModelTypes[] = {"recurrent_gemma"};
  template <class Mixer>
  using Layer = Block<PreNorm<RmsNorm, Mixer>, PreNorm<RmsNorm, GatedMlp>>;
  using Model = Decoder<Layer<RgLru>, Layer<Attention<>>>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    DecoderParts<RmsNorm, GatedMlp> p(c, source, {.activation = "gelu_pytorch_tanh", .mlp_bias = true, .rotary_share = 0.5});
    const auto d = p.norm.size;
    p.mlp.intermediate_size /= 2;  // the field counts gate and up together
    p.embedding.scale = std::sqrt(static_cast<float>(d));
    p.attention.options.output_bias = true;
    p.attention.mask.window = c.size_or("attention_window_size", 2048);
    const RgLru::Config recurrent{d, c.size_or("lru_width", d), p.attention.project.num_attention_heads, c.size_or("conv1d_width", 4),
                                  p.mlp.activation};
    if (const auto cap = static_cast<float>(c.number_or("logits_soft_cap", 30.0)); cap > 0) p.head.emplace_back(ScaleStage{1.0f, cap});
    c.ignore({"final_w_init_variance_scale", "w_init_variance_scale"});
    const auto pattern = c.get_or("block_types", std::vector<std::string>{"recurrent", "recurrent", "attention"});
    for (const std::string& type : pattern)
      if (type != "recurrent" && type != "attention") c.fail(concat("block_types: expected recurrent or attention, found ", quoted(type)));
    if (pattern.empty()) c.fail("block_types: expected at least one, found none");
    return p.stack<Model>([&](std::size_t i) -> Model::BlockConfig {
      const Add<RmsNorm>::Config join{.pre = p.norm};
      if (pattern[i % pattern.size()] == "recurrent") return Layer<RgLru>::Config{{join, recurrent}, {join, p.mlp}};
      return Layer<Attention<>>::Config{{join, p.attention}, {join, p.mlp}};
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map;
    const std::string file = "model.layers.*.temporal_block.", ours = "layers.*.recurrent.";
    map.rename("embedding", "model.embed_tokens");
    map.rename("norm", "model.final_norm").plus(1);  // the file keeps norm weights minus 1
    for (const char* mixer : {"attention", "recurrent"})
      map.rename(concat("layers.*.", mixer, ".norm"), "model.layers.*.temporal_pre_norm").plus(1);
    map.rename("layers.*.mlp.norm", "model.layers.*.channel_pre_norm").plus(1);
    for (const char* x : {"q", "k", "v", "o"}) map.rename(concat("layers.*.attention.", x), concat(file, x, "_proj"));
    for (const char* x : {"gate", "up", "down"}) map.rename(concat("layers.*.mlp.", x), concat("model.layers.*.mlp_block.", x, "_proj"));
    for (const auto& [x, name] : {std::pair("x", "x"), {"y", "y"}, {"o", "out"}})
      map.rename(concat(ours, x), concat(file, "linear_", name));
    map.rename(ours + "conv.weight", file + "conv_1d.weight").flatten(2);
    map.rename(ours + "conv.bias", file + "conv_1d.bias");
    for (const auto& [x, name] : {std::pair("r", "recurrent"), {"i", "input"}}) {
      map.rename(concat(ours, x, ".*.weight"), concat(file, "rg_lru.", name, "_gate_weight")).slice(1).transpose();
      map.rename(concat(ours, x, ".*.bias"), concat(file, "rg_lru.", name, "_gate_bias")).slice(1);
    }
    map.rename(ours + "lambda", file + "rg_lru.recurrent_param");
    name_head(map, c, "model.embed_tokens", "lm_head", true);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(RecurrentGemma)
}
