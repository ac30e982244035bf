#pragma once
// BERT, and the encoders that have its layers and differ in their embedding, positions or heads alone.

#include "headwise/families/encoder_common.hpp"

namespace hw::families {

/// arXiv:1810.04805. megatron-bert has its norms before the sublayers and none on the embedding (arXiv:1909.08053); bert-generation has
/// neither token types nor heads (arXiv:1907.12461).
struct Bert {
  static constexpr std::string_view kModelTypes[] = {"bert", "megatron-bert", "bert-generation"};
  using Model = BertStack;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    const auto type = c.get<std::string>("model_type");
    c.only("position_embedding_type", "absolute");
    if (type != "bert-generation" && !c.has("type_vocab_size")) p.embedding.types = 2;
    p.pre_norm = type == "megatron-bert";
    if (p.pre_norm) p.embedding.norm = {};
    return make_encoder(c, source, p);
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"bert"});
    map.rename("layers.*.attention.norm", "encoder.layer.*.attention.ln");
    map.rename("layers.*.mlp.norm", "encoder.layer.*.ln");
    map.rename("norm", "encoder.ln");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Bert)
}
