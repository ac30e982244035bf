#pragma once
// Phi-3: Llama with fused tensors, a window, and longrope.                                                      arXiv:2404.14219

#include "headwise/families/llama.hpp"

namespace hw::families {

struct Phi3 {
  static constexpr std::string_view kModelTypes[] = {"phi3"};
  using Model = Llama::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Llama::Parts p(c, source);
    c.ignore({"original_max_position_embeddings"});  // says nothing where no scaling reads it
    const auto windows = read_windows(c, p.layers, 0, [](std::size_t) { return true; });
    return p.stack<Model>([&](std::size_t i) {
      p.attention.mask.window = windows[i];
      return p.pre_norm();
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    const bool gguf = has_gguf_names(source);
    name_stacked_gate_up(map, gguf ? "blk.*.ffn_up" : "model.layers.*.mlp.gate_up_proj");
    if (gguf) return map;
    const index_t d = c.size("hidden_size"), heads = c.size("num_attention_heads");
    const index_t groups = c.size_or("num_key_value_heads", heads), head_dim = c.size_or("head_dim", d / heads);
    name_stacked_qkv(map, "model.layers.*.self_attn.qkv_proj", heads * head_dim, groups * head_dim);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Phi3)
}
