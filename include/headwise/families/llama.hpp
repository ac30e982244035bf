#pragma once
// Llama 1 to 3.x, and the many checkpoints published under its model_type (SmolLM2, TinyLlama, Vicuna, ...).   arXiv:2302.13971

#include "headwise/families/common.hpp"
#include "headwise/families/gguf_names.hpp"
#include "headwise/families/zoo.hpp"
#include "headwise/layers/mlp.hpp"
#include "headwise/mixers/attention/attention.hpp"
#include "headwise/models/stack.hpp"

namespace hw::families {

struct Llama {
  static constexpr std::string_view kModelTypes[] = {"llama"};
  using Block = hw::Block<PreNorm<RmsNorm, Attention<>>, PreNorm<RmsNorm, GatedMlp>>;
  using Model = Decoder<Block>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const auto d = c.size("hidden_size"), heads = c.size("num_attention_heads"), vocab = c.size("vocab_size");
    const index_t head_dim = c.size_or("head_dim", d / heads);
    const RmsNorm::Config norm{d, static_cast<float>(c.positive_or("rms_norm_eps", 1e-6))};
    RotaryConfig rotary = read_rotary(c, head_dim);
    rotary.frequency_factors = read_rope_freqs(source, rotary.dims);
    const bool bias = c.get_or("attention_bias", false);

    Attention<>::Config attention;
    attention.project = {.hidden_size = d, .num_attention_heads = heads, .num_key_value_heads = c.size_or("num_key_value_heads", heads),
                         .head_dim = head_dim, .bias = bias, .rotary = rotary};
    attention.options.output_bias = bias;
    const GatedMlp::Config mlp{d, c.size("intermediate_size"), read_activation(c, "hidden_act", "silu"),
                               c.get_or("mlp_bias", false)};

    Model::Config m;
    m.embedding = {.vocab_size = vocab, .hidden_size = d};
    m.blocks.assign(read_layers(c, "num_hidden_layers", source), Block::Config{{{norm}, attention}, {{norm}, mlp}});
    m.norm = norm;
    m.heads = {{"logits", Pooling::none, {DenseStage{"", vocab, false}}}};
    m.max_positions = rotary.scaling == RopeScaling::dynamic ? 0 : c.size_or("max_position_embeddings", 0);
    if (rotary.scaling == RopeScaling::dynamic) m.regime = [rotary](index_t total) { return rotary_regime(rotary, total); };
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    if (has_gguf_names(source)) {
      WeightMap map = gguf_names(c);
      map.replace("layers.*.attention.q", "blk.*.attn_q").unpermute_rotary(c.size("num_attention_heads"));
      map.replace("layers.*.attention.k", "blk.*.attn_k").unpermute_rotary(c.size_or("num_key_value_heads", c.size("num_attention_heads")));
      return map;
    }
    WeightMap map = decoder_names();
    tie_head(map, c.get_or("tie_word_embeddings", false));
    return map;
  }

  /// Names that Llama shares with the families that came after it.
  static WeightMap decoder_names() {
    WeightMap map;
    map.rename("embedding", "model.embed_tokens");
    map.rename("norm", "model.norm");
    map.rename("head", "lm_head");
    map.rename("layers.*.attention", "model.layers.*.self_attn");
    map.rename("layers.*.attention.norm", "model.layers.*.input_layernorm");
    for (const char* name : {"q", "k", "v", "o"})
      map.rename(concat("layers.*.attention.", name), concat("model.layers.*.self_attn.", name, "_proj"));
    map.rename("layers.*.mlp.norm", "model.layers.*.post_attention_layernorm");
    for (const char* name : {"gate", "up", "down"}) map.rename(concat("layers.*.mlp.", name), concat("model.layers.*.mlp.", name, "_proj"));
    map.ignore("**.rotary_emb.inv_freq");
    return map;
  }

  static void tie_head(WeightMap& map, bool tied) {
    if (!tied) return;
    map.replace("head", "model.embed_tokens");
    map.ignore("lm_head.weight");
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Llama)
}
