#pragma once
// Kimi Linear: Kimi delta attention, every few layers latent attention without positions, experts.               arXiv:2510.26692

#include "headwise/families/hybrid_common.hpp"
#include "headwise/families/latent_common.hpp"
#include "headwise/families/recurrent_common.hpp"
#include "headwise/mixers/linear_attention/gated_delta_net.hpp"

namespace hw::families {

struct KimiLinear {
  static constexpr std::string_view kModelTypes[] = {"kimi_linear"};
  using Hybrid = HybridParts<GatedDeltaNet, Attention<Causal, LatentProjection>>;
  using Model = Hybrid::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    MoeParts<> p(c, source, {.norm_eps = 1e-5, .rotary = false});
    GatedDeltaNet::Config delta = read_delta_attention(c, p.norm);
    delta.decay_rank = delta.gate_rank = delta.key_dim;
    auto attention = read_latent_attention(c, 1e-6f);
    attention.project.rotary.dims = 0;
    read_experts(c, p);
    p.max_positions = c.size_or("model_max_length", 0);
    const Hybrid h{{.pre = p.norm}, delta, attention, p.mlp, p.moe};
    const auto recurrent = recurrent_layers(c, p.layers), sparse = sparse_layers(c, p.layers);
    c.only("mla_use_nope", true);
    return p.stack<Model>([&](std::size_t i) { return h.layer(recurrent[i], sparse[i]); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    const std::string mixer = "model.layers.*.self_attn", mlp = "model.layers.*.block_sparse_moe.";
    name_delta_attention(map, mixer);
    for (const auto& [part, file] : {std::pair("a_down", "f_a"), {"a", "f_b"}, {"z_down", "g_a"}, {"z", "g_b"}})
      map.rename(concat("layers.*.linear_attention.", part), concat(mixer, ".", file, "_proj"));
    name_latent_attention(map, c, "layers.*.attention", mixer);
    for (const char* x : {"gate", "up", "down"})
      map.rename(concat("layers.*.mlp.", x), concat(mlp, x, "_proj"));  // as some files have the dense layer's
    name_experts(map, {.mlp = "block_sparse_moe", .gate = "w1", .up = "w3", .down = "w2"});
    return map;
  }

  /// Kimi delta attention: a decay for each key, a sigmoid behind the norm.
  static GatedDeltaNet::Config read_delta_attention(const HfConfig& c, const RmsNorm::Config& norm) {
    const auto own = c.find_sub("linear_attn_config");  // in published files
    const index_t heads = own ? own->size("num_heads") : c.size("linear_num_heads");
    const index_t size = own ? own->size("head_dim") : c.size("linear_head_dim");
    return {.hidden_size = norm.size,
            .key_heads = heads,
            .value_heads = heads,
            .key_dim = size,
            .value_dim = size,
            .kernel_size = (own ? *own : c).size_or({"linear_conv_kernel_dim", "short_conv_kernel_size"}, 4),
            .gate = Activation::sigmoid,
            .key_decay = true,
            .norm_eps = norm.eps};
  }

  /// layer_types, or linear_attn_config's lists of layers, counted from 1.
  static std::vector<bool> recurrent_layers(const HfConfig& c, std::size_t layers) {
    const auto own = c.find_sub("linear_attn_config");
    if (!own || c.has("layer_types")) return read_recurrent_layers(c, layers, "linear_attention", "full_attention");
    const auto recurrent = own->get<std::vector<index_t>>("kda_layers"), full = own->get<std::vector<index_t>>("full_attn_layers");
    std::vector<int> seen(layers, 0);
    std::vector<bool> out(layers, false);
    for (const auto* list : {&recurrent, &full})
      for (const index_t layer : *list) {
        if (layer < 1 || layer > static_cast<index_t>(layers) || seen[static_cast<std::size_t>(layer - 1)]++ > 0)
          own->fail(concat("kda_layers, full_attn_layers: expected each layer from 1 to ", layers, " once, found ", layer));
        out[static_cast<std::size_t>(layer - 1)] = list == &recurrent;
      }
    if (recurrent.size() + full.size() != layers)
      own->fail(concat("kda_layers, full_attn_layers: expected ", layers, " layers, found ", recurrent.size() + full.size()));
    return out;
  }

  /// mlp_layer_types, or all but the first first_k_dense_replace.
  static std::vector<bool> sparse_layers(const HfConfig& c, std::size_t layers) {
    if (c.has("mlp_layer_types")) return read_recurrent_layers(c, layers, "sparse", "dense", "mlp_layer_types");
    std::vector<bool> out(layers, true);
    std::fill_n(out.begin(), std::min(layers, static_cast<std::size_t>(c.size_or("first_k_dense_replace", 1, 0))), false);
    return out;
  }

  static void read_experts(const HfConfig& c, MoeParts<>& p) {
    read_grouped_router(c, p.moe.router);
    p.read_shared(c, "num_shared_experts");
    c.only("moe_layer_freq", 1);
    c.only("moe_router_activation_func", "sigmoid");
    c.ignore({"head_dim", "pretraining_tp", "num_nextn_predict_layers", "use_grouped_topk", "first_k_dense_replace"});
  }

  static void name_delta_attention(WeightMap& map, const std::string& file) {
    const std::string ours = "layers.*.linear_attention.", conv = "_conv1d.weight";
    map.rename(ours + "norm", "model.layers.*.input_layernorm");
    for (const char* x : {"q", "k", "v", "b", "o"}) map.rename(concat(ours, x), concat(file, ".", x, "_proj"));
    map.rename(ours + "conv.weight", std::vector<std::string>{file + ".q" + conv, file + ".k" + conv, file + ".v" + conv}).flatten(2);
    map.rename(ours + "a_log", file + ".A_log").flatten(1);
    map.rename(ours + "dt_bias", file + ".dt_bias");
    map.rename(ours + "head_norm", file + ".o_norm");
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(KimiLinear)
}
