#pragma once
// RemBERT: narrow input embeddings, and an output matrix of its own width.                                         arXiv:2010.12821

#include "headwise/families/encoder_common.hpp"

namespace hw::families {

struct RemBert {
  static constexpr std::string_view kModelTypes[] = {"rembert"};
  using Model = BertStack;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    p.factorise(c.size_or("input_embedding_size", 256));
    p.heads.transform_size = c.size_or("output_embedding_size", 1664);
    p.heads.norm = LayerNorm::Config{p.heads.transform_size, p.norm.eps};
    return make_encoder(c, source, p);
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"rembert"});
    map.rename("embedding.projection", "encoder.embedding_hidden_mapping_in");
    map.rename("head.transform", "cls.predictions.dense");
    map.rename("head.norm", "cls.predictions.LayerNorm");
    map.replace("head.decoder", "cls.predictions.decoder");  // never tied
    map.replace("head.decoder.bias", "cls.predictions.decoder.bias");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(RemBert)
}
