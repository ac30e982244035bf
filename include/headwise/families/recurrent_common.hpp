#pragma once
// What families with recurrent layers share.

#include <cmath>

#include "headwise/families/common.hpp"
#include "headwise/families/decoder_names.hpp"
#include "headwise/families/zoo.hpp"
#include "headwise/mixers/ssm/ssd.hpp"
#include "headwise/models/stack.hpp"

namespace hw::families {

/// A decoder of these blocks with the head of a language model, for configurations that have no attention's fields (DecoderParts).
template <class Model, class NormConfig>
typename Model::Config plain_decoder(const NormConfig& norm, index_t vocab, std::vector<typename Model::BlockConfig> blocks) {
  typename Model::Config m;
  m.embedding = {.vocab_size = vocab, .hidden_size = norm.size};
  m.blocks = std::move(blocks);
  m.norm = norm;
  m.heads = {{"logits", Pooling::none, {DenseStage{"", vocab, false}}}};
  return m;
}

/// time_step_limit: [least, most], the end perhaps infinite (written as a number, or as {"__float__": "Infinity"}).
[[gnu::cold]] inline void read_step_limit(const HfConfig& c, Ssd::Config& ssm) {
  const auto limit = c.find("time_step_limit");
  if (!limit) return;
  if (!limit->is_array() || limit->size() != 2) limit->fail_expected("two numbers");
  const Json most = (*limit)[std::size_t{1}];
  ssm.min_step = (*limit)[std::size_t{0}].as<float>();
  if (!most.is_object()) ssm.max_step = most.as<float>();
  if (!std::isfinite(ssm.max_step)) ssm.max_step = 0;
  if (!(ssm.min_step >= 0) || (ssm.max_step != 0 && ssm.max_step < ssm.min_step)) limit->fail_expected("a range above 0");
}

/// Mamba-2 as the configurations of hybrids spell it (mamba_d_state, mamba_n_heads, ...).
[[gnu::cold]] inline Ssd::Config read_ssd(const HfConfig& c, float norm_eps) {
  Ssd::Config ssm;
  ssm.hidden_size = c.size("hidden_size");
  if (c.has("ssm_inner_size")) {  // a GGUF file: one step a head
    ssm.heads = c.size("time_step_rank");
    ssm.head_dim = c.size("ssm_inner_size") / ssm.heads;
    if (ssm.heads * ssm.head_dim != c.size("ssm_inner_size"))
      c.fail(concat("time_step_rank: expected a divisor of ", c.size("ssm_inner_size"), " (ssm.inner_size), found ", ssm.heads));
  } else {
    ssm.heads = c.size({"mamba_n_heads", "n_mamba_heads", "mamba_num_heads", "num_heads"});
    const ConfigKeys head_dim = {"mamba_d_head", "mamba_headdim", "mamba_head_dim"};
    ssm.head_dim = c.find(head_dim) ? c.size(head_dim) : c.size("head_dim");
  }
  ssm.groups = c.size_or({"mamba_n_groups", "mamba_ngroups", "n_groups"}, 1);
  ssm.state_size = c.size({"mamba_d_state", "ssm_state_size", "state_size"});
  ssm.kernel_size = c.size_or({"mamba_d_conv", "conv_kernel"}, 4);
  ssm.conv_bias = c.get_or({"mamba_conv_bias", "use_conv_bias"}, true);
  ssm.bias = c.get_or({"mamba_proj_bias", "use_bias"}, false);
  ssm.norm_groups = ssm.groups;
  ssm.norm_eps = norm_eps;
  read_step_limit(c, ssm);
  // How the package computes, how the steps' biases were drawn, what follows from other fields.
  c.ignore({"chunk_size", "mamba_chunk_size", "expand", "mamba_expand", "residual_in_fp32", "rescale_prenorm_residual", "time_step_rank",
            "time_step_min", "time_step_max", "time_step_floor", "time_step_init_scheme", "time_step_scale", "use_mamba_kernels",
            "use_associative_scan", "use_mambapy", "num_logits_to_keep", "mamba_ssm_cache_dtype"});
  return ssm;
}

/// The tensors of a Mamba (1 or 2): `ours` and `file` are its scopes here and there.
[[gnu::cold]] inline void name_ssm(WeightMap& map, const std::string& ours, const std::string& file) {
  map.rename(ours + ".in", file + ".in_proj");
  map.rename(ours + ".conv.weight", file + ".conv1d.weight").flatten(2);
  map.rename(ours + ".conv.bias", file + ".conv1d.bias");
  map.rename(ours + ".x", file + ".x_proj");
  map.rename(ours + ".dt", file + ".dt_proj");
  map.rename(ours + ".dt_bias", file + ".dt_bias");
  map.rename(ours + ".a_log", file + ".A_log");
  map.rename(ours + ".d_skip", file + ".D");
  map.rename(ours + ".gate_norm", file + ".norm");
  map.rename(ours + ".out", file + ".out_proj");
}

/// The same of a GGUF file, which keeps -e^a. `dims`: a's, 2 (a channel and a key of it) or 1 (a head).
[[gnu::cold]] inline void name_gguf_ssm(WeightMap& map, int dims) {
  const std::string ours = "layers.*.ssm.", file = "blk.*.ssm_";
  map.rename(ours + "norm", "blk.*.attn_norm");
  for (const char* name : {"in", "x", "dt", "out", "dt_norm", "b_norm", "c_norm"}) map.rename(ours + name, file + name);
  map.rename(ours + "conv", file + "conv1d");
  map.rename(ours + "dt_bias", file + "dt.bias");
  map.rename(ours + "a_log", file + "a").flatten(dims).apply("log of the negative", [](float x) { return std::log(-x); });
  map.rename(ours + "d_skip", file + "d").flatten(1);
  map.rename(ours + "gate_norm.weight", file + "norm.weight").flatten(1);
}

/// layer_types (or another field): which layers have a recurrence, by the family's word or GGUF's. Errors: another count, another type than
/// the two.
[[gnu::cold]] inline std::vector<bool> read_recurrent_layers(const HfConfig& c, std::size_t layers, std::string_view recurrent,
                                                             std::string_view attention, std::string_view field = "layer_types") {
  const auto types = c.get<std::vector<std::string>>(field);
  if (types.size() != layers) c.fail(concat(field, ": expected ", layers, " (num_hidden_layers), found ", types.size()));
  std::vector<bool> out;
  for (const std::string& type : types) {
    if (type != recurrent && type != attention && !(type == "recurrent" && field == "layer_types"))
      c.fail(concat(field, ": expected ", recurrent, " or ", attention, ", found ", quoted(type)));
    out.push_back(type != attention);
  }
  return out;
}

}  // namespace hw::families
