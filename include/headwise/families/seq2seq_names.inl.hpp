#pragma once
#include "headwise/families/seq2seq_names.hpp"

namespace hw::families {
namespace detail {

// The layers of one side.
inline void name_side(WeightMap& map, const Seq2SeqTraits& t, const std::string& side) {
  const std::string norm = t.pre_norm ? ".norm" : ".post_norm", ours = side + ".layers.*.", theirs = side + ".layers.*.";
  const auto attention = [&](const std::string& part, const std::string& file) {
    for (const char* name : {"q", "k", "v"}) map.rename(concat(ours, part, ".", name), concat(theirs, file, ".", name, "_proj"));
    map.rename(concat(ours, part, ".o"), concat(theirs, file, ".out_proj"));
    map.rename(concat(ours, part, norm), concat(theirs, file, "_layer_norm"));
  };
  attention("attention", "self_attn");
  if (side == "decoder") attention("cross_attention", "encoder_attn");
  map.rename(ours + "mlp.up", theirs + "fc1");
  map.rename(ours + "mlp.down", theirs + "fc2");
  map.rename(concat(ours, "mlp", norm), theirs + "final_layer_norm");
  map.rename(side + ".embedding.positions", side + ".embed_positions");
  map.rename(side + ".embedding.norm", side + ".layernorm_embedding");
  map.rename(side + ".norm", side + ".layer_norm");
}

}  // namespace detail

HEADWISE_LOAD_TIME WeightMap seq2seq_names(const HfConfig& c, const Seq2SeqTraits& t) {
  WeightMap map;
  map.optional_prefix("model");
  for (const std::string side : {"encoder", "decoder"}) {
    detail::name_side(map, t, side);
    map.rename(side + ".embedding", "shared");
    map.rename(side + ".embedding", side + ".embed_tokens");
    map.ignore(side + ".embed_tokens.weight");
  }
  if (c.get_or("tie_word_embeddings", true)) {
    map.rename("decoder.head", "shared");
    map.rename("decoder.head", "decoder.embed_tokens");
    map.ignore("lm_head.weight");
  } else {
    map.rename("decoder.head", "lm_head");
  }
  map.rename("decoder.head.bias", "final_logits_bias").flatten(1);
  return map;
}

}  // namespace hw::families
