#pragma once
// RoBERTa and its descendants: BERT with positions that count from the padding id + 1 and another spelling of the heads.

#include "headwise/families/encoder_common.hpp"

namespace hw::families {

/// arXiv:1907.11692; XLM-R arXiv:1911.02116, CamemBERT arXiv:1911.03894, data2vec arXiv:2202.03555. Norms lie before the sublayers in
/// roberta-prelayernorm (arXiv:1904.01038) and xlm-roberta-xl (arXiv:2105.00572), which has none on the embedding.
struct Roberta {
  static constexpr std::string_view kModelTypes[] = {"roberta",       "xlm-roberta",          "camembert",
                                                     "data2vec-text", "roberta-prelayernorm", "xlm-roberta-xl"};
  using Model = BertStack;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    const auto type = c.get<std::string>("model_type");
    c.only("position_embedding_type", "absolute");
    p.positions_after_padding(c);
    p.heads.transform = Activation::gelu;
    p.pre_norm = type == "roberta-prelayernorm" || type == "xlm-roberta-xl";
    if (type == "xlm-roberta-xl") p.embedding.norm = {};
    return make_encoder(c, source, p);
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"roberta", "data2vec_text", "roberta_prelayernorm"});
    map.rename("layers.*.attention.norm", "encoder.layer.*.attention.LayerNorm");
    map.rename("layers.*.attention.norm", "encoder.layer.*.attention.self_attn_layer_norm");
    map.rename("layers.*.mlp.norm", "encoder.layer.*.intermediate.LayerNorm");
    map.rename("layers.*.mlp.norm", "encoder.layer.*.LayerNorm");
    map.rename("norm", "LayerNorm");
    map.rename("norm", "encoder.LayerNorm");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Roberta)
}
