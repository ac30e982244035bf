#pragma once
// ESM-1b and ESM-2: protein language models. doi:10.1073/pnas.2016239118, 10.1126/science.ade2574

#include "headwise/families/encoder_common.hpp"

namespace hw::families {

struct Esm {
  static constexpr std::string_view kModelTypes[] = {"esm"};
  using Model = BertStack;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    c.only("is_folding_model", false);
    c.ignore({"vocab_list", "esmfold_config"});
    p.pre_norm = true;
    if (!c.get_or("emb_layer_norm_before", false)) p.embedding.norm = {};
    if (c.get_or("token_dropout", false)) p.embedding.mask_id = static_cast<std::int32_t>(c.size("mask_token_id", 0));
    const auto positions = c.get_or<std::string>("position_embedding_type", "absolute");
    if (positions == "rotary") {
      p.embedding.positions = 0;
      p.attention.project.rotary = read_rotary(c, p.attention.project.head_dim);
    } else {
      c.only("position_embedding_type", "absolute");
      c.ignore({"rope_theta", "rope_parameters"});
      p.positions_after_padding(c);
    }
    p.heads.transform = p.mlp.activation = Activation::gelu;
    return make_encoder(c, source, p);
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"esm"});
    map.rename("embedding.norm", "embeddings.layer_norm");
    map.rename("layers.*.attention.norm", "encoder.layer.*.attention.LayerNorm");
    map.rename("layers.*.mlp.norm", "encoder.layer.*.LayerNorm");
    map.rename("norm", "encoder.emb_layer_norm_after");
    map.ignore("**.rotary_embeddings.inv_freq");
    map.ignore("contact_head.**");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Esm)
}
