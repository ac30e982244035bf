#pragma once
// BigBird: BERT whose tokens see a few blocks of their sequence.                                                    arXiv:2007.14062

#include "headwise/families/encoder_common.hpp"

namespace hw::families {

struct BigBird {
  static constexpr std::string_view kModelTypes[] = {"big_bird"};
  using Model = BertStack;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    c.only("use_bias", true);
    c.only("attention_type", "original_full");
    c.ignore({"block_size", "num_random_blocks"});
    if (c.get_or("rescale_embeddings", false)) p.embedding.scale = std::sqrt(static_cast<float>(p.norm.size));
    p.heads.classifier = p.mlp.activation;
    return make_encoder(c, source, p);
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
