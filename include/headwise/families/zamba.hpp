#pragma once
// Zamba: Mamba with heads, and one attention and MLP shared by every sixth layer.                              arXiv:2405.16712

#include "headwise/families/zamba_common.hpp"
#include "headwise/mixers/ssm/selective_ssm.hpp"

namespace hw::families {

struct Zamba {
  static constexpr std::string_view kModelTypes[] = {"zamba"};
  using Parts = ZambaParts<SelectiveSsm>;
  using Model = Parts::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const Parts p(c, source, false);
    const index_t d = p.parts.norm.size;
    c.only("hidden_mamba_act", "silu");
    c.ignore({"attn_layer_offset", "attn_layer_period", "time_step_min", "time_step_max", "time_step_floor", "use_associative_scan"});
    return p.model(c, {.hidden_size = d,
                       .inner_size = checked_mul(c.size_or("mamba_expand", 2), d, "mamba_expand"),
                       .state_size = c.size_or("mamba_d_state", 16),
                       .dt_rank = c.size_or("mamba_dt_rank", (d + 15) / 16),
                       .kernel_size = c.size_or("mamba_d_conv", 4),
                       .conv_bias = c.get_or("mamba_conv_bias", true),
                       .bias = c.get_or("mamba_proj_bias", false),
                       .heads = c.size_or("n_mamba_heads", 2)});
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = Parts::names(c, source, "shared_transf", 1, [](auto&&...) {});
    for (const std::string mamba : {"model.layers.*.mamba.", "model.layers.*.mamba_decoder.mamba."}) {
      const std::string ours = "layers.*.ssm.";
      map.rename(ours + "u", mamba + "in_proj").interleaved(0, 2, 1);  // of each channel: u, z
      map.rename(ours + "z", mamba + "in_proj").interleaved(1, 2, 1);
      map.rename(ours + "x.*.weight", mamba + "x_proj_weight").slice(1);
      map.rename(ours + "dt.*.weight", mamba + "dt_proj_weight").slice(1);
      map.rename(ours + "dt.*.bias", mamba + "dt_proj_bias").slice(1);
      map.rename(ours + "a_log.*", mamba + "A_log").slice(1);
      map.rename(ours + "d_skip", mamba + "D").flatten(1);
    }
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Zamba)
}
