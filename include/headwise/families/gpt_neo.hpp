#pragma once
// GPT-Neo: layers with and without a window, scores that are not scaled.

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct GptNeo {
  static constexpr std::string_view kModelTypes[] = {"gpt_neo"};
  using Parts = DecoderParts<LayerNorm, Mlp>;
  using Model = Decoder<Parts::PreNormBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.activation = "gelu_new", .norm_eps = 1e-5, .mlp_bias = true, .rotary = false});
    p.embedding.positions = p.max_positions;
    p.attention.options.output_bias = true;
    p.attention.options.scale = 1.0f;
    c.ignore({"summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj"});
    const index_t window = c.size_or("window_size", 256);
    const auto kinds = read_kinds(c, p.layers);
    return p.stack<Model>([&](std::size_t i) {
      p.attention.mask.window = kinds[i] == "local" ? window : 0;
      return p.pre_norm();
    });
  }

  /// attention_layers, one for each layer; or attention_types, [[kinds, how often], ...].
  static std::vector<std::string> read_kinds(const HfConfig& c, std::size_t layers) {
    auto out = c.get_or("attention_layers", std::vector<std::string>());
    const auto types = c.find("attention_types");
    if (out.empty() && types)
      for (const Json& group : types->items())
        for (auto n = group.at(1).as<std::size_t>(); n > 0 && out.size() < layers; --n)
          for (const Json& kind : group.at(0).items()) out.push_back(kind.as<std::string>());
    if (out.size() != layers) c.fail(concat("attention_layers: expected ", layers, " (num_layers), found ", out.size()));
    for (const std::string& kind : out)
      if (kind != "global" && kind != "local") c.fail(concat("attention_layers: expected global or local, found ", quoted(kind)));
    return out;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map;
    map.optional_prefix("transformer");
    map.rename("embedding", "wte");
    map.rename("embedding.positions", "wpe");
    map.rename("norm", "ln_f");
    map.rename("layers.*.attention.norm", "h.*.ln_1");
    for (const char* name : {"q", "k", "v"}) map.rename(concat("layers.*.attention.", name), concat("h.*.attn.attention.", name, "_proj"));
    map.rename("layers.*.attention.o", "h.*.attn.attention.out_proj");
    map.rename("layers.*.mlp.norm", "h.*.ln_2");
    map.rename("layers.*.mlp.up", "h.*.mlp.c_fc");
    map.rename("layers.*.mlp.down", "h.*.mlp.c_proj");
    name_head(map, c, "wte", "lm_head", true);
    map.ignore("h.*.attn.attention.bias");  // the causal mask, which old files store
    map.ignore("h.*.attn.attention.masked_bias");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(GptNeo)
}
