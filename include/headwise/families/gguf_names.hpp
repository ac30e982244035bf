#pragma once
// Tensor names of GGUF files. The format fixes them for all architectures, so one table serves every family.

#include "headwise/io/hf_config.hpp"
#include "headwise/io/weight_map.hpp"

namespace hw::families {

/// Is this a GGUF file's naming?
inline bool has_gguf_names(const WeightSource& source) { return source.find("token_embd.weight") != nullptr; }

/// Canonical names of a pre-norm or sandwich-norm decoder to GGUF's.
inline WeightMap gguf_names(const HfConfig& c) {
  WeightMap map;
  map.rename("embedding", "token_embd");
  map.rename("norm", "output_norm");
  map.rename("head", c.get_or("tie_word_embeddings", false) ? "token_embd" : "output");
  map.rename("layers.*.attention.norm", "blk.*.attn_norm");
  map.rename("layers.*.attention.delta_norm", "blk.*.post_attention_norm");
  map.rename("layers.*.attention.q", "blk.*.attn_q");
  map.rename("layers.*.attention.k", "blk.*.attn_k");
  map.rename("layers.*.attention.v", "blk.*.attn_v");
  map.rename("layers.*.attention.o", "blk.*.attn_output");
  map.rename("layers.*.attention.q_norm", "blk.*.attn_q_norm");
  map.rename("layers.*.attention.k_norm", "blk.*.attn_k_norm");
  map.rename("layers.*.mlp.norm", "blk.*.ffn_norm");
  map.rename("layers.*.mlp.delta_norm", "blk.*.post_ffw_norm");
  map.rename("layers.*.mlp.gate", "blk.*.ffn_gate");
  map.rename("layers.*.mlp.up", "blk.*.ffn_up");
  map.rename("layers.*.mlp.down", "blk.*.ffn_down");
  map.ignore("rope_freqs.weight");  // llama3 scaling, which the metadata states too
  return map;
}

}  // namespace hw::families
