#pragma once
// GPT-J: one norm for attention and MLP in parallel, rotation of neighbouring coordinates.

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct GptJ {
  static constexpr std::string_view kModelTypes[] = {"gptj"};
  using Parts = DecoderParts<LayerNorm, Mlp>;
  using Model = Decoder<Parts::ParallelBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.activation = "gelu_new", .norm_eps = 1e-5, .mlp_bias = true});
    auto& rotary = *p.attention.project.rotary;
    rotary.dims = c.size_or("rotary_dim", c.json().contains("rotary_dim") ? rotary.dims : 64);  // null: all
    rotary.pairs = kernels::RopePairs::neighbours;
    p.head = {DenseStage{"", p.embedding.vocab_size, true}};
    c.ignore({"scale_attn_weights", "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type",
              "summary_use_proj"});
    return p.stack<Model>([&](std::size_t) { return p.parallel(); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map;
    map.optional_prefix("transformer");
    map.rename("embedding", "wte");
    map.rename("norm", "ln_f");
    map.rename("layers.*.norm", "h.*.ln_1");
    for (const char* name : {"q", "k", "v"}) map.rename(concat("layers.*.attention.", name), concat("h.*.attn.", name, "_proj"));
    map.rename("layers.*.attention.o", "h.*.attn.out_proj");
    map.rename("layers.*.mlp.up", "h.*.mlp.fc_in");
    map.rename("layers.*.mlp.down", "h.*.mlp.fc_out");
    name_head(map, c, "wte", "lm_head", false);
    map.rename("head.bias", "lm_head.bias");
    map.ignore("h.*.attn.bias");  // the causal mask, which old files store
    map.ignore("h.*.attn.masked_bias");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(GptJ)
}
