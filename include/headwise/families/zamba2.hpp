#pragma once
// Zamba2: Mamba-2 in every layer, and shared attentions and MLPs in turn, each use with additions of low rank.    arXiv:2411.15242

#include "headwise/families/zamba_common.hpp"

namespace hw::families {

struct Zamba2 {
  static constexpr std::string_view kModelTypes[] = {"zamba2"};
  using Parts = ZambaParts<Ssd>;
  using Model = Parts::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, c.get_or("use_mem_rope", false));
    auto& [attention, mlp, linear] = p.shared.sublayers;
    mlp.sublayer.rank = c.size_or("adapter_rank", 128);
    if (c.get_or("use_shared_attention_adapter", false)) attention.sublayer.project.rank = mlp.sublayer.rank;
    c.only("use_long_context", false);
    c.ignore({"hybrid_layer_ids", "kv_channels", "num_query_groups", "use_mem_eff_path"});
    Ssd::Config ssm = read_ssd(c, 1e-5f);
    ssm.bias = c.get_or("add_bias_linear", false);
    return p.model(c, ssm);
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    const auto use = [](WeightMap& map, const std::string& ours, const std::string& file, std::size_t number) {
      for (const auto& [end, place] : {std::pair("down", ".0"), {"up", ".1"}}) {
        const std::string adapter = concat("_adapter_list.", number, place);
        for (const char* x : {"q", "k", "v"})
          map.rename(concat(ours, "attention.", x, ".lora_", end), concat(file, "self_attn.linear_", x, adapter));
        for (const index_t i : {0, 1}) {
          auto& rule =
              map.rename(concat(ours, i == 0 ? "mlp.gate" : "mlp.up", ".lora_", end), file + "feed_forward.gate_up_proj" + adapter);
          if (end == std::string_view("up")) rule.part(i, 2);
        }
      }
      map.rename(ours + "mlp.gate", file + "feed_forward.gate_up_proj").part(0, 2);
      map.rename(ours + "mlp.up", file + "feed_forward.gate_up_proj").part(1, 2);
    };
    return Parts::names(c, source, "shared_transformer", static_cast<std::size_t>(c.size_or("num_mem_blocks", 1)), use);
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Zamba2)
}
