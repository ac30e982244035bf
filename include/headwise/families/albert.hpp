#pragma once
// ALBERT: a narrow embedding, and few layers' weights that the schedule runs many times.                          arXiv:1909.11942

#include "headwise/families/encoder_common.hpp"

namespace hw::families {

struct Albert {
  static constexpr std::string_view kModelTypes[] = {"albert"};
  using Model = BertStack;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    const auto size = c.size_or("embedding_size", 128);
    const auto groups = c.size_or("num_hidden_groups", 1), inner = c.size_or("inner_group_num", 1);
    const auto layers = c.size("num_hidden_layers");
    c.only("position_embedding_type", "absolute");
    if (groups > layers || groups * inner > static_cast<index_t>(source.tensors().size()))
      c.fail(concat("num_hidden_groups: expected at most num_hidden_layers (", layers, ") and as many as the file has tensors for, found ",
                    groups));
    p.factorise(size);
    p.heads.transform_size = size;
    p.heads.norm = LayerNorm::Config{size, 1e-12f};
    p.heads.sentence = "sop_logits";
    p.layers = static_cast<std::size_t>(groups * inner);
    auto m = make_encoder(c, source, p);
    for (index_t i = 0; i < layers; ++i)
      for (index_t k = 0; k < inner; ++k) m.schedule.push_back({.block = static_cast<int>(i * groups / layers * inner + k)});
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"albert"});
    const auto groups = c.size_or("num_hidden_groups", 1), inner = c.size_or("inner_group_num", 1);
    for (index_t i = 0; i < groups * inner; ++i) {
      const std::string ours = concat("layers.", i, "."),
                        theirs = concat("encoder.albert_layer_groups.", i / inner, ".albert_layers.", i % inner, ".");
      for (const auto& [part, name] : {std::pair("attention.q", "attention.query"),
                                       {"attention.k", "attention.key"},
                                       {"attention.v", "attention.value"},
                                       {"attention.o", "attention.dense"},
                                       {"attention.post_norm", "attention.LayerNorm"},
                                       {"mlp.up", "ffn"},
                                       {"mlp.down", "ffn_output"},
                                       {"mlp.post_norm", "full_layer_layer_norm"}})
        map.rename(ours + part, theirs + name);
    }
    map.rename("embedding.projection", "encoder.embedding_hidden_mapping_in");
    map.rename("head.pooler", "pooler");
    map.rename("head.classifier", "sop_classifier.classifier");
    map.rename("head.transform", "predictions.dense");
    map.rename("head.norm", "predictions.LayerNorm");
    map.rename("head.decoder.bias", "predictions.bias");
    map.ignore("predictions.decoder.**");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Albert)
}
