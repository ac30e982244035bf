#pragma once
#include <array>

#include "headwise/families/encoder_common.hpp"

namespace hw::families {

HEADWISE_LOAD_TIME void EncoderParts::positions_after_padding(const HfConfig& c, index_t default_padding) {
  embedding.position_offset = c.size_or("pad_token_id", default_padding, 0) + 1;
  if (embedding.positions <= embedding.position_offset)
    c.fail(concat("max_position_embeddings: expected more than pad_token_id + 1 = ", embedding.position_offset, ", found ", max_positions));
  max_positions = embedding.positions - embedding.position_offset;
}

HEADWISE_LOAD_TIME void EncoderParts::factorise(index_t size) {
  embedding.embedding_size = size;
  embedding.norm = LayerNorm::Config{size, norm.eps, norm.bias};
  embedding.projection = Embedding::Projection::rows;
}

HEADWISE_LOAD_TIME EncoderParts read_encoder(const HfConfig& c, const WeightSource& source, Attends attends) {
  EncoderParts p;
  const auto d = c.size({"hidden_size", "dim"}), vocab = c.size("vocab_size");
  const auto heads = attends == Attends::no ? 1 : c.size({"num_attention_heads", "n_heads"});
  const Activation act = read_activation(c, {"hidden_act", "hidden_activation", "activation"}, "gelu");
  p.layers = read_layers(c, {"num_hidden_layers", "n_layers"}, source);
  p.max_positions = c.size("max_position_embeddings");
  p.norm = {d, static_cast<float>(c.positive_or({"layer_norm_eps", "norm_eps"}, 1e-12))};
  if (heads > d || d % heads != 0) c.fail(concat("hidden_size: expected a multiple of num_attention_heads (", heads, "), found ", d));
  p.attention.project = {.hidden_size = d, .num_attention_heads = heads, .num_key_value_heads = heads, .head_dim = d / heads, .bias = true};
  p.attention.options.output_bias = true;
  p.mlp = {d, c.size({"intermediate_size", "hidden_dim"}), act, true};
  p.embedding = {
      .vocab_size = vocab, .hidden_size = d, .positions = p.max_positions, .types = c.size_or("type_vocab_size", 0, 0), .norm = p.norm};
  p.heads = {.hidden_size = d, .vocab_size = vocab, .transform_size = d, .transform = act, .norm = p.norm};
  return p;
}

HEADWISE_LOAD_TIME BertStack::Config make_encoder(const HfConfig& c, const WeightSource& source, const EncoderParts& p) {
  for (const char* name : {"is_decoder", "add_cross_attention"}) c.only(name, false);
  BertStack::Config m;
  m.embedding = p.embedding;
  m.max_positions = p.max_positions;
  if (p.pre_norm) {
    m.blocks.assign(p.layers, PreNormLayer::Config{{{p.norm}, p.attention}, {{p.norm}, p.mlp}});
    m.norm = p.norm;
  } else {
    m.blocks.assign(p.layers, PostNormLayer::Config{{{{}, {}, p.norm}, p.attention}, {{{}, {}, p.norm}, p.mlp}});
  }
  m.heads = encoder_heads(c, source, p.heads);
  return m;
}

HEADWISE_LOAD_TIME WeightMap encoder_names(const HfConfig& c, std::initializer_list<std::string_view> prefixes) {
  WeightMap map;
  for (const std::string_view prefix : prefixes) map.optional_prefix(prefix);
  map.suffix("weight", "gamma");  // how the first checkpoints call a norm's weights
  map.suffix("bias", "beta");
  // Of several lines for one part, the first whose tensor is in the file counts.
  constexpr std::array<const char*, 2> kNames[] = {{"embedding", "embeddings.word_embeddings"},
                                                   {"embedding.positions", "embeddings.position_embeddings"},
                                                   {"embedding.types", "embeddings.token_type_embeddings"},
                                                   {"embedding.norm", "embeddings.LayerNorm"},
                                                   {"layers.*.attention.q", "encoder.layer.*.attention.self.query"},
                                                   {"layers.*.attention.k", "encoder.layer.*.attention.self.key"},
                                                   {"layers.*.attention.v", "encoder.layer.*.attention.self.value"},
                                                   {"layers.*.attention.o", "encoder.layer.*.attention.output.dense"},
                                                   {"layers.*.attention.post_norm", "encoder.layer.*.attention.output.LayerNorm"},
                                                   {"layers.*.mlp.up", "encoder.layer.*.intermediate.dense"},
                                                   {"layers.*.mlp.down", "encoder.layer.*.output.dense"},
                                                   {"layers.*.mlp.post_norm", "encoder.layer.*.output.LayerNorm"},
                                                   {"head.pooler", "classifier.dense"},
                                                   {"head.pooler", "pooler.dense"},
                                                   {"head.classifier", "classifier.out_proj"},
                                                   {"head.classifier", "classifier"},
                                                   {"head.classifier", "cls.seq_relationship"},
                                                   {"head.transform", "cls.predictions.transform.dense"},
                                                   {"head.transform", "lm_head.dense"},
                                                   {"head.norm", "cls.predictions.transform.LayerNorm"},
                                                   {"head.norm", "lm_head.layer_norm"},
                                                   {"head.decoder.bias", "cls.predictions.bias"},
                                                   {"head.decoder.bias", "lm_head.bias"}};
  const bool tied = c.get_or("tie_word_embeddings", true);
  if (tied) {
    map.rename("head.decoder", "embeddings.word_embeddings");
  } else {
    for (const char* name : {"cls.predictions.decoder", "lm_head.decoder"}) {
      map.rename("head.decoder", name);
      map.rename("head.decoder.bias", concat(name, ".bias"));  // an untied decoder has one of its own; the other is a copy
    }
  }
  for (const auto& [part, file] : kNames) map.rename(part, file);
  map.rename("head.start", "qa_outputs").rows(0, 1);
  map.rename("head.end", "qa_outputs").rows(1, 1);
  // Copies of tied tensors, the other bias, positions that are numbers, and a pooler that the class does not use.
  for (const char* name :
       {"cls.predictions.decoder.**", "lm_head.decoder.**", "cls.predictions.bias", "lm_head.bias", "embeddings.position_ids", "pooler.**"})
    map.ignore(name);
  return map;
}

HEADWISE_LOAD_TIME void name_fused_qkv(WeightMap& map, std::string_view file) {
  index_t i = 0;
  for (const char* part : {"q", "k", "v"}) map.rename(concat("layers.*.attention.", part), file).part(i++, 3);
}

}  // namespace hw::families

#if defined(HEADWISE_COMPILED)
template class hw::Stack<hw::families::PostNormLayer, hw::families::PreNormLayer>;
template class hw::Encoder<hw::families::PostNormLayer, hw::families::PreNormLayer>;
#endif
