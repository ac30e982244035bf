#pragma once
// OLMo hybrid: the gated delta rule behind norms, and in between OLMo 2 attention with norms behind it.

#include "headwise/families/decoder.hpp"
#include "headwise/families/recurrent_common.hpp"
#include "headwise/mixers/linear_attention/gated_delta_net.hpp"

namespace hw::families {

struct OlmoHybrid {
  static constexpr std::string_view kModelTypes[] = {"olmo_hybrid"};
  using Parts = DecoderParts<RmsNorm, GatedMlp>;
  using Recurrent = Block<PreNorm<RmsNorm, GatedDeltaNet>, PreNorm<RmsNorm, GatedMlp>>;
  using Model = Decoder<Recurrent, Parts::DeltaNormBlock>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source);
    auto& project = p.attention.project;
    if (!c.has("rope_parameters") && !c.has("rope_theta")) project.rotary.reset();
    project.q_norm = RmsNorm::Config{project.num_attention_heads * project.head_dim, p.norm.eps};
    project.k_norm = RmsNorm::Config{project.num_key_value_heads * project.head_dim, p.norm.eps};
    const GatedDeltaNet::Config delta{.hidden_size = p.norm.size,
                                      .key_heads = c.size("linear_num_key_heads"),
                                      .value_heads = c.size("linear_num_value_heads"),
                                      .key_dim = c.size("linear_key_head_dim"),
                                      .value_dim = c.size("linear_value_head_dim"),
                                      .kernel_size = c.size_or("linear_conv_kernel_dim", 4),
                                      .negative_eigenvalues = c.get_or("linear_allow_neg_eigval", true),
                                      .norm_eps = 1e-5f};  // whatever rms_norm_eps says
    c.ignore({"linear_a_log_max", "linear_a_log_min", "linear_dt_init_floor", "linear_dt_max", "linear_dt_min"});  // how weights were drawn
    const auto recurrent = read_recurrent_layers(c, p.layers, "linear_attention", "full_attention");
    return p.stack<Model>([&](std::size_t i) -> Model::BlockConfig {
      if (recurrent[i]) return Recurrent::Config{{{.pre = p.norm}, delta}, {{.pre = p.norm}, p.mlp}};
      return p.delta_norm();
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    const std::string ours = "layers.*.linear_attention.", file = "model.layers.*.linear_attn.";
    map.rename("layers.*.linear_attention.norm", "model.layers.*.attention_layer_norm");
    map.replace("layers.*.mlp.norm", "model.layers.*.feedforward_layer_norm");
    map.rename("layers.*.attention.delta_norm", "model.layers.*.post_attention_layernorm");
    map.rename("layers.*.attention.delta_norm", "model.layers.*.feedforward_layer_norm");  // in files saved by transformers 5
    map.rename("layers.*.mlp.delta_norm", "model.layers.*.post_feedforward_layernorm");
    for (const auto& [part, name] : {std::pair("q", "q_proj"),
                                     {"k", "k_proj"},
                                     {"v", "v_proj"},
                                     {"z", "g_proj"},
                                     {"b", "b_proj"},
                                     {"a", "a_proj"},
                                     {"a_log", "A_log"},
                                     {"dt_bias", "dt_bias"},
                                     {"head_norm", "o_norm"},
                                     {"o", "o_proj"}})
      map.rename(concat(ours, part), concat(file, name));
    map.rename(ours + "conv.weight", std::vector<std::string>{file + "q_conv1d.weight", file + "k_conv1d.weight", file + "v_conv1d.weight"})
        .flatten(2);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(OlmoHybrid)
}
