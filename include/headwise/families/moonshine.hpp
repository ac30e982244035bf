#pragma once
// Moonshine: convolutions over the samples themselves, rotary self-attention, a gated MLP in the decoder.          arXiv:2410.15608

#include <cmath>

#include "headwise/families/seq2seq_common.hpp"

namespace hw::families {

/// Sequence::signal: (samples, 1), at 16 kHz, 384 of them for each row of the encoder.
struct Moonshine {
  static constexpr std::string_view kModelTypes[] = {"moonshine"};
  using Writer = Block<PreNorm<LayerNorm, Attention<>>, PreNorm<LayerNorm, CrossAttention>, PreNorm<LayerNorm, GatedMlp>>;
  using Model = EncoderDecoder<SpeechReader, Writer>;

  static QkvProjection::Config read_project(const HfConfig& c, index_t d, const std::string& side) {
    const auto field = [&](const char* name) { return concat(side, "_num_", name); };
    const auto heads = c.size(std::string_view(field("attention_heads")));
    if (heads > d || d % heads != 0) c.fail(concat("hidden_size: expected a multiple of ", heads, " heads, found ", d));
    RotaryConfig rotary = read_rotary(c, d / heads, {}, 10000.0, 0.9);
    if (rotary.dims % 2 != 0) {  // theta^(-2i / dims), with half a pair more
      rotary.theta = std::pow(rotary.theta, static_cast<double>(rotary.dims + 1) / static_cast<double>(rotary.dims));
      ++rotary.dims;
    }
    rotary.pairs = kernels::RopePairs::neighbours;
    return {.hidden_size = d,
            .num_attention_heads = heads,
            .num_key_value_heads = c.size_or(std::string_view(field("key_value_heads")), heads),
            .head_dim = d / heads,
            .bias = c.get_or("attention_bias", false),
            .rotary = rotary};
  }

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    c.only("is_encoder_decoder", true);
    c.only("attention_bias", false);
    c.ignore({"pad_head_dim_to_multiple_of"});  // for other programs' kernels
    const auto d = c.size("hidden_size"), f = c.size("intermediate_size"), vocab = c.size("vocab_size");
    const LayerNorm::Config norm{.size = d, .bias = false};
    const QkvProjection::Config read = read_project(c, d, "encoder"), write = read_project(c, d, "decoder");
    Model::Config m;
    m.encoder.front = {
        .signal_size = 1,
        .stages = {{.channels = d, .kernel_size = 127, .stride = 64, .bias = false, .activation = Activation::tanh, .norm_eps = 1e-5f},
                   {.channels = 2 * d, .kernel_size = 7, .stride = 3, .activation = Activation::gelu},
                   {.channels = d, .kernel_size = 3, .stride = 2, .activation = Activation::gelu}}};
    m.encoder.stack.embedding = {.hidden_size = d};
    const Attention<Full>::Config see{.project = read};
    const Mlp::Config mlp{d, f, read_activation(c, "encoder_hidden_act", "gelu"), true};
    m.encoder.stack.blocks.assign(read_layers(c, "encoder_num_hidden_layers", source), PreNormLayer::Config{{{norm}, see}, {{norm}, mlp}});
    m.encoder.stack.norm = norm;
    m.decoder.embedding = {.vocab_size = vocab, .hidden_size = d};
    const CrossAttention::Config cross{.hidden_size = d,
                                       .num_attention_heads = write.num_attention_heads,
                                       .num_key_value_heads = write.num_key_value_heads,
                                       .head_dim = write.head_dim};
    const Attention<>::Config self{.project = write};
    const GatedMlp::Config gated{d, f, read_activation(c, "decoder_hidden_act", "silu"), true};
    m.decoder.blocks.assign(read_layers(c, "decoder_num_hidden_layers", source),
                            Writer::Config{{{norm}, self}, {{norm}, cross}, {{norm}, gated}});
    m.decoder.norm = norm;
    m.decoder.max_positions = c.size_or("max_position_embeddings", 0);
    m.decoder.heads = {{"logits", Pooling::none, {DenseStage{"", vocab, false}}}};
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map;
    map.optional_prefix("model");
    for (const std::string side : {"encoder", "decoder"}) {
      const std::string layer = side + ".layers.*.";
      for (const auto& [part, file] : {std::pair("attention", "self_attn"), {"cross_attention", "encoder_attn"}})
        for (const char* x : {"q", "k", "v", "o"}) map.rename(concat(layer, part, ".", x), concat(layer, file, ".", x, "_proj"));
      map.rename(layer + "attention.norm", layer + "input_layernorm");
      map.rename(layer + "mlp.norm", layer + (side == "encoder" ? "post_attention_layernorm" : "final_layernorm"));
      map.rename(layer + "mlp.down", layer + "mlp.fc2");
    }
    map.rename("encoder.layers.*.mlp.up", "encoder.layers.*.mlp.fc1");
    map.rename("decoder.layers.*.mlp.up", "decoder.layers.*.mlp.fc1").part(0, 2);
    map.rename("decoder.layers.*.mlp.gate", "decoder.layers.*.mlp.fc1").part(1, 2);
    map.rename("decoder.layers.*.cross_attention.norm", "decoder.layers.*.post_attention_layernorm");
    map.rename("encoder.norm", "encoder.layer_norm");
    map.rename("decoder.embedding", "decoder.embed_tokens");
    map.rename("encoder.front.convs.0.norm", "encoder.groupnorm");
    for (const int i : {0, 1, 2}) {
      map.rename(concat("encoder.front.convs.", i, ".weight"), concat("encoder.conv", i + 1, ".weight")).flatten(2);
      map.rename(concat("encoder.front.convs.", i, ".bias"), concat("encoder.conv", i + 1, ".bias"));
    }
    const bool tied = c.get_or("tie_word_embeddings", true);
    map.rename("decoder.head", tied ? "decoder.embed_tokens" : "proj_out");
    if (tied) map.ignore("proj_out.weight");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Moonshine)
}
