#pragma once
// BART, and the encoder-decoders that have its layers and differ in norms, positions and names alone.

#include "headwise/families/seq2seq_names.hpp"

namespace hw::families {

/// A family of nothing but a row of traits.
template <class Family>
struct BartLike {
  using Model = Seq2Seq;
  static Model::Config config(const HfConfig& c, const WeightSource& source) { return make_seq2seq(c, source, Family::traits(c)); }
  static WeightMap weights(const HfConfig& c, const WeightSource&) { return seq2seq_names(c, Family::traits(c)); }
};

/// arXiv:1910.13461. Positions are learned; two rows of their table are not used.
struct Bart : BartLike<Bart> {
  static constexpr std::string_view kModelTypes[] = {"bart"};
  static Seq2SeqTraits traits(const HfConfig&) { return {.embedding_norm = true, .logits_bias = true, .position_offset = 2}; }
};

/// arXiv:2001.08210. Norms before the sublayers, and one after the last layer.
struct MBart : BartLike<MBart> {
  static constexpr std::string_view kModelTypes[] = {"mbart"};
  static Seq2SeqTraits traits(const HfConfig&) {
    return {.pre_norm = true, .embedding_norm = true, .final_norm = true, .logits_bias = true, .position_offset = 2};
  }
};

/// arXiv:1912.08777
struct Pegasus : BartLike<Pegasus> {
  static constexpr std::string_view kModelTypes[] = {"pegasus"};
  static Seq2SeqTraits traits(const HfConfig&) {
    return {.pre_norm = true, .final_norm = true, .logits_bias = true, .sinusoids = Sinusoids::of_width};
  }
};

/// arXiv:1804.00344, with the weights of OPUS-MT.
struct Marian : BartLike<Marian> {
  static constexpr std::string_view kModelTypes[] = {"marian"};
  static Seq2SeqTraits traits(const HfConfig&) {
    return {.logits_bias = true, .sinusoids = Sinusoids::of_width};
  }
};

/// arXiv:2010.11125, and NLLB (arXiv:2207.04672). Positions count from the padding id + 1.
struct M2M100 : BartLike<M2M100> {
  static constexpr std::string_view kModelTypes[] = {"m2m_100"};
  static Seq2SeqTraits traits(const HfConfig& c) {
    return {.pre_norm = true, .final_norm = true, .sinusoids = Sinusoids::to_end, .position_offset = c.size_or("pad_token_id", 1, 0) + 1,
            .default_activation = "relu"};
  }
};

/// The WMT19 models of fairseq: a vocabulary for each side.                                                        arXiv:1907.06616
struct Fsmt : BartLike<Fsmt> {
  static constexpr std::string_view kModelTypes[] = {"fsmt"};
  static Seq2SeqTraits traits(const HfConfig& c) {
    c.ignore({"langs"});
    return {.sinusoids = Sinusoids::to_end, .position_offset = c.size_or("pad_token_id", 1, 0) + 1, .default_activation = "relu"};
  }
  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = seq2seq_names(c, traits(c));
    map.replace("decoder.head", "decoder.output_projection");
    return map;
  }
};

/// arXiv:2007.14062 with full attention, which it is published to use for short sources.
struct BigBirdPegasus : BartLike<BigBirdPegasus> {
  static constexpr std::string_view kModelTypes[] = {"bigbird_pegasus"};
  static Seq2SeqTraits traits(const HfConfig& c) {
    c.only("attention_type", "original_full");
    c.ignore({"block_size", "num_random_blocks"});
    return {.pre_norm = true, .final_norm = true, .logits_bias = true, .attention_bias = c.get_or("use_bias", false),
            .default_activation = "gelu_new"};
  }
  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = seq2seq_names(c, traits(c));
    for (const std::string side : {"encoder", "decoder"}) map.replace(side + ".norm", side + ".layernorm_embedding");
    for (const auto& [part, name] : {std::pair("q", "self.query"), {"k", "self.key"}, {"v", "self.value"}, {"o", "output"}})
      map.replace(concat("encoder.layers.*.attention.", part), concat("encoder.layers.*.self_attn.", name));
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(BigBirdPegasus)
HEADWISE_STOCK_FAMILY(Bart)
HEADWISE_STOCK_FAMILY(MBart)
HEADWISE_STOCK_FAMILY(Pegasus)
HEADWISE_STOCK_FAMILY(Marian)
HEADWISE_STOCK_FAMILY(M2M100)
HEADWISE_STOCK_FAMILY(Fsmt)
}
