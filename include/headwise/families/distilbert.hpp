#pragma once
// DistilBERT: BERT without token types, under names of its own.                                                  arXiv:1910.01108

#include "headwise/families/encoder_common.hpp"

namespace hw::families {

struct DistilBert {
  static constexpr std::string_view kModelTypes[] = {"distilbert"};
  using Model = BertStack;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    c.ignore({"sinusoidal_pos_embds"});  // how the table was made; it is in the file
    p.heads.classifier = Activation::relu;
    return make_encoder(c, source, p);
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"distilbert"});
    for (const char* name : {"q", "k", "v"})
      map.rename(concat("layers.*.attention.", name), concat("transformer.layer.*.attention.", name, "_lin"));
    map.rename("layers.*.attention.o", "transformer.layer.*.attention.out_lin");
    map.rename("layers.*.attention.post_norm", "transformer.layer.*.sa_layer_norm");
    map.rename("layers.*.mlp.up", "transformer.layer.*.ffn.lin1");
    map.rename("layers.*.mlp.down", "transformer.layer.*.ffn.lin2");
    map.rename("layers.*.mlp.post_norm", "transformer.layer.*.output_layer_norm");
    map.rename("head.pooler", "pre_classifier");
    map.rename("head.transform", "vocab_transform");
    map.rename("head.norm", "vocab_layer_norm");
    map.rename("head.decoder", "vocab_projector");
    map.rename("head.decoder.bias", "vocab_projector.bias");
    map.ignore("vocab_projector.weight");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(DistilBert)
}
