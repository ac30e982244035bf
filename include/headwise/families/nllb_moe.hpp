#pragma once
// NLLB-MoE: M2M-100 with two experts of many in place of the MLP in some layers.                                 arXiv:2207.04672

#include "headwise/families/bart.hpp"
#include "headwise/families/sparse_seq2seq.hpp"

namespace hw::families {

/// The weights of the two add up to 1 - moe_token_dropout. Experts have room for every row, as published models are configured.
struct NllbMoe {
  static constexpr std::string_view kModelTypes[] = {"nllb-moe"};
  using Experts = PreNorm<LayerNorm, Moe<TopKRouter, Mlp>>;
  using Reader = Block<PreNorm<LayerNorm, Attention<Full>>, Experts>;
  using Writer = Block<PreNorm<LayerNorm, Attention<>>, PreNorm<LayerNorm, CrossAttention>, Experts>;
  using ReaderStack = Encoder<PreNormLayer, Reader>;
  using WriterStack = Decoder<PreNormWriter, Writer>;
  using Model = EncoderDecoder<ReaderStack, WriterStack>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const Seq2Seq::Config dense = make_seq2seq(c, source, M2M100::traits(c));
    const index_t experts = read_experts(c, source);
    TopKRouter::Config router = read_router(c, experts, c.size("d_model"), 2);
    router.renormalise = true;
    router.scale = 1.0f - static_cast<float>(c.number_or("moe_token_dropout", 0.2));
    c.only("second_expert_policy", "all");
    c.only("moe_eval_capacity_token_fraction", 1.0);  // room for every row, so the order in which they come says nothing
    c.ignore({"expert_capacity", "batch_prioritized_routing", "normalize_router_prob_before_dropping"});
    const auto every = [&](const char* field) {
      return [step = static_cast<std::size_t>(c.size_or(field, 4, 0))](std::size_t i) { return step > 0 && (i + 1) % step == 0; };
    };
    Model::Config m;
    m.encoder = with_experts<ReaderStack, PreNormLayer, Reader, TopKRouter>(dense.encoder, router, experts, every("encoder_sparse_step"));
    m.decoder = with_experts<WriterStack, PreNormWriter, Writer, TopKRouter>(dense.decoder, router, experts, every("decoder_sparse_step"));
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = seq2seq_names(c, M2M100::traits(c));
    for (const std::string side : {"encoder", "decoder"}) {
      const std::string layer = side + ".layers.*.";
      map.replace(layer + "mlp.norm", layer + "ff_layer_norm");
      map.replace(layer + "mlp.up", layer + "ffn.fc1");
      map.replace(layer + "mlp.down", layer + "ffn.fc2");
      name_experts(map, read_experts(c, source), layer + "mlp", layer + "ffn", "fc1", "fc2");
    }
    for (const auto& [part, name] :
         {std::pair("q", ".q_proj"), {"k", ".k_proj"}, {"v", ".v_proj"}, {"o", ".out_proj"}, {"norm", "_layer_norm"}})
      map.replace(concat("decoder.layers.*.cross_attention.", part), concat("decoder.layers.*.cross_attention", name));
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(NllbMoe)
}
