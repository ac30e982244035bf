#pragma once
// Gemma: norms that multiply by 1 + w, embeddings scaled by sqrt(hidden_size), heads of their own width.         arXiv:2403.08295

#include "headwise/families/decoder.hpp"

namespace hw::families {

struct Gemma {
  static constexpr std::string_view kModelTypes[] = {"gemma"};
  using Parts = DecoderParts<RmsNorm, GatedMlp>;
  using Model = Decoder<Parts::PreNormBlock>;

  /// What all Gemmas share.
  static Parts parts(const HfConfig& c, const WeightSource& source, double default_scalar = 0) {
    Parts p(c, source, {.activation = "gelu_pytorch_tanh", .head_dim = 256});
    p.embedding.scale = std::sqrt(static_cast<float>(p.embedding.hidden_size));
    c.only("use_bidirectional_attention", false);
    if (p.mlp.activation == Activation::gelu) p.mlp.activation = Activation::gelu_tanh;  // what early files mean
    // GGUF has no word for the scalar: it is the width of a head, but in the two models of 27 billion, which are known by their depth.
    const auto& project = p.attention.project;
    if (has_gguf_names(source)) {
      const bool large = p.layers == 46 || p.layers == 62;
      default_scalar = static_cast<double>(large ? project.hidden_size / project.num_attention_heads : project.head_dim);
    } else if (default_scalar == 0) {
      default_scalar = static_cast<double>(project.head_dim);
    }
    p.attention.options.scale = static_cast<float>(1.0 / std::sqrt(c.positive_or("query_pre_attn_scalar", default_scalar)));
    p.attention.options.soft_cap = static_cast<float>(c.number_or("attn_logit_softcapping", 0.0));
    if (const auto cap = static_cast<float>(c.number_or("final_logit_softcapping", 0.0)); cap > 0)
      p.head.emplace_back(ScaleStage{1.0f, cap});
    return p;
  }

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const Parts p = parts(c, source);
    return p.stack<Model>([&](std::size_t) { return p.pre_norm(); });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source, true);
    if (has_gguf_names(source)) return map;
    map.replace("norm", "model.norm").plus(1);  // the file keeps norm weights minus 1
    map.replace("layers.*.attention.norm", "model.layers.*.input_layernorm").plus(1);
    map.replace("layers.*.mlp.norm", "model.layers.*.post_attention_layernorm").plus(1);
    return map;
  }

  /// Of Hugging Face's Gemma 2 and 3, which have norms behind attention and MLP too.
  static WeightMap sandwich_names(const HfConfig& c, const WeightSource& source) {
    WeightMap map = weights(c, source);
    map.rename("layers.*.attention.delta_norm", "model.layers.*.post_attention_layernorm").plus(1);
    map.replace("layers.*.mlp.norm", "model.layers.*.pre_feedforward_layernorm").plus(1);
    map.rename("layers.*.mlp.delta_norm", "model.layers.*.post_feedforward_layernorm").plus(1);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Gemma)
}
