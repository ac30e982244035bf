#pragma once
// RWKV-4: time mix and channel mix; the stream is halved every few layers, as the files' weights expect.        arXiv:2305.13048

#include <cmath>

#include "headwise/families/recurrent_common.hpp"
#include "headwise/mixers/rwkv/rwkv4.hpp"

namespace hw::families {

struct Rwkv {
  static constexpr std::string_view kModelTypes[] = {"rwkv"};

  /// y = factor x, in the place of the norm behind a sum.
  struct Times {
    static constexpr Couples couples = Couples::nothing;
    struct Config {
      float factor = 1.0f;
    };
    Times(const Config& c, const Build&) : factor(c.factor) {}
    void forward(ConstView x, View y, const Frame& f) const {
      if (factor == 1.0f && x.data == y.data) return;
      f.step.kernels.elementwise.scale(x.data, x.stride, factor, x.rows, x.cols, y.data, y.stride);
    }
    float factor;
  };
  using Layer = Block<PreNorm<LayerNorm, RwkvTimeMix>, Residual<Add<LayerNorm, NoNorm, Times>, RwkvChannelMix>>;
  using Model = Decoder<Layer>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const auto d = c.size("hidden_size"), vocab = c.size("vocab_size"), every = c.size_or("rescale_every", 6, 0);
    const LayerNorm::Config norm{d, static_cast<float>(c.positive_or("layer_norm_epsilon", 1e-5))};
    const RwkvTimeMix::Config time{d, c.size_or("attention_hidden_size", d)};
    const RwkvChannelMix::Config channel{d, c.size_or("intermediate_size", 4 * d)};
    c.ignore({"context_length"});  // of the training: a recurrence has no end
    std::vector<Model::BlockConfig> blocks;
    const auto layers = static_cast<index_t>(read_layers(c, {"num_hidden_layers"}, source));
    for (index_t i = 0; i < layers; ++i) {
      const float scale = every > 0 ? std::ldexp(1.0f, -static_cast<int>(std::min<index_t>(i / every, 1000))) : 1.0f;
      const float factor = every > 0 && (i + 1) % every == 0 ? 0.5f : 1.0f;
      blocks.push_back(Layer::Config{{{.pre = norm, .scale = scale}, time}, {{.pre = norm, .post = {factor}, .scale = scale}, channel}});
    }
    Model::Config m = plain_decoder<Model>(norm, vocab, std::move(blocks));
    m.embedding.norm = norm;
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map;
    map.rename("embedding", "rwkv.embeddings");
    map.rename("embedding.norm", "rwkv.blocks.0.pre_ln");
    map.rename("norm", "rwkv.ln_out");
    map.rename("layers.*.time_mix", "rwkv.blocks.*.attention");
    map.rename("layers.*.time_mix.norm", "rwkv.blocks.*.ln1");
    map.rename("layers.*.time_mix.decay", "rwkv.blocks.*.attention.time_decay");
    map.rename("layers.*.time_mix.first", "rwkv.blocks.*.attention.time_first");
    map.rename("layers.*.channel_mix", "rwkv.blocks.*.feed_forward");
    map.rename("layers.*.channel_mix.norm", "rwkv.blocks.*.ln2");
    for (const char* name : {"key", "value", "receptance"}) {
      map.rename(concat("layers.*.time_mix.mix_", name), concat("rwkv.blocks.*.attention.time_mix_", name)).flatten(1);
      map.rename(concat("layers.*.channel_mix.mix_", name), concat("rwkv.blocks.*.feed_forward.time_mix_", name)).flatten(1);
    }
    name_head(map, c, "rwkv.embeddings", "head", false);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Rwkv)
}
