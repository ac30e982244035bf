#pragma once
// DeepSeek-V2 and V3: latent attention, dense first layers, fine-grained and shared experts.   arXiv:2405.04434, arXiv:2412.19437

#include "headwise/families/latent_common.hpp"

namespace hw::families {

struct DeepSeek {
  static constexpr std::string_view kModelTypes[] = {"deepseek_v2", "deepseek_v3"};
  static constexpr std::string_view kArchitectures[] = {"deepseek2"};  // both: the router's scores tell them apart
  using Attn = Attention<Causal, LatentProjection>;
  using Dense = Block<PreNorm<RmsNorm, Attn>, PreNorm<RmsNorm, GatedMlp>>;
  using Sparse = Block<PreNorm<RmsNorm, Attn>, PreNorm<RmsNorm, MoeParts<>::Sparse>>;
  using Model = Decoder<Dense, Sparse>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    MoeParts<> p(c, source);
    TopKRouter::Config& router = p.moe.router;
    read_grouped_router(c, router);
    const auto type = c.get<std::string>("model_type"), score = c.get_or<std::string>("scoring_func", "softmax");
    const bool gguf = has_gguf_names(source);
    if (gguf ? score == "softmax" : type == "deepseek_v2") {
      const auto method = c.get_or<std::string>("topk_method", gguf ? "group_limited_greedy" : "greedy");
      if (method != "greedy" && method != "group_limited_greedy")
        c.fail(concat("topk_method: expected greedy or group_limited_greedy, found ", quoted(method)));
      router.score = RouterScore::softmax;
      router.choice_bias = router.group_pairs = false;
      router.renormalise = c.get_or("norm_topk_prob", false);
      if (method == "greedy") router.groups = router.top_groups = 1;
    }
    p.read_shared(c, "n_shared_experts");
    c.ignore({"num_nextn_predict_layers", "moe_layer_freq", "ep_size", "seq_aux", "scoring_func"});
    const Attn::Config attention = read_latent_attention(c, p.norm.eps);
    const auto dense = static_cast<std::size_t>(c.size_or("first_k_dense_replace", 0, 0));
    return p.stack<Model>([&](std::size_t i) -> Model::BlockConfig {
      if (i < dense) return Dense::Config{{{.pre = p.norm}, attention}, {{.pre = p.norm}, p.mlp}};
      return Sparse::Config{{{.pre = p.norm}, attention}, {{.pre = p.norm}, p.moe}};
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    if (has_gguf_names(source)) {
      name_gguf_latent_attention(map, c, source);
      return map;
    }
    name_experts(map);
    name_latent_attention(map, c, "layers.*.attention", "model.layers.*.self_attn");
    map.ignore(concat("model.layers.", c.size("num_hidden_layers"), ".**"));
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(DeepSeek)
}
