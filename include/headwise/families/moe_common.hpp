#pragma once
// What decoders with experts share: the reading of their fields, the sparse block, the names of experts.

#include "headwise/families/decoder.hpp"
#include "headwise/moe/moe.hpp"

namespace hw::families {

/// The fields that most families with experts have. Every expert is `expert`, as wide as moe_intermediate_size says where it is there.
/// Errors: more experts than any model has, more chosen than there are.
template <class R, class E>
[[gnu::cold]] typename Moe<R, E>::Config read_moe(const HfConfig& c, typename E::Config expert) {
  constexpr index_t kMost = 1 << 16;
  typename Moe<R, E>::Config moe;
  moe.router.hidden_size = expert.hidden_size;
  moe.router.num_experts = c.size({"num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"});
  if (moe.router.num_experts > kMost) c.fail(concat("num_experts: expected at most ", kMost, ", found ", moe.router.num_experts));
  if constexpr (requires { moe.router.top_k; }) {
    moe.router.top_k = c.size({"num_experts_per_tok", "num_experts_per_token", "moe_k", "moe_topk", "moe_top_k"});
    if (moe.router.top_k > moe.router.num_experts)
      c.fail(concat("num_experts_per_tok: expected at most ", moe.router.num_experts, " (experts), found ", moe.router.top_k));
  }
  expert.intermediate_size = c.size_or({"moe_intermediate_size", "expert_ffn_hidden_size"}, expert.intermediate_size);
  moe.experts.experts.assign(static_cast<std::size_t>(moe.router.num_experts), expert);
  c.ignore({"router_jitter_noise", "input_jitter_noise"});
  return moe;
}

/// A decoder's parts, and the experts that take the MLP's place in some or all layers. N: norm, R: router, E: expert.
template <class N = RmsNorm, class R = TopKRouter, class E = GatedMlp>
struct MoeParts : DecoderParts<N, GatedMlp> {
  using Base = DecoderParts<N, GatedMlp>;
  using Sparse = Moe<R, E>;
  using SparseBlock = Block<PreNorm<N, Attention<>>, PreNorm<N, Sparse>>;
  using Model = Decoder<typename Base::PreNormBlock, SparseBlock>;

  typename Sparse::Config moe;

  MoeParts(const HfConfig& c, const WeightSource& source, const DecoderDefaults& defaults = {}) : MoeParts(c, c, source, defaults) {}
  /// The same, with the fields of the experts in an object of their own.
  MoeParts(const HfConfig& model, const HfConfig& c, const WeightSource& source, const DecoderDefaults& defaults = {})
      : Base(model, source, defaults), moe(read_moe<R, E>(c, this->mlp)) {}

  /// The MLP, but so wide.
  GatedMlp::Config widened(index_t width) const {
    GatedMlp::Config out = this->mlp;
    out.intermediate_size = width;
    return out;
  }
  /// Experts that all tokens pass, as one MLP: `count` of them, each as wide as the others, or as wide as a GGUF file says.
  void read_shared(const HfConfig& c, const ConfigKeys& count) {
    if (const index_t n = c.size_or(count, 0, 0)) {
      const index_t width = checked_mul(n, c.size("moe_intermediate_size"), count.all().front());
      moe.shared = widened(c.size_or("shared_expert_intermediate_size", width));
    }
  }

  typename SparseBlock::Config sparse() const {
    return {{{.pre = this->norm, .scale = this->residual_scale}, this->attention},
            {{.pre = this->norm, .scale = this->residual_scale}, moe}};
  }
  typename Model::BlockConfig layer(bool has_experts) const {
    if (has_experts) return sparse();
    return this->pre_norm();
  }
};

/// Scores by sigmoid, a bias that chooses only, groups: DeepSeek-V3's router as configurations spell it.                   arXiv:2412.19437
[[gnu::cold]] inline void read_grouped_router(const HfConfig& c, TopKRouter::Config& router) {
  router.score = RouterScore::sigmoid;
  router.choice_bias = true;
  router.group_pairs = true;
  router.groups = c.size_or({"n_group", "num_expert_group"}, 1);
  router.top_groups = c.size_or("topk_group", 1);
  router.renormalise = c.get_or({"norm_topk_prob", "moe_renormalize"}, true);
  router.scale = static_cast<float>(c.number_or("routed_scaling_factor", 1.0));
}

/// Where a file keeps a layer's experts: `mlp` in the layer, the others in it.
struct ExpertNames {
  std::string_view mlp = "mlp", router = "gate", gate = "gate_proj", up = "up_proj", down = "down_proj", shared = "shared_experts";
};

[[gnu::cold]] inline void name_experts(WeightMap& map, const ExpertNames& n = {}) {
  const std::string file = concat("model.layers.*.", n.mlp, "."), ours = "layers.*.mlp.";
  map.rename(ours + "router", concat(file, n.router));
  map.rename(ours + "router.choice_bias", concat(file, n.router, ".e_score_correction_bias"));
  for (const auto& [part, name] : {std::pair(std::string_view("gate"), n.gate), {"up", n.up}, {"down", n.down}}) {
    map.rename(concat(ours, "experts.*.", part), concat(file, "experts.*.", name));
    map.rename(concat(ours, "shared.", part), concat(file, n.shared, ".", part, "_proj"));
  }
}

/// Experts whose matrices lie in one tensor: gate over up (experts, 2 f, d), and down (experts, d, f).
[[gnu::cold]] inline void name_stacked_experts(WeightMap& map, std::string_view gate_up, std::string_view down) {
  map.rename("layers.*.mlp.experts.*.gate", gate_up).slice(1).part(0, 2);
  map.rename("layers.*.mlp.experts.*.up", gate_up).slice(1).part(1, 2);
  map.rename("layers.*.mlp.experts.*.down", down).slice(1);
}

}  // namespace hw::families

#if defined(HEADWISE_COMPILED)  // instantiated once, with this file's definitions
extern template class hw::Stack<hw::families::DecoderParts<hw::RmsNorm, hw::GatedMlp>::PreNormBlock, hw::families::MoeParts<>::SparseBlock>;
#endif

#if HEADWISE_DEFINITIONS
#include "headwise/families/moe_common.inl.hpp"
#endif
