#pragma once
// Inkling (text): short convolutions on keys, values and both deltas, biases by distance in place of positions, experts with a sink.

#include "headwise/blocks/scaled.hpp"
#include "headwise/families/moe_common.hpp"
#include "headwise/families/recurrent_common.hpp"
#include "headwise/mixers/attention/distance_projection.hpp"
#include "headwise/mixers/convolved.hpp"
#include "headwise/moe/sink_moe.hpp"

namespace hw::families {

struct Inkling {
  static constexpr std::string_view kModelTypes[] = {"inkling_text"};
  using Attn = Convolved<Attention<Causal, DistanceProjection>>;
  template <class Mlp>
  using Layer = Block<PreNorm<RmsNorm, Attn>, PreNorm<RmsNorm, Convolved<Mlp>>>;
  using Dense = Layer<LearnedScale<GatedMlp>>;
  using Sparse = Layer<SinkMoe>;
  using Model = Decoder<Dense, Sparse>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    DecoderParts<RmsNorm, GatedMlp> p(c, source, {.rotary = false});
    const index_t d = p.norm.size, taps = c.size_or("conv_kernel_size", 4), window = c.size("sliding_window_size");
    p.embedding.norm = p.norm;
    p.head = {ScaleStage{static_cast<float>(1 / c.positive_or("logits_mup_width_multiplier", 1.0))}, DenseStage{"", vocabulary(c), false}};
    DistanceProjection::Config far{.hidden_size = d,
                                   .num_attention_heads = p.attention.project.num_attention_heads,
                                   .num_key_value_heads = p.attention.project.num_key_value_heads,
                                   .head_dim = p.attention.project.head_dim,
                                   .rank = c.size("d_rel"),
                                   .extent = c.size("rel_extent"),
                                   .kernel_size = taps,
                                   .norm_eps = p.norm.eps};
    DistanceProjection::Config near = far;
    near.num_attention_heads = c.size_or("swa_num_attention_heads", far.num_attention_heads);
    near.num_key_value_heads = c.size_or("swa_num_key_value_heads", far.num_key_value_heads);
    near.head_dim = c.size_or("swa_head_dim", far.head_dim);
    near.extent = window;
    if (const double floor = c.number_or("log_scaling_n_floor", 0.0); floor > 0) {
      far.temperature_floor = static_cast<float>(floor);
      far.temperature_scale = static_cast<float>(c.number_or("log_scaling_alpha", 0.1));
    }
    const auto experts = read_moe<TopKRouter, GatedMlp>(c, p.mlp);
    const SinkMoe::Config moe{experts.experts.experts.front(), experts.router.num_experts, c.size_or("n_shared_experts", 0, 0),
                              experts.router.top_k, static_cast<float>(c.positive_or("route_scale", 1.0))};
    c.only("shared_expert_sink", true);
    c.ignore({"chain_hidden_post_norm", "local_layer_ids", "number_of_conv_states", "rms_norm_eps_moe_gate"});
    c.ignore({"mtp_hidden_states_first", "mtp_local_layer_ids", "num_mtp_layers"});  // layers that draft
    const auto slides = read_recurrent_layers(c, p.layers, "hybrid_sliding", "hybrid"),
               sparse = read_recurrent_layers(c, p.layers, "sparse", "dense", "mlp_layer_types");
    const Add<RmsNorm>::Config join{.pre = p.norm};
    return p.stack<Model>([&](std::size_t i) -> Model::BlockConfig {
      Attn::Config attention{{.project = slides[i] ? near : far}, d, taps};
      attention.sublayer.mask.window = slides[i] ? window : 0;
      attention.sublayer.options.scale = 1 / static_cast<float>(attention.sublayer.project.head_dim);  // q and k are normed
      if (sparse[i]) return Sparse::Config{{join, attention}, {join, {moe, d, taps}}};
      return Dense::Config{{join, attention}, {join, {{p.mlp}, d, taps}}};
    });
  }

  // Rows of the head behind these are padding.
  static index_t vocabulary(const HfConfig& c) {
    return std::min(c.size("vocab_size"), c.size_or("unpadded_vocab_size", c.size("vocab_size")));
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    const std::string attention = "layers.*.attention.", file = "model.layers.*.self_attn.", mlp = "layers.*.mlp.",
                      ffn = "model.layers.*.mlp.";
    map.rename("embedding.norm", "model.embed_tokens.embed_norm");
    map.replace("head", "lm_head").rows(0, vocabulary(c));
    map.rename(attention + "r", file + "r_proj");
    map.rename(attention + "distances", file + "rel_logits_proj.proj");
    map.rename(attention + "kv_conv.weight", std::vector<std::string>{file + "k_sconv.conv1d.weight", file + "v_sconv.conv1d.weight"})
        .flatten(2);
    map.rename(attention + "conv.weight", "model.layers.*.attn_sconv.conv1d.weight").flatten(2);
    map.rename(mlp + "conv.weight", "model.layers.*.mlp_sconv.conv1d.weight").flatten(2);
    map.rename(mlp + "scale", ffn + "global_scale");
    map.rename(mlp + "router", ffn + "gate");
    map.rename(mlp + "router.choice_bias", ffn + "gate.e_score_correction_bias");
    map.rename(mlp + "router.scale", ffn + "gate.global_scale");
    map.rename(mlp + "experts.*.gate.weight", ffn + "experts.gate_up_proj").slice(1).part(0, 2);
    map.rename(mlp + "experts.*.up.weight", ffn + "experts.gate_up_proj").slice(1).part(1, 2);
    map.rename(mlp + "experts.*.down.weight", ffn + "experts.down_proj").slice(1);
    for (const char* x : {"gate", "up", "down"})
      map.rename(concat(mlp, "shared.*.", x, ".weight"), concat(ffn, "shared_experts.", x, "_proj")).slice(1);
    map.ignore("model.mtp.**");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Inkling)
}
