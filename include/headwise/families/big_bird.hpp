#pragma once
// BigBird: BERT whose tokens see a few blocks of their sequence.                                                    arXiv:2007.14062

#include "headwise/families/encoder_common.hpp"
#include "headwise/mixers/attention/mask_sparse.hpp"

namespace hw::families {

struct BigBird {
  static constexpr std::string_view kModelTypes[] = {"big_bird"};
  using Attention = hw::Attention<BlockSparse>;
  using Block = hw::Block<PostNorm<LayerNorm, Attention>, PostNorm<LayerNorm, Mlp>>;
  using Model = Encoder<Block>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    const auto type = c.get_or<std::string>("attention_type", "block_sparse");
    if (type != "block_sparse" && type != "original_full")
      c.fail(concat("attention_type: expected block_sparse or original_full, found ", quoted(type)));
    BlockSparse mask{c.size_or("block_size", 64), c.size_or("num_random_blocks", 3, 0)};
    if (type == "original_full") mask = {};
    p.attention.project.bias = c.get_or("use_bias", true);
    if (c.get_or("rescale_embeddings", false)) p.embedding.scale = std::sqrt(static_cast<float>(p.norm.size));
    p.heads.classifier = p.mlp.activation;
    const Attention::Config attention{p.attention.project, mask, p.attention.options};

    Model::Config m;
    m.embedding = p.embedding;
    m.blocks.assign(p.layers, Block::Config{{{{}, {}, p.norm}, attention}, {{{}, {}, p.norm}, p.mlp}});
    m.max_positions = p.max_positions;
    m.heads = encoder_heads(c, source, p.heads);
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"bert"});
    map.rename("head.pooler", "pooler");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(BigBird)
}
