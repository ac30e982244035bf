#pragma once
// RoFormer: BERT with rotary positions, of neighbouring pairs.                                                     arXiv:2104.09864

#include "headwise/families/encoder_common.hpp"

namespace hw::families {

struct RoFormer {
  static constexpr std::string_view kModelTypes[] = {"roformer"};
  using Model = BertStack;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    const index_t d = p.norm.size, size = c.size_or("embedding_size", d);
    if (!c.has("type_vocab_size")) p.embedding.types = 2;
    p.embedding.positions = 0;
    if (size != d) p.factorise(size);
    p.attention.project.rotary =
        RotaryConfig{.dims = p.attention.project.head_dim, .pairs = kernels::RopePairs::neighbours, .table_rows = p.max_positions};
    p.attention.project.rotate_values = c.get_or("rotary_value", false);
    p.heads.classifier = p.mlp.activation;
    p.heads.transform_size = size;
    p.heads.norm = LayerNorm::Config{size, p.norm.eps};
    return make_encoder(c, source, p);
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"roformer"});
    map.rename("embedding.projection", "embeddings_project");
    map.rename("layers.*.attention.angles", "encoder.embed_positions");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(RoFormer)
}
