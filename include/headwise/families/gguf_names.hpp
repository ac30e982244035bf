#pragma once
// Tensor names of GGUF files. The format fixes them for all architectures, so one table serves every family.

#include <algorithm>
#include <cstring>
#include <vector>

#include "headwise/io/hf_config.hpp"
#include "headwise/io/weight_map.hpp"

namespace hw::families {

/// Is this a GGUF file's naming?
inline bool has_gguf_names(const WeightSource& source) {
  const auto tensors = source.tensors();
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const RawTensor& t) { return t.name.starts_with("blk.") || t.name == "token_embd.weight"; });
}

/// The numbers that rotary frequencies are divided by: GGUF keeps Llama 3's scaling as a tensor. Empty where the file has none.
/// Errors: another type than f32, another count than dims / 2, factors that are not positive.
inline std::vector<float> read_rope_freqs(const WeightSource& source, index_t dims) {
  const RawTensor* tensor = source.find("rope_freqs.weight");
  if (tensor == nullptr) return {};
  if (tensor->type != DType::f32 || tensor->elements() != dims / 2)
    fail("rope_freqs.weight", concat(dims / 2, " f32 values"), concat(tensor->elements(), " of ", name_of(tensor->type)));
  std::vector<float> out(static_cast<std::size_t>(dims / 2));
  std::memcpy(out.data(), tensor->bytes.data(), tensor->bytes.size());
  for (const float v : out)
    if (!(v > 0)) fail("rope_freqs.weight", "positive factors", concat(v));
  return out;
}

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
  map.ignore("rope_freqs.weight");  // rotary factors, which read_rope_freqs has read
  return map;
}

}  // namespace hw::families
