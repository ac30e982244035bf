#pragma once
// Nemotron-H: one mixer, MLP or bank of experts a layer.                                                       arXiv:2504.03624

#include "headwise/families/moe_common.hpp"
#include "headwise/families/recurrent_common.hpp"

namespace hw::families {

struct NemotronH {
  static constexpr std::string_view kModelTypes[] = {"nemotron_h"};
  static constexpr std::string_view kArchitectures[] = {"nemotron_h", "nemotron_h_moe"};
  using Experts = Moe<TopKRouter, Mlp>;
  template <class S>
  using Layer = Block<PreNorm<RmsNorm, S>>;
  using Model = Decoder<Layer<Ssd>, Layer<Attention<>>, Layer<Mlp>, Layer<Experts>>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const auto types = has_gguf_names(source) ? gguf_types(c, source) : c.get<std::vector<std::string>>("layers_block_type");
    if (types.empty() || types.size() > source.tensors().size()) c.fail(concat("layers_block_type: expected layers, found ", types.size()));
    const index_t d = c.size("hidden_size"), vocab = c.size("vocab_size"), heads = c.size("num_attention_heads"),
                  head_dim = c.size_or("head_dim", d / heads);
    const RmsNorm::Config norm{d, static_cast<float>(c.positive_or({"layer_norm_epsilon", "rms_norm_eps", "layer_norm_eps"}, 1e-5))};
    Attention<>::Config attention{
        .project = {d, heads, c.size_or("num_key_value_heads", heads), head_dim, c.get_or("attention_bias", false)}};
    attention.options.output_bias = attention.project.bias;
    attention.mask.window = c.size_or("sliding_window", 0, 0);
    Ssd::Config ssm = read_ssd(c, norm.eps);
    const Mlp::Config mlp{d, c.size_or("intermediate_size", d), read_activation(c, "mlp_hidden_act", "relu2"), c.get_or("mlp_bias", false)};
    c.only("mamba_hidden_act", "silu");
    c.ignore({"hidden_dropout", "moe_shared_expert_overlap", "mtp_layers_block_type", "num_nextn_predict_layers"});
    Experts::Config moe;
    if (!has_gguf_names(source) || std::find(types.begin(), types.end(), "moe") != types.end()) moe = read_experts(c, mlp);
    const auto layer = [&](const std::string& type) -> Model::BlockConfig {
      const Add<RmsNorm>::Config join{.pre = norm};
      if (type == "linear_attention" || type == "mamba") return Layer<Ssd>::Config{{join, ssm}};
      if (type == "full_attention" || type == "attention") return Layer<Attention<>>::Config{{join, attention}};
      if (type == "mlp") return Layer<Mlp>::Config{{join, mlp}};
      if (type == "moe") return Layer<Experts>::Config{{join, moe}};
      c.fail(concat("layers_block_type: expected linear_attention, full_attention, mlp or moe, found ", quoted(type)));
    };
    std::vector<Model::BlockConfig> blocks;
    for (const std::string& type : types) blocks.push_back(layer(type));
    Model::Config m = plain_decoder<Model>(norm, vocab, std::move(blocks));
    m.max_positions = c.size_or("max_position_embeddings", 0);
    return m;
  }

  // What each layer is, by the tensors that a GGUF file has for it.
  static std::vector<std::string> gguf_types(const HfConfig& c, const WeightSource& source) {
    std::vector<std::string> out;
    const auto has = [&](std::string_view name) { return source.find(concat("blk.", out.size(), name)) != nullptr; };
    const std::size_t layers = read_layers(c, "num_hidden_layers", source);
    while (out.size() < layers)
      out.emplace_back(has(".ssm_in.weight") ? "mamba" : has(".attn_q.weight") ? "attention" : has(".ffn_gate_inp.weight") ? "moe" : "mlp");
    c.ignore({"layer_types", "rope_theta"});  // of layers that attend and those that do not; nothing rotates
    return out;
  }

  static Experts::Config read_experts(const HfConfig& c, const Mlp::Config& mlp) {
    auto moe = read_moe<TopKRouter, Mlp>(c, mlp);
    read_grouped_router(c, moe.router);
    c.only("scoring_func", "sigmoid");
    Mlp::Config shared = mlp;
    shared.intermediate_size = checked_mul(c.size({"moe_shared_expert_intermediate_size", "shared_expert_intermediate_size"}),
                                           c.size_or("n_shared_experts", 1, 0), "n_shared_experts");
    if (shared.intermediate_size > 0) moe.shared = shared;
    moe.latent = c.size_or("moe_latent_size", 0, 0);
    if (moe.latent > 0)
      for (Mlp::Config& expert : moe.experts.experts) expert.hidden_size = moe.latent;
    return moe;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map;
    if (has_gguf_names(source)) {
      map = gguf_names(c, source);
      name_gguf_ssm(map, 1);
      map.replace("layers.*.mlp.norm", "blk.*.attn_norm");
      for (const char* x : {"down", "up"}) map.rename(concat("layers.*.mlp.latent_", x), concat("blk.*.ffn_latent_", x));
      return map;
    }
    const std::string file = "backbone.layers.*.mixer";
    map.rename("embedding", "backbone.embeddings");
    map.rename("norm", "backbone.norm_f");
    for (const char* part : {"ssm", "attention", "mlp"}) map.rename(concat("layers.*.", part, ".norm"), "backbone.layers.*.norm");
    name_ssm(map, "layers.*.ssm", file);
    for (const char* x : {"q", "k", "v", "o"}) map.rename(concat("layers.*.attention.", x), concat(file, ".", x, "_proj"));
    for (const char* x : {"up", "down"}) {
      map.rename(concat("layers.*.mlp.", x), concat(file, ".", x, "_proj"));
      map.rename(concat("layers.*.mlp.experts.*.", x), concat(file, ".experts.*.", x, "_proj"));
      map.rename(concat("layers.*.mlp.shared.", x), concat(file, ".shared_experts.", x, "_proj"));
    }
    map.rename("layers.*.mlp.router", file + ".gate");
    map.rename("layers.*.mlp.router.choice_bias", file + ".gate.e_score_correction_bias");
    map.rename("layers.*.mlp.latent_down", file + ".fc1_latent_proj");
    map.rename("layers.*.mlp.latent_up", file + ".fc2_latent_proj");
    name_head(map, c, "backbone.embeddings", "lm_head", false);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(NemotronH)
}
