#pragma once
// JetMoe: attention's queries and outputs are experts', too.                                                     arXiv:2404.07413

#include "headwise/families/moe_common.hpp"
#include "headwise/mixers/attention/routed_attention.hpp"

namespace hw::families {

struct JetMoe {
  static constexpr std::string_view kModelTypes[] = {"jetmoe"};
  using Parts = MoeParts<>;
  using Layer = Block<PreNorm<RmsNorm, RoutedAttention>, PreNorm<RmsNorm, Parts::Sparse>>;
  using Model = Decoder<Layer>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source);
    p.moe.bias = true;
    RoutedAttention::Config attention{.num_key_value_heads = p.attention.project.num_key_value_heads,
                                      .head_dim = c.size_or("kv_channels", 128),
                                      .router = p.moe.router,
                                      .bias = true};
    attention.rotary = read_rotary(c, attention.head_dim);
    c.only("num_attention_heads", attention.num_key_value_heads * p.moe.router.top_k);
    return p.stack<Model>([&](std::size_t) { return Layer::Config{{{.pre = p.norm}, attention}, {{.pre = p.norm}, p.moe}}; });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source, true);
    const std::string_view attention = "model.layers.*.self_attention";
    map.rename("layers.*.attention.router", concat(attention, ".experts.router.layer"));
    map.rename("layers.*.attention.bias", concat(attention, ".experts.bias"));
    map.rename("layers.*.attention.q.*", concat(attention, ".experts.input_linear")).slice(1);
    map.rename("layers.*.attention.o.*", concat(attention, ".experts.output_linear")).slice(1);
    map.replace("layers.*.attention.k", concat(attention, ".kv_proj")).part(0, 2);
    map.replace("layers.*.attention.v", concat(attention, ".kv_proj")).part(1, 2);
    map.rename("layers.*.mlp.router", "model.layers.*.mlp.router.layer");
    map.rename("layers.*.mlp.bias", "model.layers.*.mlp.bias");
    name_stacked_experts(map, "model.layers.*.mlp.input_linear", "model.layers.*.mlp.output_linear");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(JetMoe)
}
