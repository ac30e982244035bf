#pragma once
// xLSTM-7B: mLSTM and a gated feed-forward layer, soft-capped gates and logits.                                 arXiv:2503.13427

#include <cmath>

#include "headwise/families/recurrent_common.hpp"
#include "headwise/layers/mlp.hpp"
#include "headwise/mixers/xlstm/mlstm.hpp"

namespace hw::families {

struct Xlstm {
  static constexpr std::string_view kModelTypes[] = {"xlstm"};
  using Layer = Block<PreNorm<RmsNorm, Mlstm>, PreNorm<RmsNorm, GatedMlp>>;
  using Model = Decoder<Layer>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const auto d = c.size({"hidden_size", "embedding_dim"}), vocab = c.size("vocab_size"), heads = c.size_or("num_heads", 8);
    const RmsNorm::Config norm{d, static_cast<float>(c.positive_or("norm_eps", 1e-6))};
    const Mlstm::Config mixer{.hidden_size = d,
                              .heads = heads,
                              .qk_head_dim = width(c, "qk_dim_factor", 0.5, d, "mlstm_round_up_to_multiple_of", heads),
                              .v_head_dim = width(c, "v_dim_factor", 1.0, d, "mlstm_round_up_to_multiple_of", heads),
                              .gate_soft_cap = static_cast<float>(c.positive_or("gate_soft_cap", 15.0)),
                              .eps = static_cast<float>(c.positive_or("eps", 1e-6)),
                              .norm_eps = norm.eps};
    const GatedMlp::Config mlp{d, width(c, "ffn_proj_factor", 2.667, d, "ffn_round_up_to_multiple_of", 1)};
    c.only("use_bias", false);
    c.only("weight_mode", "single");
    c.ignore({"autocast_kernel_dtype", "chunk_size", "chunkwise_kernel", "inference_state_dtype", "max_inference_chunksize", "mode",
              "norm_reduction_force_float32", "return_last_states", "sequence_kernel", "step_kernel"});
    const std::size_t layers = read_layers(c, {"num_hidden_layers", "num_blocks"}, source);
    Model::Config m = plain_decoder<Model>(norm, vocab, {layers, Layer::Config{{{.pre = norm}, mixer}, {{.pre = norm}, mlp}}});
    if (!c.get_or("add_out_norm", true)) m.norm = NoNorm::Config{};
    m.heads[0].stages.push_back(ScaleStage{.cap = static_cast<float>(c.positive_or("output_logit_soft_cap", 30.0))});
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map;
    map.rename("embedding", "backbone.embeddings");
    map.rename("norm", "backbone.out_norm");
    map.rename("layers.*.mlstm", "backbone.blocks.*.mlstm_layer");
    map.rename("layers.*.mlstm.norm", "backbone.blocks.*.norm_mlstm");
    map.rename("layers.*.mlstm.head_norm", "backbone.blocks.*.mlstm_layer.multihead_norm");
    map.rename("layers.*.mlstm.input", "backbone.blocks.*.mlstm_layer.igate_preact");
    map.rename("layers.*.mlstm.forget", "backbone.blocks.*.mlstm_layer.fgate_preact");
    map.rename("layers.*.mlstm.gate", "backbone.blocks.*.mlstm_layer.ogate_preact");
    map.rename("layers.*.mlstm.o", "backbone.blocks.*.mlstm_layer.out_proj");
    map.rename("layers.*.mlp.norm", "backbone.blocks.*.norm_ffn");
    map.rename("layers.*.mlp.gate", "backbone.blocks.*.ffn.proj_up_gate");
    map.rename("layers.*.mlp.up", "backbone.blocks.*.ffn.proj_up");
    map.rename("layers.*.mlp.down", "backbone.blocks.*.ffn.proj_down");
    name_head(map, c, "backbone.embeddings", "lm_head", false);
    return map;
  }

 private:
  static index_t width(const HfConfig& c, const char* factor, double fallback, index_t d, const char* round, index_t heads) {
    const double share = c.positive_or(factor, fallback);
    const index_t multiple = c.size_or(round, 64);
    const double blocks = std::ceil(static_cast<double>(d) * share / static_cast<double>(multiple));
    if (blocks * static_cast<double>(multiple) > 1e9) c.fail(concat(factor, ": expected a width below 10^9, found a factor of ", share));
    const index_t n = static_cast<index_t>(blocks) * multiple;
    if (n % heads != 0) c.fail(concat("num_heads: expected a divisor of ", n, " (", factor, "), found ", heads));
    return n / heads;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Xlstm)
}
