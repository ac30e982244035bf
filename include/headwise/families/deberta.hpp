#pragma once
// DeBERTa (arXiv:2006.03654) and DeBERTa v2 and v3 (arXiv:2111.09543): scores of content and relative position apart.

#include "headwise/families/encoder_common.hpp"
#include "headwise/mixers/attention/disentangled.hpp"
#include "headwise/mixers/conv.hpp"

namespace hw::families {

struct Deberta {
  static constexpr std::string_view kModelTypes[] = {"deberta", "deberta-v2"};
  using Attention = hw::Attention<Full, DisentangledProjection>;
  using Layer = Block<PostNorm<LayerNorm, Attention>, PostNorm<LayerNorm, Mlp>>;
  /// The first layer of large v2 models: a convolution of its input joins its output.
  using ConvLayer = Block<Keep, PostNorm<LayerNorm, Attention>, PostNorm<LayerNorm, Mlp>, Residual<AddFrom<LayerNorm>, Conv>>;
  using Model = Encoder<Layer, ConvLayer>;

  static bool is_v2(const HfConfig& c) { return c.get<std::string>("model_type") == "deberta-v2"; }

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    const index_t d = p.norm.size, size = c.size_or("embedding_size", d);
    const bool v2 = is_v2(c);
    c.ignore({"legacy", "pooler_dropout"});  // where the masked LM's head is called what: the file says it
    c.only("pooler_hidden_size", d);
    if (!c.get_or("position_biased_input", true)) p.embedding.positions = 0;
    if (size != d) {
      p.embedding.embedding_size = size;
      p.embedding.projection = Embedding::Projection::tokens;
      p.embedding.projection_bias = false;
    }
    p.heads.classifier = read_activation(c, "pooler_hidden_act", "gelu");
    p.heads.transform_size = d;

    Attention::Config attention{.project = {d, p.attention.project.num_attention_heads, p.attention.project.head_dim, true, v2},
                                .mask = {},
                                .options = p.attention.options};
    DisentangledProjection::Config& project = attention.project;
    index_t terms = 0;
    if (c.get_or("relative_attention", false)) {
      for (const std::string& name : read_terms(c)) {
        if (name != "c2p" && name != "p2c") c.fail(concat("pos_att_type: expected c2p or p2c, found ", quoted(name)));
        (name == "c2p" ? project.position_keys : project.position_queries) = true;
      }
      terms = project.position_keys + project.position_queries;
      const auto furthest = c.get_or<index_t>("max_relative_positions", -1), buckets = c.get_or<index_t>("position_buckets", -1);
      project.max_distance = furthest < 1 ? p.max_positions : c.size("max_relative_positions");
      project.log_buckets = v2 && buckets > 0;
      project.span = project.log_buckets ? c.size("position_buckets") : project.max_distance;
      project.pos_key_bias = v2;
      project.pos_query_bias = true;
      const auto norms = c.get_or<std::string>("norm_rel_ebd", "none");
      if (norms != "none" && norms != "layer_norm") c.fail(concat("norm_rel_ebd: expected none or layer_norm, found ", quoted(norms)));
      if (v2 && norms == "layer_norm") project.norm = p.norm;
    } else {
      c.ignore({"max_relative_positions", "pos_att_type", "position_buckets", "norm_rel_ebd", "share_att_key"});
    }
    project.scale = 1.0f / std::sqrt(static_cast<float>(project.head_dim * (1 + terms)));
    attention.options.scale = project.scale;

    Model::Config m;
    m.embedding = p.embedding;
    m.blocks.assign(p.layers, Layer::Config{{{{}, {}, p.norm}, attention}, {{{}, {}, p.norm}, p.mlp}});
    if (const auto kernel = c.size_or("conv_kernel_size", 0, 0); kernel > 0) {
      c.only("conv_groups", 1);
      m.blocks[0] = ConvLayer::Config{{"input"},
                                      {{{}, {}, p.norm}, attention},
                                      {{{}, {}, p.norm}, p.mlp},
                                      {{"input", p.norm}, {d, kernel, read_activation(c, "conv_act", "tanh")}}};
    }
    m.max_positions = p.embedding.positions;
    m.heads = encoder_heads(c, source, p.heads);
    return m;
  }

  /// pos_att_type: a list, or names with | between.
  static std::vector<std::string> read_terms(const HfConfig& c) {
    const auto field = c.find("pos_att_type");
    if (!field || !field->is_string()) return field ? field->as<std::vector<std::string>>() : std::vector<std::string>();
    std::vector<std::string> names{""};
    for (const char x : field->as<std::string>()) x == '|' ? void(names.emplace_back()) : names.back().push_back(x);
    return names;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"deberta"});
    const std::string file = "encoder.layer.*.attention.self.", part = "layers.*.attention.";
    map.rename("embedding.projection", "embeddings.embed_proj");
    map.rename(part + "relative", "encoder.rel_embeddings");
    map.rename(part + "relative_norm", "encoder.LayerNorm");
    map.rename("head.transform", "lm_predictions.lm_head.dense");
    map.rename("head.norm", "lm_predictions.lm_head.LayerNorm");
    map.rename("head.decoder.bias", "lm_predictions.lm_head.bias");
    if (is_v2(c)) {
      for (const char* name : {"query", "key", "value"}) map.rename(part + name[0], concat(file, name, "_proj"));
      const bool shared = c.get_or("share_att_key", false);
      map.rename(part + "pos_key", file + (shared ? "key_proj" : "pos_key_proj"));
      map.rename(part + "pos_query", file + (shared ? "query_proj" : "pos_query_proj"));
      map.rename("layers.*.conv.weight", "encoder.conv.conv.weight").flatten(2);
      map.rename("layers.*.conv.bias", "encoder.conv.conv.bias");
      map.rename("layers.*.conv.post_norm", "encoder.conv.LayerNorm");
      return map;
    }
    const index_t head_dim = c.size("hidden_size") / c.size("num_attention_heads");
    index_t i = 0;
    for (const char* name : {"q", "k", "v"}) {
      map.rename(concat(part, name, ".weight"), file + "in_proj.weight").interleaved(i++, 3, head_dim);
      map.rename(concat(part, name, ".bias"), concat(file, name, "_bias"));
    }
    map.rename(part + "pos_key", file + "pos_proj");
    map.rename(part + "pos_query", file + "pos_q_proj");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Deberta)
}
