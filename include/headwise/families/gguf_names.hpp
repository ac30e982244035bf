#pragma once
// Tensor names of GGUF files. The format fixes them for all architectures, so one table serves every family.

#include <algorithm>
#include <cstring>
#include <vector>

#include "headwise/io/hf_config.hpp"
#include "headwise/io/weight_map.hpp"
#include "headwise/mixers/attention/rotary.hpp"

namespace hw::families {

/// Is this a GGUF file's naming?
[[gnu::cold]] inline bool has_gguf_names(const WeightSource& source) {
  const auto tensors = source.tensors();
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const RawTensor& t) { return t.name.starts_with("blk.") || t.name == "token_embd.weight"; });
}

/// The numbers that rotary frequencies are divided by, which GGUF keeps as tensors: Llama 3's scaling, and longrope's two lists.
/// Errors: another type than f32, another count than dims / 2.
[[gnu::cold]] inline void read_rope_factors(const WeightSource& source, RotaryConfig& rotary) {
  const auto read = [&](std::string_view name, std::vector<float>& out) {
    const RawTensor* tensor = source.find(name);
    if (tensor == nullptr) return false;
    if (tensor->type != DType::f32 || tensor->elements() != rotary.dims / 2)
      fail(name, concat(rotary.dims / 2, " f32 values"), concat(tensor->elements(), " of ", name_of(tensor->type)));
    out.resize(static_cast<std::size_t>(rotary.dims / 2));
    std::memcpy(out.data(), tensor->bytes.data(), tensor->bytes.size());
    return true;
  };
  read("rope_freqs.weight", rotary.frequency_factors);
  read("rope_factors_long.weight", rotary.long_factors);
  read("rope_factors_short.weight", rotary.frequency_factors);
}

/// q, k and v, one block of rows after the other in one tensor.
[[gnu::cold]] inline void name_stacked_qkv(WeightMap& map, std::string_view file, index_t q_rows, index_t k_rows) {
  map.replace("layers.*.attention.q", file).rows(0, q_rows);
  map.replace("layers.*.attention.k", file).rows(q_rows, k_rows);
  map.replace("layers.*.attention.v", file).rows(q_rows + k_rows, k_rows);
}

/// Gate and up in one tensor, the gate first.
[[gnu::cold]] inline void name_stacked_gate_up(WeightMap& map, std::string_view file) {
  map.replace("layers.*.mlp.gate", file).part(0, 2);
  map.replace("layers.*.mlp.up", file).part(1, 2);
}

/// Canonical names of a pre-norm or sandwich-norm decoder to GGUF's.
[[gnu::cold]] inline WeightMap gguf_names(const HfConfig& c, const WeightSource& source) {
  WeightMap map;
  map.rename("embedding", "token_embd");
  map.rename("embedding.positions", "position_embd");
  map.rename("embedding.norm", "token_embd_norm");
  map.rename("norm", "output_norm");
  map.rename("head", c.get_or("tie_word_embeddings", false) ? "token_embd" : "output");
  map.rename("head.bias", "output.bias");
  map.rename("layers.*.norm", "blk.*.attn_norm");
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
  map.rename("layers.*.attention.sinks", "blk.*.attn_sinks.weight");
  map.rename("layers.*.mlp.router", "blk.*.ffn_gate_inp");
  map.rename("layers.*.mlp.router.choice_bias", "blk.*.exp_probs_b.bias");
  map.rename("layers.*.mlp.shared_gate", "blk.*.ffn_gate_inp_shexp");
  for (const char* part : {"gate", "up", "down"}) {
    map.rename(concat("layers.*.mlp.experts.*.", part), concat("blk.*.ffn_", part, "_exps")).slice(1);
    map.rename(concat("layers.*.mlp.shared.", part), concat("blk.*.ffn_", part, "_shexp"));
  }
  if (source.find("blk.0.attn_qkv.weight") != nullptr) {
    const index_t heads = c.size("num_attention_heads"), groups = c.size_or("num_key_value_heads", heads);
    const index_t head_dim = c.size_or("head_dim", c.size("hidden_size") / heads);
    name_stacked_qkv(map, "blk.*.attn_qkv", heads * head_dim, groups * head_dim);
  }
  for (const char* name : {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"})
    map.ignore(name);  // what read_rope_factors has read
  return map;
}

/// Has this layer of a GGUF file experts?
[[gnu::cold]] inline bool has_gguf_experts(const WeightSource& source, std::size_t layer) {
  return source.find(concat("blk.", layer, ".ffn_gate_inp.weight")) != nullptr;
}

/// GGUF keeps q and k of Llama's relatives with the two halves of each head interleaved.
[[gnu::cold]] inline void unpermute_rotary(WeightMap& map, const HfConfig& c) {
  map.replace("layers.*.attention.q", "blk.*.attn_q").unpermute_rotary(c.size("num_attention_heads"));
  map.replace("layers.*.attention.k", "blk.*.attn_k").unpermute_rotary(c.size_or("num_key_value_heads", c.size("num_attention_heads")));
}

}  // namespace hw::families
