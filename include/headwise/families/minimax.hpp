#pragma once
// MiniMax-Text-01: lightning attention, softmax attention every few layers, experts.                            arXiv:2501.08313

#include "headwise/blocks/join_variants.hpp"
#include "headwise/families/moe_common.hpp"
#include "headwise/families/recurrent_common.hpp"
#include "headwise/mixers/linear_attention/lightning_attention.hpp"

namespace hw::families {

struct MiniMax {
  static constexpr std::string_view kModelTypes[] = {"minimax"};
  using Experts = MoeParts<>::Sparse;
  template <class Mixer>
  using Layer = Block<Residual<AddToNormed<RmsNorm>, Mixer>, Residual<AddToNormed<RmsNorm>, Experts>>;
  using Model = Decoder<Layer<LightningAttention>, Layer<Attention<>>>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    MoeParts<> p(c, source, {.norm_eps = 1e-5, .rope_theta = 1e6});
    p.attention.mask.window = c.size_or("sliding_window", 0, 0);
    c.ignore({"block_size"});  // how the package computes
    const auto join = [&](const char* alpha, const char* beta) {
      return AddToNormed<RmsNorm>::Config{p.norm, static_cast<float>(c.number_or(alpha, 1.0)), static_cast<float>(c.number_or(beta, 1.0))};
    };
    const auto linear = join("linear_attn_alpha_factor", "linear_attn_beta_factor"),
               full = join("full_attn_alpha_factor", "full_attn_beta_factor"), mlp = join("mlp_alpha_factor", "mlp_beta_factor");
    const auto& project = p.attention.project;
    const auto recurrent = read_recurrent_layers(c, p.layers, "linear_attention", "full_attention");
    return p.stack<Model>([&](std::size_t i) -> Model::BlockConfig {
      if (!recurrent[i]) return Layer<Attention<>>::Config{{full, p.attention}, {mlp, p.moe}};
      // Heads of later layers forget more slowly.
      const double slope = 1 - static_cast<double>(i) / (static_cast<double>(p.layers) - 1 + 1e-5) + 1e-5;
      const LightningAttention::Config lightning{project.hidden_size, project.num_attention_heads, project.head_dim,
                                                 static_cast<float>(slope)};
      return Layer<LightningAttention>::Config{{linear, lightning}, {mlp, p.moe}};
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    const std::string ours = "layers.*.linear_attention.", file = "model.layers.*.self_attn.";
    const index_t head = c.size_or("head_dim", c.size("hidden_size") / c.size("num_attention_heads"));
    map.rename(ours + "norm", "model.layers.*.input_layernorm");
    for (const index_t i : {0, 1, 2})  // of each head
      map.rename(concat(ours, std::string_view("qkv").substr(static_cast<std::size_t>(i), 1)), file + "qkv_proj").interleaved(i, 3, head);
    for (const auto& [part, name] : {std::pair("gate", "output_gate"), {"head_norm", "norm"}, {"o", "out_proj"}})
      map.rename(concat(ours, part), concat(file, name));
    for (const char* table : {"slope_rate", "query_decay", "key_decay", "diagonal_decay"}) map.ignore(concat(file, table));
    name_experts(map, {.mlp = "block_sparse_moe", .gate = "w1", .up = "w3", .down = "w2"});
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(MiniMax)
}
