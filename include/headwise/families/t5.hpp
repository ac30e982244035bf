#pragma once
// T5, v1.1, Flan, mT5, UMT5 and LongT5: unscaled attention with a bias by distance in buckets, RMSNorm before each sublayer.

#include "headwise/families/t5_common.hpp"

namespace hw::families {

/// arXiv:1910.10683. v1.1 and what came after it have a gated MLP (arXiv:2002.05202); UMT5 has a bias table in every layer
/// (arXiv:2304.09151), the others in the first. LongT5's encoder sees local_radius tokens to each side (arXiv:2112.07916).
struct T5 {
  static constexpr std::string_view kModelTypes[] = {"t5", "mt5", "umt5", "longt5"};
  template <class F>
  using Writer = Block<PreNorm<RmsNorm, Attention<>>, PreNorm<RmsNorm, CrossAttention>, PreNorm<RmsNorm, F>>;
  using WriterStack = Decoder<Writer<Mlp>, Writer<GatedMlp>>;
  using Model = EncoderDecoder<T5ReaderStack, WriterStack>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Model::Config m;
    m.encoder = t5_reader(c, source);
    m.decoder = writer(c, source);
    return m;
  }

  static WriterStack::Config writer(const HfConfig& c, const WeightSource& source) {
    const T5Fields t(c);
    WriterStack::Config m;
    m.embedding = {.vocab_size = t.vocab_size, .hidden_size = t.hidden_size};
    m.norm = t.norm;
    const auto layers = read_layers(c, c.has("num_decoder_layers") ? "num_decoder_layers" : "num_layers", source);
    const auto self = t.attention<Attention<>>(c, false);
    const CrossAttention::Config cross{.hidden_size = t.hidden_size,
                                       .num_attention_heads = t.heads,
                                       .num_key_value_heads = t.heads,
                                       .head_dim = t.head_dim,
                                       .options = {.scale = 1.0f}};
    const index_t d = t.hidden_size, f = t.intermediate_size;
    if (t.gated)
      m.blocks.assign(layers, Writer<GatedMlp>::Config{{{t.norm}, self}, {{t.norm}, cross}, {{t.norm}, {d, f, t.activation}}});
    else
      m.blocks.assign(layers, Writer<Mlp>::Config{{{t.norm}, self}, {{t.norm}, cross}, {{t.norm}, {d, f, t.activation}}});
    Head::Config head{"logits", Pooling::none, {}};
    const bool scaled = c.get_or("tie_word_embeddings", true) && t.is_first();
    if (c.get_or("scale_decoder_outputs", scaled)) head.stages.emplace_back(ScaleStage{1.0f / std::sqrt(static_cast<float>(d))});
    head.stages.emplace_back(DenseStage{"", t.vocab_size, false});
    m.heads = {head};
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map;
    name_t5_stack(map, c, "encoder", "encoder.");
    name_t5_stack(map, c, "decoder", "decoder.");
    for (const char* part : {"q", "k", "v", "o"})
      map.rename(concat("decoder.layers.*.cross_attention.", part), concat("decoder.block.*.layer.1.EncDecAttention.", part));
    map.rename("decoder.layers.*.cross_attention.norm", "decoder.block.*.layer.1.layer_norm");
    const bool tied = c.get_or("tie_word_embeddings", true);
    map.rename("decoder.head", tied ? "shared" : "lm_head");
    if (tied) map.ignore("lm_head.weight");
    map.ignore("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight");  // old files have one that nothing reads
    return map;
  }
};

/// The encoder by itself, as T5EncoderModel saves it.
struct T5Encoder {
  static constexpr std::string_view kModelTypes[] = {"t5", "mt5", "umt5"};
  using Model = T5ReaderStack;

  static bool takes(const HfConfig& c) { return read_architecture(c).ends_with("EncoderModel"); }
  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    c.ignore({"num_decoder_layers", "scale_decoder_outputs", "tie_word_embeddings"});
    return t5_reader(c, source);
  }
  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map;
    name_t5_stack(map, c, "encoder", "");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(T5)
HEADWISE_STOCK_FAMILY(T5Encoder)
}  // namespace hw
