#pragma once
// Tensor names that decoder families share.

#include "headwise/families/gguf_names.hpp"

namespace hw::families {

/// A head that is the embedding: the file may hold a copy of it.
[[gnu::cold]] inline void name_head(WeightMap& map, const HfConfig& c, std::string_view embedding, std::string_view head, bool tied) {
  tied = c.get_or("tie_word_embeddings", tied);
  map.rename("head", tied ? embedding : head);
  if (tied) map.ignore(concat(head, ".weight"));
}

/// q, k and v of each head side by side in one tensor.
[[gnu::cold]] inline void name_interleaved_qkv(WeightMap& map, std::string_view file, index_t head_dim) {
  for (const index_t i : {0, 1, 2})
    map.rename(concat("layers.*.attention.", std::string_view("qkv").substr(static_cast<std::size_t>(i), 1)), file)
        .interleaved(i, 3, head_dim);
}

/// The names that Llama's files introduced and most later families kept. `tied`: where the configuration does not say.
[[gnu::cold]] inline WeightMap decoder_names(const HfConfig& c, const WeightSource& source, bool tied = false) {
  if (has_gguf_names(source)) return gguf_names(c, source);
  WeightMap map;
  map.rename("embedding", "model.embed_tokens");
  map.rename("norm", "model.norm");
  map.rename("layers.*.norm", "model.layers.*.input_layernorm");
  map.rename("layers.*.attention", "model.layers.*.self_attn");
  map.rename("layers.*.attention.norm", "model.layers.*.input_layernorm");
  for (const char* name : {"q", "k", "v", "o"})
    map.rename(concat("layers.*.attention.", name), concat("model.layers.*.self_attn.", name, "_proj"));
  map.rename("layers.*.mlp.norm", "model.layers.*.post_attention_layernorm");
  for (const char* name : {"gate", "up", "down"}) map.rename(concat("layers.*.mlp.", name), concat("model.layers.*.mlp.", name, "_proj"));
  map.ignore("**.rotary_emb.inv_freq");
  name_head(map, c, "model.embed_tokens", "lm_head", tied);
  return map;
}

}  // namespace hw::families
