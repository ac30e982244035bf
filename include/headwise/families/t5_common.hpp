#pragma once
// What T5's encoder shares with the whole model.

#include "headwise/families/common.hpp"
#include "headwise/families/zoo.hpp"
#include "headwise/layers/mlp.hpp"
#include "headwise/models/encoder_decoder.hpp"

namespace hw::families {

/// A layer of the encoder; F: Mlp (v1.0) or GatedMlp.
template <class F>
using T5Reader = Block<PreNorm<RmsNorm, Attention<Full>>, PreNorm<RmsNorm, F>>;
using T5ReaderStack = hw::Encoder<T5Reader<Mlp>, T5Reader<GatedMlp>>;

struct T5Fields {
  std::string model_type;
  index_t hidden_size, heads, head_dim, vocab_size, intermediate_size;
  RmsNorm::Config norm;
  Activation activation;
  bool gated;

  explicit T5Fields(const HfConfig& c)
      : model_type(c.get<std::string>("model_type")),
        hidden_size(c.size("d_model")),
        heads(c.size("num_heads")),
        head_dim(c.size("d_kv")),
        vocab_size(c.size("vocab_size")),
        intermediate_size(c.size("d_ff")),
        norm{hidden_size, static_cast<float>(c.positive_or("layer_norm_epsilon", 1e-6))} {
    c.ignore({is_switch() ? "feed_forward_proj" : "dense_act_fn", "is_gated_act", "n_positions", "is_encoder_decoder"});
    const auto mlp = c.get_or<std::string>(is_switch() ? "dense_act_fn" : "feed_forward_proj", is_first() ? "relu" : "gated-gelu");
    gated = mlp.starts_with("gated-");
    activation = parse_activation(mlp == "gated-gelu" ? "gelu_new" : mlp.substr(gated ? 6 : 0));
  }

  bool is_long() const { return model_type == "longt5"; }
  bool is_switch() const { return model_type == "switch_transformers"; }
  /// Has it the defaults of v1.0?
  bool is_first() const { return model_type == "t5" || is_long() || is_switch(); }

  /// Scores are not scaled, and biased by distance.
  template <class A>
  typename A::Config attention(const HfConfig& c, bool bidirectional) const {
    typename A::Config a;
    a.project = {.hidden_size = hidden_size, .num_attention_heads = heads, .num_key_value_heads = heads, .head_dim = head_dim};
    a.options.scale = 1.0f;
    a.options.relative = {.num_buckets = c.size_or("relative_attention_num_buckets", 32),
                          .max_distance = c.size_or("relative_attention_max_distance", 128),
                          .bidirectional = bidirectional};
    return a;
  }
};

inline T5ReaderStack::Config t5_reader(const HfConfig& c, const WeightSource& source) {
  const T5Fields t(c);
  auto self = t.attention<Attention<Full>>(c, true);
  if (t.is_long()) {
    c.only("encoder_attention_type", "local");
    c.ignore({"global_block_size"});
    self.mask.radius = c.size_or("local_radius", 127);
  }
  T5ReaderStack::Config m;
  m.embedding = {.vocab_size = t.vocab_size, .hidden_size = t.hidden_size};
  const auto layers = read_layers(c, "num_layers", source);
  if (t.gated)
    m.blocks.assign(layers, T5Reader<GatedMlp>::Config{{{t.norm}, self}, {{t.norm}, {t.hidden_size, t.intermediate_size, t.activation}}});
  else
    m.blocks.assign(layers, T5Reader<Mlp>::Config{{{t.norm}, self}, {{t.norm}, {t.hidden_size, t.intermediate_size, t.activation}}});
  m.norm = t.norm;
  return m;
}

/// Names of one side's tensors. file: "encoder" or "decoder"; scope: where the stack is in the model, "" or with a dot.
inline void name_t5_stack(WeightMap& map, const HfConfig& c, const std::string& file, const std::string& scope) {
  const T5Fields t(c);
  const bool decoder = file == "decoder";
  const std::string layer = scope + "layers.*.", block = file + ".block.*.layer.", last = decoder ? "2" : "1";
  const bool global = c.get_or<std::string>("encoder_attention_type", "local") == "transient-global";
  const std::string self = decoder || !t.is_long() ? "SelfAttention" : global ? "TransientGlobalSelfAttention" : "LocalSelfAttention";
  map.rename(scope + "embedding", "shared");
  for (const char* part : {"q", "k", "v", "o"}) map.rename(concat(layer, "attention.", part), concat(block, "0.", self, ".", part));
  map.rename(layer + "attention.norm", block + "0.layer_norm");
  const std::string first = t.model_type == "umt5" ? ".block.*" : ".block.0";  // which layers have a table
  map.rename(layer + "attention.relative_bias", concat(file, first, ".layer.0.", self, ".relative_attention_bias"));
  map.rename(layer + "mlp.norm", block + last + ".layer_norm");
  const std::string mlp = block + last + (t.is_switch() ? ".mlp." : ".DenseReluDense.");
  if (t.gated) map.rename(layer + "mlp.gate", mlp + "wi_0");
  map.rename(layer + "mlp.up", mlp + (t.gated ? "wi_1" : "wi"));
  map.rename(layer + "mlp.down", mlp + "wo");
  map.rename(scope + "norm", file + ".final_layer_norm");
  map.ignore(file + ".embed_tokens.weight");
}

}  // namespace hw::families
