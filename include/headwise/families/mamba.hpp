#pragma once
// Mamba: a selective state space in every layer, no MLP.                                                       arXiv:2312.00752

#include "headwise/families/recurrent_common.hpp"
#include "headwise/mixers/ssm/selective_ssm.hpp"
#include "headwise/models/stack.hpp"

namespace hw::families {

struct Mamba {
  static constexpr std::string_view kModelTypes[] = {"mamba"};
  using Block = hw::Block<PreNorm<RmsNorm, SelectiveSsm>>;
  using Model = Decoder<Block>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const index_t d = c.size("hidden_size"), vocab = c.size("vocab_size");
    const RmsNorm::Config norm{d, static_cast<float>(c.positive_or({"layer_norm_epsilon", "rms_norm_eps"}, 1e-5))};
    SelectiveSsm::Config ssm{.hidden_size = d,
                             .inner_size = c.size_or({"intermediate_size", "ssm_inner_size"}, 2 * d),
                             .state_size = c.size_or("state_size", 16),
                             .dt_rank = c.size_or("time_step_rank", (d + 15) / 16),
                             .kernel_size = c.size_or("conv_kernel", 4),
                             .conv_bias = c.get_or("use_conv_bias", true),
                             .bias = c.get_or("use_bias", false)};
    c.only("hidden_act", "silu");
    c.ignore({"max_position_embeddings"});  // a GGUF file's: of the training
    c.only("ssm_dt_b_c_rms", false);
    c.ignore({"expand", "residual_in_fp32", "rescale_prenorm_residual", "time_step_min", "time_step_max", "time_step_floor",
              "time_step_init_scheme", "time_step_scale", "use_associative_scan", "use_mambapy"});
    const std::size_t layers = read_layers(c, {"num_hidden_layers", "n_layer"}, source);
    return plain_decoder<Model>(norm, vocab, {layers, Block::Config{{{.pre = norm}, ssm}}});
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) { return names(c, source, 2); }

  // a_dims: see name_gguf_ssm.
  static WeightMap names(const HfConfig& c, const WeightSource& source, int a_dims) {
    WeightMap map;
    if (has_gguf_names(source)) {
      map = gguf_names(c, source);
      name_gguf_ssm(map, a_dims);
      return map;
    }
    map.rename("embedding", "backbone.embeddings");
    map.rename("norm", "backbone.norm_f");
    name_ssm(map, "layers.*.ssm", "backbone.layers.*.mixer");
    map.rename("layers.*.ssm.norm", "backbone.layers.*.norm");
    name_head(map, c, "backbone.embeddings", "lm_head", true);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Mamba)
}
