#pragma once
// ModernBERT: rotary positions of two bases, local and global attention in turns, gated MLPs, norms before the sublayers.
//                                                                                                                 arXiv:2412.13663
#include "headwise/families/encoder_common.hpp"

namespace hw::families {

struct ModernBert {
  static constexpr std::string_view kModelTypes[] = {"modernbert"};
  using First = hw::Block<PreNorm<NoNorm, Attention<Full>>, PreNorm<LayerNorm, GatedMlp>>;  // the embedding's norm is right before it
  using Block = hw::Block<PreNorm<LayerNorm, Attention<Full>>, PreNorm<LayerNorm, GatedMlp>>;
  using Model = Encoder<First, Block>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    const index_t d = p.norm.size, head_dim = p.attention.project.head_dim;
    p.norm.bias = c.get_or("norm_bias", false);
    p.norm.eps = static_cast<float>(c.positive_or("norm_eps", 1e-5));
    p.attention.project.bias = p.attention.options.output_bias = c.get_or("attention_bias", false);
    const GatedMlp::Config mlp{d, p.mlp.intermediate_size, p.mlp.activation, c.get_or("mlp_bias", false)};
    const auto types = read_layer_types(c, p.layers, {"full_attention", "sliding_attention"});
    const auto every = c.get_or<std::size_t>("global_attn_every_n_layers", 3);
    const index_t window = c.size_or("local_attention", 128, 2);
    c.ignore({"deterministic_flash_attn", "sparse_prediction", "sparse_pred_ignore_index", "reference_compile", "repad_logits_with_grad",
              "decoder_bias", "classifier_bias", "classifier_pooling", "classifier_activation"});

    Model::Config m;
    m.embedding = p.embedding;
    m.embedding.positions = 0;
    m.embedding.norm = m.norm = p.norm;
    for (std::size_t i = 0; i < p.layers; ++i) {
      const bool local = !types.empty() ? types[i] == "sliding_attention" : every == 0 || i % every != 0;
      RotaryConfig rotary = read_rotary(c, head_dim, local ? "sliding_attention" : "full_attention");
      if (!c.has("rope_parameters"))
        rotary.theta = local ? c.positive_or("local_rope_theta", 10000.0) : c.positive_or("global_rope_theta", 160000.0);
      p.attention.project.rotary = rotary;
      p.attention.mask.radius = local ? window / 2 : 0;
      if (i == 0) {
        m.blocks.push_back(First::Config{{{}, p.attention}, {{p.norm}, mlp}});
      } else {
        m.blocks.push_back(Block::Config{{{p.norm}, p.attention}, {{p.norm}, mlp}});
      }
    }
    m.max_positions = p.max_positions;

    const std::string task = read_task(c);
    if (task.empty()) return m;
    const bool sequence = task == "SequenceClassification", masked = task == "MaskedLM";
    if (!sequence && !masked && task != "TokenClassification")
      c.fail(concat("architectures: expected a model by itself or ForMaskedLM, ForSequenceClassification or ForTokenClassification, found ",
                    quoted(read_architecture(c))));
    const auto pooling = c.get_or<std::string>("classifier_pooling", "cls");
    if (pooling != "cls" && pooling != "mean") c.fail(concat("classifier_pooling: expected cls or mean, found ", quoted(pooling)));
    const Activation act = read_activation(c, "classifier_activation", "gelu");
    m.heads = {{"logits",
                !sequence          ? Pooling::none
                : pooling == "cls" ? Pooling::first
                                   : Pooling::mean,
                {DenseStage{"transform", d, c.get_or("classifier_bias", false)}, ActivationStage{act}, NormStage{"norm", p.norm}}}};
    const DenseStage last =
        masked ? DenseStage{"decoder", p.heads.vocab_size, c.get_or("decoder_bias", true)} : DenseStage{"classifier", read_labels(c)};
    m.heads[0].stages.emplace_back(last);
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map;
    map.optional_prefix("model");
    map.rename("embedding", "embeddings.tok_embeddings");
    map.rename("embedding.norm", "embeddings.norm");
    map.rename("norm", "final_norm");
    name_fused_qkv(map, "layers.*.attn.Wqkv");
    map.rename("layers.*.attention.o", "layers.*.attn.Wo");
    map.rename("layers.*.attention.norm", "layers.*.attn_norm");
    map.rename("layers.*.mlp.norm", "layers.*.mlp_norm");
    map.rename("layers.*.mlp.gate", "layers.*.mlp.Wi").part(0, 2);
    map.rename("layers.*.mlp.up", "layers.*.mlp.Wi").part(1, 2);
    map.rename("layers.*.mlp.down", "layers.*.mlp.Wo");
    map.rename("head.transform", "head.dense");
    map.rename("head.classifier", "classifier");
    map.rename("head.decoder", c.get_or("tie_word_embeddings", true) ? "embeddings.tok_embeddings" : "decoder");
    map.rename("head.decoder.bias", "decoder.bias");
    map.ignore("decoder.weight");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(ModernBert)
}
