#pragma once
// LayoutLM: BERT whose tokens lie in boxes on a page.                                                               arXiv:1912.13318

#include "headwise/families/encoder_common.hpp"

namespace hw::families {

/// A token's box (left, top, right, bottom, from 0 to 1000) is on axes 1 to 4 of Sequence::coords.
struct LayoutLm {
  static constexpr std::string_view kModelTypes[] = {"layoutlm"};
  using Model = BertStack;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    c.only("position_embedding_type", "absolute");
    if (!c.has("type_vocab_size")) p.embedding.types = 2;
    const auto places = c.size_or("max_2d_position_embeddings", 1024);
    enum { kLeft = 1, kTop, kRight, kBottom };
    p.embedding.tables = {{"x", places, kLeft},
                          {"y", places, kTop},
                          {"x", places, kRight},
                          {"y", places, kBottom},
                          {"height", places, kBottom, kTop},
                          {"width", places, kRight, kLeft}};
    return make_encoder(c, source, p);
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"layoutlm"});
    for (const auto& [table, letter] : {std::pair("x", "x"), {"y", "y"}, {"height", "h"}, {"width", "w"}})
      map.rename(concat("embedding.", table), concat("embeddings.", letter, "_position_embeddings"));
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(LayoutLm)
}
