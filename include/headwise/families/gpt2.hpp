#pragma once
// GPT-2: learned positions, LayerNorm, fused transposed qkv.

#include "headwise/families/common.hpp"
#include "headwise/families/zoo.hpp"
#include "headwise/layers/mlp.hpp"
#include "headwise/mixers/attention/attention.hpp"
#include "headwise/models/stack.hpp"

namespace hw::families {

struct Gpt2 {
  static constexpr std::string_view kModelTypes[] = {"gpt2"};
  using Block = hw::Block<PreNorm<LayerNorm, Attention<>>, PreNorm<LayerNorm, Mlp>>;
  using Model = Decoder<Block>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const auto d = c.size({"n_embd", "hidden_size"}), heads = c.size({"n_head", "num_attention_heads"});
    const auto vocab = c.size("vocab_size"), positions = c.size({"n_positions", "max_position_embeddings"});
    const LayerNorm::Config norm{d, static_cast<float>(c.positive_or({"layer_norm_epsilon", "layer_norm_eps"}, 1e-5))};
    const index_t head_dim = d / heads;
    const bool scaled = c.get_or("scale_attn_weights", true), by_layer = c.get_or("scale_attn_by_inverse_layer_idx", false);
    c.only("add_cross_attention", false);
    c.ignore({"reorder_and_upcast_attn", "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type",
              "summary_use_proj"});

    Attention<>::Config attention;
    attention.project = {.hidden_size = d, .num_attention_heads = heads, .num_key_value_heads = heads, .head_dim = head_dim, .bias = true};
    attention.options.output_bias = true;
    const Mlp::Config mlp{d, c.size_or({"n_inner", "intermediate_size"}, 4 * d),
                          read_activation(c, "activation_function", "gelu_new"), true};

    Model::Config m;
    m.embedding = {.vocab_size = vocab, .hidden_size = d, .positions = positions};
    for (std::size_t i = 0; i < read_layers(c, {"n_layer", "num_hidden_layers"}, source); ++i) {
      const float root = scaled ? std::sqrt(static_cast<float>(head_dim)) : 1.0f;
      attention.options.scale = 1.0f / (root * (by_layer ? static_cast<float>(i + 1) : 1.0f));
      m.blocks.push_back(Block::Config{{{norm}, attention}, {{norm}, mlp}});
    }
    m.norm = norm;
    m.heads = {{"logits", Pooling::none, {DenseStage{"", vocab, false}}}};
    m.max_positions = positions;
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map;
    map.optional_prefix("transformer");
    map.rename("embedding", "wte");
    map.rename("embedding.positions", "wpe");
    map.rename("layers.*.attention.norm", "h.*.ln_1");
    map.rename("layers.*.attention.q", "h.*.attn.c_attn").transpose().part(0, 3);
    map.rename("layers.*.attention.k", "h.*.attn.c_attn").transpose().part(1, 3);
    map.rename("layers.*.attention.v", "h.*.attn.c_attn").transpose().part(2, 3);
    map.rename("layers.*.attention.o", "h.*.attn.c_proj").transpose();
    map.rename("layers.*.mlp.norm", "h.*.ln_2");
    map.rename("layers.*.mlp.up", "h.*.mlp.c_fc").transpose();
    map.rename("layers.*.mlp.down", "h.*.mlp.c_proj").transpose();
    map.rename("norm", "ln_f");
    const bool tied = c.get_or("tie_word_embeddings", true);
    map.rename("head", tied ? "wte" : "lm_head");
    if (tied) map.ignore("lm_head.weight");
    map.ignore("h.*.attn.bias");  // the causal mask, which old files store
    map.ignore("h.*.attn.masked_bias");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Gpt2)
}
