#pragma once
// Whisper: two convolutions over frames of log-mel features, BART's layers with norms before the sublayers.        arXiv:2212.04356

#include "headwise/families/seq2seq_names.hpp"

namespace hw::families {

/// Sequence::signal: (frames, num_mel_bins), two frames for each row of the encoder.
struct Whisper {
  static constexpr std::string_view kModelTypes[] = {"whisper"};
  using Model = Speech2Seq;
  static constexpr Seq2SeqTraits kTraits{.pre_norm = true, .final_norm = true, .key_bias = false};

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    c.ignore({"apply_spec_augment", "mask_feature_length", "mask_feature_min_masks", "mask_feature_prob", "mask_time_length",
              "mask_time_min_masks", "mask_time_prob", "median_filter_width", "classifier_proj_size"});
    c.only("use_weighted_layer_sum", false);
    const auto d = c.size("d_model");
    const ConvFront::Stage first{.channels = d, .kernel_size = 3, .padding = 1, .activation = Activation::gelu};
    ConvFront::Stage second = first;
    second.stride = 2;
    return make_speech2seq(c, source, kTraits, c.size("num_mel_bins"), {first, second});
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = seq2seq_names(c, kTraits);
    for (const auto& [ours, file] : {std::pair("encoder.front.convs.0", "encoder.conv1"), {"encoder.front.convs.1", "encoder.conv2"}}) {
      map.rename(concat(ours, ".weight"), concat(file, ".weight")).flatten(2);
      map.rename(concat(ours, ".bias"), concat(file, ".bias"));
    }
    map.ignore("proj_out.weight");  // a copy of the embedding
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Whisper)
}
