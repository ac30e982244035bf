#pragma once
// GPT-1: norms behind the residual sums, learned positions, transposed fused tensors.

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct OpenAiGpt {
  static constexpr std::string_view kModelTypes[] = {"openai-gpt"};
  using Parts = DecoderParts<LayerNorm, Mlp>;
  using Model = Decoder<Parts::PostNormBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.activation = "gelu", .norm_eps = 1e-5, .bias = true, .mlp_bias = true, .rotary = false});
    if (p.mlp.activation == Activation::gelu) p.mlp.activation = Activation::gelu_tanh;  // what "gelu" means here
    p.embedding.positions = p.max_positions;
    c.ignore({"n_ctx", "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type", "summary_use_proj"});
    auto m = p.stack<Model>([&](std::size_t) { return p.post_norm(); });
    m.norm = NoNorm::Config{};
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map;
    map.optional_prefix("transformer");
    map.rename("embedding", "tokens_embed");
    map.rename("embedding.positions", "positions_embed");
    name_conv_layers(map);
    map.rename("layers.*.attention.post_norm", "h.*.ln_1");
    map.rename("layers.*.mlp.post_norm", "h.*.ln_2");
    name_head(map, c, "tokens_embed", "lm_head", true);
    map.ignore("h.*.attn.bias");  // the causal mask, which old files store
    return map;
  }

  /// Linear layers of GPT-1 and GPT-2: stored (in, out), q, k and v in one. scope: where the stack is in the model, "" or with a dot.
  static void name_conv_layers(WeightMap& map, const std::string& scope = "") {
    for (const index_t i : {0, 1, 2})
      map.rename(concat(scope, "layers.*.attention.", std::string_view("qkv").substr(static_cast<std::size_t>(i), 1)), "h.*.attn.c_attn")
          .transpose()
          .part(i, 3);
    map.rename(scope + "layers.*.attention.o", "h.*.attn.c_proj").transpose();
    map.rename(scope + "layers.*.mlp.up", "h.*.mlp.c_fc").transpose();
    map.rename(scope + "layers.*.mlp.down", "h.*.mlp.c_proj").transpose();
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(OpenAiGpt)
}
