#pragma once
// ELECTRA: BERT's layers behind a narrower embedding; a discriminator that scores every token.                    arXiv:2003.10555

#include "headwise/families/encoder_common.hpp"

namespace hw::families {

struct Electra {
  static constexpr std::string_view kModelTypes[] = {"electra"};
  using Model = BertStack;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    const index_t d = p.norm.size, size = c.size_or("embedding_size", d);
    c.only("position_embedding_type", "absolute");
    c.ignore({"summary_activation", "summary_type", "summary_use_proj"});  // of the multiple choice class alone
    if (size != d) p.factorise(size);
    p.heads.transform_size = size;
    p.heads.transform = p.heads.classifier = Activation::gelu;
    p.heads.norm = LayerNorm::Config{size, p.norm.eps};
    auto m = make_encoder(c, source, p);
    if (read_task(c) == "PreTraining")  // the discriminator
      m.heads = {{"logits", Pooling::none, {DenseStage{"dense", d}, ActivationStage{p.mlp.activation}, DenseStage{"score", 1}}}};
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"electra"});
    map.rename("embedding.projection", "embeddings_project");
    map.rename("head.transform", "generator_predictions.dense");
    map.rename("head.norm", "generator_predictions.LayerNorm");
    map.rename("head.decoder.bias", "generator_lm_head.bias");
    map.rename("head.dense", "discriminator_predictions.dense");
    map.rename("head.score", "discriminator_predictions.dense_prediction");
    map.ignore("generator_lm_head.weight");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Electra)
}
