#pragma once
// MPNet: BERT with a relative bias that all layers share.                                                          arXiv:2004.09297

#include "headwise/families/encoder_common.hpp"

namespace hw::families {

struct MpNet {
  static constexpr std::string_view kModelTypes[] = {"mpnet"};
  using Model = BertStack;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    p.positions_after_padding(c);
    p.attention.options.relative = {.num_buckets = c.size_or("relative_attention_num_buckets", 32), .max_distance = 128};
    p.heads.transform = Activation::gelu;
    return make_encoder(c, source, p);
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"mpnet"});
    for (const char* name : {"q", "k", "v", "o"})
      map.rename(concat("layers.*.attention.", name), concat("encoder.layer.*.attention.attn.", name));
    map.rename("layers.*.attention.post_norm", "encoder.layer.*.attention.LayerNorm");
    map.rename("layers.*.attention.relative_bias", "encoder.relative_attention_bias");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(MpNet)
}
