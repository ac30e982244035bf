#pragma once
// Qwen3-Next and Qwen3.5 (text): the gated delta rule, gated attention every few layers, MLPs or experts.        arXiv:2505.09388

#include <numeric>

#include "headwise/families/hybrid_common.hpp"
#include "headwise/families/qwen2_moe.hpp"
#include "headwise/families/recurrent_common.hpp"
#include "headwise/mixers/attention/projections.hpp"
#include "headwise/mixers/linear_attention/gated_delta_net.hpp"

namespace hw::families {

struct Qwen3Next {
  static constexpr std::string_view kModelTypes[] = {"qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"};
  using Attn = Attention<Causal, GatedHeads<QkvProjection>>;
  using Hybrid = HybridParts<GatedDeltaNet, Attn>;
  using Model = Hybrid::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const index_t dense = c.has("intermediate_size") ? 0 : 1;  // where no layer is dense, any width
    DecoderParts<RmsNorm, GatedMlp> p(c, source, {.head_dim = 256, .rotary_share = 0.25, .intermediate_size = dense});
    auto& project = p.attention.project;
    project.q_norm = project.k_norm = RmsNorm::Config{project.head_dim, p.norm.eps};
    if (const auto rope = c.find_sub("rope_parameters")) rope->ignore({"mrope_interleaved", "mrope_section"});  // text: equal positions
    const GatedDeltaNet::Config delta{.hidden_size = p.norm.size,
                                      .key_heads = c.size("linear_num_key_heads"),
                                      .value_heads = c.size("linear_num_value_heads"),
                                      .key_dim = c.size("linear_key_head_dim"),
                                      .value_dim = c.size("linear_value_head_dim"),
                                      .kernel_size = c.size_or("linear_conv_kernel_dim", 4),
                                      .norm_eps = p.norm.eps};
    Hybrid h{{.pre = p.norm}, delta, {project, p.attention.mask, p.attention.options, {}, {}}, p.mlp};
    std::vector<bool> sparse(p.layers, false);
    if (c.size_or("num_experts", 0, 0) > 0) {
      h.experts = read_moe<TopKRouter, GatedMlp>(c, p.mlp);
      h.experts->router.renormalise = c.get_or("norm_topk_prob", true);
      h.experts->shared = p.mlp;
      h.experts->shared->intermediate_size = c.size("shared_expert_intermediate_size");
      h.experts->shared_gate = true;
      sparse = Qwen2Moe::sparse_layers(c, source, p.layers);
    }
    const auto recurrent = read_recurrent_layers(c, p.layers, "linear_attention", "full_attention");
    return p.stack<Model>([&](std::size_t i) { return h.layer(recurrent[i], sparse[i]); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = Qwen2Moe::weights(c, source);
    const std::string ours = "layers.*.linear_attention.", file = "model.layers.*.linear_attn.", attn = "model.layers.*.self_attn.";
    map.replace("norm", "model.norm").plus(1);  // the file keeps these norms' weights minus 1
    map.replace("layers.*.attention.norm", "model.layers.*.input_layernorm").plus(1);
    map.replace("layers.*.linear_attention.norm", "model.layers.*.input_layernorm").plus(1);
    map.replace("layers.*.mlp.norm", "model.layers.*.post_attention_layernorm").plus(1);
    for (const char* x : {"q", "k"}) map.replace(concat("layers.*.attention.", x, "_norm"), concat(attn, x, "_norm")).plus(1);
    const index_t head = c.size_or("head_dim", 256);  // the queries of a head, then its gate
    map.replace("layers.*.attention.q", attn + "q_proj").interleaved(0, 2, head);
    map.replace("layers.*.attention.gate", attn + "q_proj").interleaved(1, 2, head);

    map.rename(ours + "conv.weight", file + "conv1d.weight").flatten(2);
    for (const auto& [part, name] : {std::pair("a_log", "A_log"), {"dt_bias", "dt_bias"}, {"head_norm", "norm"}, {"o", "out_proj"}})
      map.rename(concat(ours, part), concat(file, name));
    const index_t k = c.size("linear_key_head_dim"), keys = c.size("linear_num_key_heads"), share = c.size("linear_num_value_heads") / keys;
    const index_t v = c.size("linear_value_head_dim") * share;
    if (c.get<std::string>("model_type") == "qwen3_next") {  // of each key head in turn: q, k, v, z; b, a
      const index_t block = std::gcd(k, v), of = 2 * (k + v) / block, kb = k / block, vb = v / block;
      const index_t at[] = {0, kb, 2 * kb, 2 * kb + vb}, count[] = {kb, kb, vb, vb};
      for (std::size_t i = 0; i < 4; ++i)
        map.rename(concat(ours, std::string_view("qkvz").substr(i, 1)), file + "in_proj_qkvz").interleaved(at[i], of, block, count[i]);
      map.rename(ours + "b", file + "in_proj_ba").interleaved(0, 2, std::max<index_t>(share, 1));
      map.rename(ours + "a", file + "in_proj_ba").interleaved(1, 2, std::max<index_t>(share, 1));
    } else {
      map.rename(ours + "q", file + "in_proj_qkv").rows(0, keys * k);
      map.rename(ours + "k", file + "in_proj_qkv").rows(keys * k, keys * k);
      map.rename(ours + "v", file + "in_proj_qkv").rows(2 * keys * k, keys * v);
      for (const char* x : {"z", "b", "a"}) map.rename(concat(ours, x), concat(file, "in_proj_", x));
    }
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Qwen3Next)
}
