#pragma once
// What families with multi-head latent attention share.

#include <cmath>

#include "headwise/families/moe_common.hpp"
#include "headwise/mixers/attention/latent.hpp"

namespace hw::families {

/// Latent attention as DeepSeek's configurations spell it.
[[gnu::cold]] inline Attention<Causal, LatentProjection>::Config read_latent_attention(const HfConfig& c, float norm_eps) {
  Attention<Causal, LatentProjection>::Config out;
  LatentProjection::Config& p = out.project;
  p = {.hidden_size = c.size("hidden_size"),
       .num_attention_heads = c.size("num_attention_heads"),
       .q_rank = c.size_or("q_lora_rank", 0),
       .kv_rank = c.size("kv_lora_rank"),
       .nope_dim = c.size("qk_nope_head_dim"),
       .rope_dim = c.size("qk_rope_head_dim"),
       .value_dim = c.size("v_head_dim"),
       .bias = c.get_or("attention_bias", false),
       .norm_eps = norm_eps};
  c.ignore({"qk_head_dim", "num_key_value_heads"});
  p.rotary = read_rotary(c, p.rope_dim);
  if (c.get_or("rope_interleave", true)) p.rotary.pairs = kernels::RopePairs::neighbours;
  out.options.output_bias = p.bias;
  double scale = 1 / std::sqrt(static_cast<double>(p.nope_dim + p.rope_dim));
  if (p.rotary.scaling == RopeScaling::yarn && p.rotary.mscale_all_dim != 0 && p.rotary.factor > 1) {
    const double stretch = 0.1 * p.rotary.mscale_all_dim * std::log(p.rotary.factor) + 1;
    scale *= stretch * stretch;
  }
  out.options.scale = static_cast<float>(scale);
  return out;
}

/// `ours` and `file`: the attention's scope here and there. Files keep all heads' Uk over Uv, head by head, in kv_b_proj.
[[gnu::cold]] inline void name_latent_attention(WeightMap& map, const HfConfig& c, const std::string& ours, const std::string& file) {
  const index_t heads = c.size("num_attention_heads"), nope = c.size("qk_nope_head_dim"), value = c.size("v_head_dim");
  const int head = static_cast<int>(std::count(ours.begin(), ours.end(), '*'));  // the number of the head, after the others
  map.rename(ours + ".q", concat(file, c.has("q_lora_rank") ? ".q_b_proj" : ".q_proj"));
  map.rename(ours + ".q_down", file + ".q_a_proj");
  map.rename(ours + ".q_norm", file + ".q_a_layernorm");
  map.rename(ours + ".kv_down", file + ".kv_a_proj_with_mqa");
  map.rename(ours + ".kv_norm", file + ".kv_a_layernorm");
  map.rename(ours + ".key_up.*", file + ".kv_b_proj").slice(head, heads).rows(0, nope).transpose();
  map.rename(ours + ".value_up.*", file + ".kv_b_proj").slice(head, heads).rows(nope, value);
}

/// The same of a GGUF file: Uk^T and Uv apart, a matrix for each head, or in early files together.
[[gnu::cold]] inline void name_gguf_latent_attention(WeightMap& map, const HfConfig& c, const WeightSource& source) {
  const std::string ours = "layers.*.attention";
  map.replace(ours + ".q", c.has("q_lora_rank") ? "blk.*.attn_q_b" : "blk.*.attn_q");
  map.replace(ours + ".q_down", "blk.*.attn_q_a");
  map.replace(ours + ".q_norm", "blk.*.attn_q_a_norm");
  map.replace(ours + ".kv_down", "blk.*.attn_kv_a_mqa");
  map.replace(ours + ".kv_norm", "blk.*.attn_kv_a_norm");
  if (source.find("blk.0.attn_k_b.weight") == nullptr) {
    const index_t heads = c.size("num_attention_heads"), nope = c.size("qk_nope_head_dim"), value = c.size("v_head_dim");
    map.replace(ours + ".key_up.*", "blk.*.attn_kv_b").slice(1, heads).rows(0, nope).transpose();
    map.replace(ours + ".value_up.*", "blk.*.attn_kv_b").slice(1, heads).rows(nope, value);
  } else {
    map.replace(ours + ".key_up.*", "blk.*.attn_k_b").slice(1);
    map.replace(ours + ".value_up.*", "blk.*.attn_v_b").slice(1);
  }
}

}  // namespace hw::families
