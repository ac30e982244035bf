#pragma once
// A vision transformer's rows, read by GPT-2 with cross-attention.

#include "headwise/families/gpt2.hpp"
#include "headwise/families/vit_reader.hpp"

namespace hw::families {

/// Between the two lies a projection where their widths differ.
struct VitGpt2 {
  static constexpr std::string_view kModelTypes[] = {"vision-encoder-decoder"};
  using Writer = Block<PreNorm<LayerNorm, Attention<>>, PreNorm<LayerNorm, CrossAttention>, PreNorm<LayerNorm, Mlp>>;
  using Model = EncoderDecoder<VitReader, Decoder<Writer>>;

  static bool takes(const HfConfig& c) { return writes_with(c, "gpt2"); }
  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const HfConfig writer = read_writer(c);
    writer.only("scale_attn_weights", true);
    writer.only("scale_attn_by_inverse_layer_idx", false);
    const Gpt2::Parts p = Gpt2::parts(writer, source);
    const QkvProjection::Config& q = p.attention.project;
    CrossAttention::Config cross{.hidden_size = q.hidden_size,
                                 .num_attention_heads = q.num_attention_heads,
                                 .num_key_value_heads = q.num_key_value_heads,
                                 .head_dim = q.head_dim,
                                 .bias = true};
    cross.options.output_bias = true;
    Model::Config m;
    m.encoder = read_vit(c.sub("encoder"), source);
    m.bridge = m.encoder.front.hidden_size != q.hidden_size;
    m.decoder = p.stack<Decoder<Writer>>([&](std::size_t) {
      return Writer::Config{{{p.norm}, p.attention}, {{p.norm}, cross}, {{p.norm}, p.mlp}};
    });
    return m;
  }
  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map;
    map.optional_prefix("decoder.transformer");
    name_vit(map);
    OpenAiGpt::name_conv_layers(map, "decoder.");
    map.rename("decoder.embedding", "wte");
    map.rename("decoder.embedding.positions", "wpe");
    map.rename("decoder.norm", "ln_f");
    const std::string cross = "decoder.layers.*.cross_attention.", theirs = "h.*.crossattention.";
    map.rename(cross + "q", theirs + "q_attn").transpose();
    map.rename(cross + "k", theirs + "c_attn").transpose().part(0, 2);
    map.rename(cross + "v", theirs + "c_attn").transpose().part(1, 2);
    map.rename(cross + "o", theirs + "c_proj").transpose();
    map.rename("decoder.layers.*.attention.norm", "h.*.ln_1");
    map.rename(cross + "norm", "h.*.ln_cross_attn");
    map.rename("decoder.layers.*.mlp.norm", "h.*.ln_2");
    const bool tied = c.sub("decoder").get_or("tie_word_embeddings", true);
    map.rename("decoder.head", tied ? "wte" : "decoder.lm_head");
    if (tied) map.ignore("decoder.lm_head.weight");
    for (const char* mask : {"bias", "masked_bias"}) map.ignore(concat("h.*.*.", mask));  // the causal mask, which old files store
    map.rename("bridge", "enc_to_dec_proj");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(VitGpt2)
}
