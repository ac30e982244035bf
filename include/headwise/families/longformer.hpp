#pragma once
// Longformer: RoBERTa whose tokens see a window; marked ones see all, with weights of their own, and are seen by all. arXiv:2004.05150

#include "headwise/blocks/marked.hpp"
#include "headwise/families/encoder_common.hpp"

namespace hw::families {

/// Sequence::marks says which tokens are global. A sequence classifier's first token always is.
struct Longformer {
  static constexpr std::string_view kModelTypes[] = {"longformer"};
  using Attention = Marked<hw::Attention<NearOrMarked>, hw::Attention<OfMarked>>;
  using Block = hw::Block<PostNorm<LayerNorm, Attention>, PostNorm<LayerNorm, Mlp>>;
  using Model = Encoder<Block>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    p.positions_after_padding(c);
    c.only("position_embedding_type", "absolute");
    c.ignore({"onnx_export"});
    const bool first = read_task(c) == "SequenceClassification";

    Model::Config m;
    m.embedding = p.embedding;
    m.embedding.types = 0;  // marks are the global tokens here: every token is of type 0
    if (p.embedding.types > 0) m.embedding.tables = {{"types", p.embedding.types, 1}};
    for (const index_t window : read_attention_windows(c, p.layers)) {
      const Attention::Config attention{
          {p.attention.project, {window / 2, first}, p.attention.options}, {p.attention.project, {first}, p.attention.options}, first};
      m.blocks.push_back(Block::Config{{{{}, {}, p.norm}, attention}, {{{}, {}, p.norm}, p.mlp}});
    }
    m.max_positions = p.max_positions;
    p.heads.transform = Activation::gelu;
    m.heads = encoder_heads(c, source, p.heads);
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"longformer"});
    for (const auto& [part, name] : {std::pair("q", "query"), {"k", "key"}, {"v", "value"}})
      map.rename(concat("layers.*.attention.marked.", part), concat("encoder.layer.*.attention.self.", name, "_global"));
    map.rename("layers.*.attention.marked.o", "encoder.layer.*.attention.output.dense");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Longformer)
}
