#pragma once
// GLM-4.5: norms over each head of q and k, DeepSeek-V3's router.                                              arXiv:2508.06471

#include "headwise/families/moe_common.hpp"

namespace hw::families {

struct Glm4Moe {
  static constexpr std::string_view kModelTypes[] = {"glm4_moe"};
  static constexpr std::string_view kArchitectures[] = {"glm4moe"};
  using Parts = MoeParts<>;
  using Model = Parts::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.norm_eps = 1e-5, .rotary_share = 0.5});
    p.attention.options.output_bias = false;
    if (c.get_or("use_qk_norm", source.find("blk.0.attn_q_norm.weight") != nullptr))
      p.attention.project.q_norm = p.attention.project.k_norm = RmsNorm::Config{p.attention.project.head_dim, p.norm.eps};
    read_grouped_router(c, p.moe.router);
    p.read_shared(c, "n_shared_experts");
    c.only("scoring_func", "sigmoid");
    c.ignore({"num_nextn_predict_layers"});  // layers that predict further tokens: drafts, not part of the model
    const auto dense = static_cast<std::size_t>(c.size_or("first_k_dense_replace", 1, 0));
    return p.stack<Model>([&](std::size_t i) { return p.layer(i >= dense); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    name_experts(map);
    if (has_gguf_names(source)) map.replace("layers.*.mlp.norm", "blk.*.post_attention_norm");
    map.ignore(concat("model.layers.", c.size("num_hidden_layers"), ".**"));
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Glm4Moe)
}
