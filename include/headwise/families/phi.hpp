#pragma once
// Phi-1, 1.5 and 2: one norm for attention and MLP in parallel, biases everywhere.                             arXiv:2309.05463

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct Phi {
  static constexpr std::string_view kModelTypes[] = {"phi"};
  static constexpr std::string_view kArchitectures[] = {"phi2"};
  using Parts = DecoderParts<LayerNorm, Mlp>;
  using Model = Decoder<Parts::ParallelBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.activation = "gelu_new", .norm_eps = 1e-5, .bias = true, .mlp_bias = true, .rotary_share = 0.5});
    auto& project = p.attention.project;
    if (c.get_or("qk_layernorm", false)) project.q_norm = project.k_norm = LayerNorm::Config{project.head_dim, p.norm.eps};
    p.head = {DenseStage{"", p.embedding.vocab_size, true}};
    return p.stack<Model>([&](std::size_t) { return p.parallel(); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    if (has_gguf_names(source)) return map;
    map.replace("norm", "model.final_layernorm");
    map.rename("head.bias", "lm_head.bias");
    map.replace("layers.*.attention.o", "model.layers.*.self_attn.dense");
    for (const char* name : {"q", "k"})
      map.rename(concat("layers.*.attention.", name, "_norm"), concat("model.layers.*.self_attn.", name, "_layernorm"));
    map.replace("layers.*.mlp.up", "model.layers.*.mlp.fc1");
    map.replace("layers.*.mlp.down", "model.layers.*.mlp.fc2");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Phi)
}
