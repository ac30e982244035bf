#pragma once
// T5Gemma: Gemma 2's layers in an encoder and a decoder.                                                           arXiv:2504.06225

#include "headwise/families/llama.hpp"
#include "headwise/models/encoder_decoder.hpp"

namespace hw::families {

struct T5Gemma {
  static constexpr std::string_view kModelTypes[] = {"t5gemma"};
  using Reader = Block<SandwichNorm<RmsNorm, Attention<Full>>, SandwichNorm<RmsNorm, GatedMlp>>;
  using Writer = Block<SandwichNorm<RmsNorm, Attention<>>, SandwichNorm<RmsNorm, CrossAttention>, SandwichNorm<RmsNorm, GatedMlp>>;
  using Model = EncoderDecoder<Reader, Writer>;

  struct Side {
    RmsNorm::Config norm;
    Embedding::Config embedding;
    QkvProjection::Config project;
    AttentionOptions options;
    GatedMlp::Config mlp;
    std::vector<index_t> windows;  // of each layer; 0: all is seen
    index_t max_positions;
  };

  static Side read(const HfConfig& c, const WeightSource& source) {
    const auto d = c.size("hidden_size"), heads = c.size("num_attention_heads"), head_dim = c.size_or("head_dim", 256);
    const bool bias = c.get_or("attention_bias", false);
    c.ignore({"tie_word_embeddings", "is_decoder", "final_logit_softcapping"});
    Side s;
    s.norm = {d, static_cast<float>(c.positive_or("rms_norm_eps", 1e-6))};
    s.embedding = {.vocab_size = c.size("vocab_size"), .hidden_size = d, .scale = std::sqrt(static_cast<float>(d))};
    s.project = {.hidden_size = d, .num_attention_heads = heads, .num_key_value_heads = c.size_or("num_key_value_heads", heads),
                 .head_dim = head_dim, .bias = bias, .rotary = read_rotary(c, head_dim)};
    s.options.scale = static_cast<float>(1.0 / std::sqrt(c.positive_or("query_pre_attn_scalar", 256.0)));
    s.options.soft_cap = static_cast<float>(c.number_or("attn_logit_softcapping", 50.0));
    s.options.output_bias = bias;
    s.mlp = {d, c.size("intermediate_size"), read_activation(c, "hidden_activation", "gelu_pytorch_tanh")};
    s.max_positions = c.size_or("max_position_embeddings", 0);
    const auto layers = read_layers(c, "num_hidden_layers", source);
    s.windows = read_windows(c, layers, 4096, [](std::size_t i) { return i % 2 == 0; });
    return s;
  }

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    c.only("is_encoder_decoder", true);
    c.only("tie_word_embeddings", true);
    c.ignore({"vocab_size"});
    const Side r = read(c.sub("encoder"), source), w = read(c.sub("decoder"), source);
    Model::Config m;
    m.encoder.embedding = r.embedding;
    m.encoder.norm = r.norm;
    m.encoder.max_positions = r.max_positions;
    for (const index_t window : r.windows) {  // on either side, the row's own not counted
      const Attention<Full>::Config self{.project = r.project, .mask = {window}, .options = r.options};
      m.encoder.blocks.push_back(Reader::Config{{{r.norm, r.norm}, self}, {{r.norm, r.norm}, r.mlp}});
    }
    m.decoder.embedding = w.embedding;
    m.decoder.norm = w.norm;
    m.decoder.max_positions = w.max_positions;
    const index_t d = w.norm.size, vocab = w.embedding.vocab_size;
    const CrossAttention::Config cross{
        .hidden_size = d, .memory_size = c.sub("decoder").size_or("cross_attention_hidden_size", r.norm.size),
        .num_attention_heads = w.project.num_attention_heads, .num_key_value_heads = w.project.num_key_value_heads,
        .head_dim = w.project.head_dim, .bias = w.project.bias, .options = w.options};
    for (const index_t window : w.windows) {
      const Attention<>::Config self{.project = w.project, .mask = {window}, .options = w.options};
      m.decoder.blocks.push_back(Writer::Config{{{w.norm, w.norm}, self}, {{w.norm, w.norm}, cross}, {{w.norm, w.norm}, w.mlp}});
    }
    m.decoder.heads = {{"logits", Pooling::none, {DenseStage{"", vocab, false}}}};
    if (const float cap = static_cast<float>(c.sub("decoder").number_or("final_logit_softcapping", 30.0)); cap > 0)
      m.decoder.heads[0].stages.push_back(ScaleStage{1.0f, cap});
    return m;
  }

  static WeightMap weights(const HfConfig&, const WeightSource&) {
    WeightMap map;
    for (const std::string side : {"encoder", "decoder"}) {
      const std::string ours = side + ".layers.*.", theirs = concat("model.", side, ".layers.*.");
      map.rename(side + ".embedding", concat("model.", side, ".embed_tokens"));
      map.rename(side + ".norm", concat("model.", side, ".norm")).plus(1);  // the file keeps norm weights minus 1
      for (const auto& [part, file] : {std::pair("attention", "self_attn"), {"cross_attention", "cross_attn"}, {"mlp", "feedforward"}}) {
        map.rename(concat(ours, part, ".norm"), concat(theirs, "pre_", file, "_layernorm")).plus(1);
        map.rename(concat(ours, part, ".delta_norm"), concat(theirs, "post_", file, "_layernorm")).plus(1);
        for (const char* x : {"q", "k", "v", "o"}) map.rename(concat(ours, part, ".", x), concat(theirs, file, ".", x, "_proj"));
      }
      for (const char* x : {"gate", "up", "down"}) map.rename(concat(ours, "mlp.", x), concat(theirs, "mlp.", x, "_proj"));
    }
    map.rename("decoder.head", "model.decoder.embed_tokens");
    map.ignore("lm_head.**");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(T5Gemma)
}
