#pragma once
// Speech2Text of fairseq: gated convolutions with strides of 2 over frames of filter banks.                        arXiv:2010.05171

#include "headwise/families/seq2seq_names.hpp"

namespace hw::families {

/// Sequence::signal: (frames, input_feat_per_channel).
struct SpeechToText {
  static constexpr std::string_view kModelTypes[] = {"speech_to_text"};
  using Model = Speech2Seq;

  static Seq2SeqTraits traits(const HfConfig& c) {
    return {.pre_norm = true,
            .final_norm = true,
            .sinusoids = Sinusoids::to_end,
            .position_offset = c.size_or("pad_token_id", 1, 0) + 1,
            .default_activation = "relu"};
  }

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    c.only("input_channels", 1);
    const auto d = c.size("d_model"), channels = c.size_or("conv_channels", 1024), features = c.size_or("input_feat_per_channel", 80);
    const auto kernels = c.get_or("conv_kernel_sizes", std::vector<index_t>{5, 5});
    if (kernels.empty() || static_cast<index_t>(kernels.size()) != c.size_or("num_conv_layers", 2))
      c.fail(concat("conv_kernel_sizes: expected num_conv_layers sizes, found ", kernels.size()));
    if (channels % 2 != 0) c.fail(concat("conv_channels: expected an even number, found ", channels));
    std::vector<ConvFront::Stage> stages;
    for (const index_t kernel : kernels)
      stages.push_back({.channels = channels / 2, .kernel_size = kernel, .stride = 2, .padding = kernel / 2, .gated = true});
    stages.back().channels = d;
    return make_speech2seq(c, source, traits(c), features, std::move(stages));
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = seq2seq_names(c, traits(c));
    map.rename("encoder.front.convs.*.weight", "encoder.conv.conv_layers.*.weight").flatten(2);
    map.rename("encoder.front.convs.*.bias", "encoder.conv.conv_layers.*.bias");
    map.ignore("**.embed_positions.weights");  // computed: the sinusoids
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(SpeechToText)
}
