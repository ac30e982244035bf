#pragma once
// LongT5 whose encoder also attends to the sums of blocks. The one with local attention alone is T5's family.     arXiv:2112.07916

#include "headwise/families/t5.hpp"
#include "headwise/mixers/attention/transient_global.hpp"

namespace hw::families {

struct LongT5Global {
  static constexpr std::string_view kModelTypes[] = {"longt5"};
  using Reader = Block<PreNorm<RmsNorm, TransientGlobalAttention>, PreNorm<RmsNorm, GatedMlp>>;
  using Model = EncoderDecoder<Encoder<Reader>, T5::WriterStack>;

  static bool takes(const HfConfig& c) { return c.get_or<std::string>("encoder_attention_type", "local") == "transient-global"; }

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const T5Fields t(c);
    if (!t.gated) c.fail("feed_forward_proj: expected a gated one, as all models with transient-global attention have");
    const auto like = t.attention<Attention<Full>>(c, true);
    const TransientGlobalAttention::Config self{.project = like.project,
                                                .radius = c.size_or("local_radius", 127),
                                                .block_size = c.size_or("global_block_size", 16),
                                                .scale = *like.options.scale,
                                                .relative = like.options.relative,
                                                .global_norm = t.norm};
    Model::Config m;
    m.encoder.embedding = {.vocab_size = t.vocab_size, .hidden_size = t.hidden_size};
    m.encoder.blocks.assign(read_layers(c, "num_layers", source),
                            Reader::Config{{{t.norm}, self}, {{t.norm}, {t.hidden_size, t.intermediate_size, t.activation}}});
    m.encoder.norm = t.norm;
    m.decoder = T5::writer(c, source);
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = T5::weights(c, source);
    const std::string ours = "encoder.layers.*.attention.", theirs = ".layer.0.TransientGlobalSelfAttention.";
    map.rename(ours + "global_bias", concat("encoder.block.0", theirs, "global_relative_attention_bias"));
    map.rename(ours + "global_norm", concat("encoder.block.*", theirs, "global_input_layer_norm"));
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(LongT5Global)
}
