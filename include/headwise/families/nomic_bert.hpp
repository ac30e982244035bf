#pragma once
// Nomic BERT: BERT with rotary positions, gated MLPs and no biases; Jina embeddings v3: XLM-R with rotary positions. Both keep q, k and v
// in one tensor.

#include "headwise/families/encoder_common.hpp"

namespace hw::families {

/// What the two share: no table of positions, and the names of their layers.
inline EncoderParts read_rotary_encoder(const HfConfig& c, const WeightSource& source) {
  EncoderParts p = read_encoder(c, source);
  p.embedding.positions = 0;
  p.attention.project.head_dim = c.size_or("head_dim", p.attention.project.head_dim);
  p.attention.project.rotary = read_rotary(c, p.attention.project.head_dim);
  return p;
}

inline WeightMap rotary_encoder_names(const HfConfig& c, std::string_view prefix, std::string_view mixer) {
  WeightMap map = encoder_names(c, {prefix});
  map.rename("embedding.norm", "emb_ln");
  name_fused_qkv(map, concat("encoder.layers.*.", mixer, ".Wqkv"));
  map.rename("layers.*.attention.o", concat("encoder.layers.*.", mixer, ".out_proj"));
  map.rename("layers.*.attention.post_norm", "encoder.layers.*.norm1");
  map.rename("layers.*.mlp.post_norm", "encoder.layers.*.norm2");
  map.rename("layers.*.mlp.down", "encoder.layers.*.mlp.fc2");
  return map;
}

/// arXiv:2402.01613
struct NomicBert {
  static constexpr std::string_view kModelTypes[] = {"nomic_bert"};
  using Block = hw::Block<PostNorm<LayerNorm, Attention<Full>>, PostNorm<LayerNorm, GatedMlp>>;
  using Model = Encoder<Block>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_rotary_encoder(c, source);
    p.attention.project.bias = p.attention.options.output_bias = false;
    const GatedMlp::Config mlp{p.mlp.hidden_size, p.mlp.intermediate_size, p.mlp.activation};
    Model::Config m;
    m.embedding = p.embedding;
    m.blocks.assign(p.layers, Block::Config{{{{}, {}, p.norm}, p.attention}, {{{}, {}, p.norm}, mlp}});
    m.max_positions = p.max_positions;
    m.heads = encoder_heads(c, source, p.heads);
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = rotary_encoder_names(c, "nomic_bert", "attn");
    map.rename("layers.*.mlp.up", "encoder.layers.*.mlp.fc11");
    map.rename("layers.*.mlp.gate", "encoder.layers.*.mlp.fc12");
    map.rename("head.norm", "cls.predictions.transform.layer_norm");
    return map;
  }
};

/// arXiv:2409.10173
struct JinaV3 {
  static constexpr std::string_view kModelTypes[] = {"jina_embeddings_v3"};
  using Model = BertStack;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    return make_encoder(c, source, read_rotary_encoder(c, source));
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = rotary_encoder_names(c, "roberta", "mixer");
    map.rename("layers.*.mlp.up", "encoder.layers.*.mlp.fc1");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(NomicBert)
HEADWISE_STOCK_FAMILY(JinaV3)
}  // namespace hw
