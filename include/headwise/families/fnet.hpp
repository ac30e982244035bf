#pragma once
// FNet: a Fourier transform in the place of attention.                                                              arXiv:2105.03824

#include "headwise/families/encoder_common.hpp"
#include "headwise/mixers/fourier.hpp"

namespace hw::families {

struct FNet {
  static constexpr std::string_view kModelTypes[] = {"fnet"};
  using Block = hw::Block<PostNorm<LayerNorm, Fourier>, PostNorm<LayerNorm, Mlp>>;
  using Model = Encoder<Block>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source, Attends::no);
    c.ignore({"use_tpu_fourier_optimizations", "tpu_short_seq_length"});  // another way to the same numbers
    p.factorise(p.norm.size);
    Model::Config m;
    m.embedding = p.embedding;
    m.blocks.assign(p.layers, Block::Config{{{{}, {}, p.norm}, {p.norm.size}}, {{{}, {}, p.norm}, p.mlp}});
    m.max_positions = p.max_positions;
    m.heads = encoder_heads(c, source, p.heads);
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"fnet"});
    map.rename("embedding.projection", "embeddings.projection");
    map.rename("layers.*.fourier.post_norm", "encoder.layer.*.fourier.output.LayerNorm");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(FNet)
}
