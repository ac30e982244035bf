#pragma once
// Switch Transformers: T5 with one expert of many in place of the MLP in some layers.                            arXiv:2101.03961

#include "headwise/families/sparse_seq2seq.hpp"
#include "headwise/families/t5.hpp"
#include "headwise/moe/router_variants.hpp"

namespace hw::families {

/// In the encoder an expert takes no more than expert_capacity rows of a source. The decoder's experts take every row: published
/// generation counts each step by itself, so that none is ever full.
struct SwitchTransformers {
  static constexpr std::string_view kModelTypes[] = {"switch_transformers"};
  using Crowded = SequenceCapacity<TopKRouter>;
  using Reader = Block<PreNorm<RmsNorm, Attention<Full>>, PreNorm<RmsNorm, Moe<Crowded, Mlp>>>;
  using Writer = Block<PreNorm<RmsNorm, Attention<>>, PreNorm<RmsNorm, CrossAttention>, PreNorm<RmsNorm, Moe<TopKRouter, Mlp>>>;
  using ReaderStack = Encoder<T5Reader<Mlp>, Reader>;
  using WriterStack = Decoder<T5::Writer<Mlp>, Writer>;
  using Model = EncoderDecoder<ReaderStack, WriterStack>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const T5::Model::Config dense = T5::config(c, source);
    const index_t d = c.size("d_model"), experts = read_experts(c, source);
    const TopKRouter::Config router = read_router(c, experts, d, 1);
    const Crowded::Config crowded{d, c.size_or("expert_capacity", 64), router};
    // Every step-th layer from the second on; what the file says of the step itself follows from the number of sparse layers.
    const auto every = [&](const char* count, std::size_t layers) {
      const auto sparse = static_cast<std::size_t>(c.size_or(count, 3));
      if (sparse > layers) c.fail(concat(count, ": expected at most as many as there are layers (", layers, "), found ", sparse));
      return [step = layers / sparse](std::size_t i) { return step == 1 || i % step == 1; };
    };
    c.ignore({"encoder_sparse_step", "decoder_sparse_step", "add_router_probs"});
    Model::Config m;
    m.encoder = with_experts<ReaderStack, T5Reader<Mlp>, Reader, Crowded>(dense.encoder, crowded, experts,
                                                                          every("num_sparse_encoder_layers", dense.encoder.blocks.size()));
    m.decoder = with_experts<WriterStack, T5::Writer<Mlp>, Writer, TopKRouter>(
        dense.decoder, router, experts, every("num_sparse_decoder_layers", dense.decoder.blocks.size()));
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = T5::weights(c, source);
    name_experts(map, read_experts(c, source), "encoder.layers.*.mlp", "encoder.block.*.layer.1.mlp", "wi", "wo");
    name_experts(map, read_experts(c, source), "decoder.layers.*.mlp", "decoder.block.*.layer.2.mlp", "wi", "wo");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(SwitchTransformers)
}
