#pragma once
// Whisper as CTranslate2 keeps it: the sizes are those of its tensors.

#include <filesystem>

#include "headwise/families/whisper.hpp"
#include "headwise/families/zoo.hpp"
#include "headwise/io/ctranslate2.hpp"

namespace hw::families {

struct WhisperCTranslate2 {
  static constexpr std::string_view kModelTypes[] = {"WhisperSpec"};
  using Model = Whisper::Model;

  static std::optional<Checkpoint> open(const std::string& folder, MappedFile::Access access) {
    std::error_code ignored;
    const std::string path = folder + "/model.bin";
    if (!std::filesystem::exists(path, ignored) || std::filesystem::exists(folder + "/model.safetensors", ignored)) return std::nullopt;
    const CTranslate2 file = CTranslate2::open(path, access);
    return Checkpoint{HfConfig(file.config()), std::make_shared<const WeightSource>(file.weights())};
  }

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    c.only("decoder/pre_norm", 1);
    c.only("decoder/activation", 3);  // GELU
    for (const char* off : {"decoder/alibi", "decoder/scale_embeddings", "decoder/start_from_zero_embedding"}) c.only(off, 0);
    c.ignore({"decoder/alignment_heads", "decoder/alignment_layer"});
    const auto size = [&](const std::string& name, std::size_t axis, std::size_t rank) {
      const RawTensor* t = source.find(name);
      if (t == nullptr || t->shape.size() != rank)
        c.fail(concat(name, ": expected a tensor of ", rank, " dimensions, found ", t == nullptr ? "none" : shape_string(t->shape)));
      return t->shape[axis];
    };
    const auto layers = [&](const std::string& side) {
      index_t n = 0;
      while (source.find(concat(side, ".layer.", n, ".ffn.linear.0.weight")) != nullptr) ++n;
      return n;
    };
    const HfConfig sizes(Json::object({{"d_model", size("encoder.conv1.weight", 0, 3)},
                                       {"num_mel_bins", size("encoder.conv1.weight", 1, 3)},
                                       {"encoder_layers", layers("encoder")},
                                       {"decoder_layers", layers("decoder")},
                                       {"encoder_attention_heads", c.size("encoder/num_heads")},
                                       {"decoder_attention_heads", c.size("decoder/num_heads")},
                                       {"encoder_ffn_dim", size("encoder.layer.0.ffn.linear.0.weight", 0, 2)},
                                       {"decoder_ffn_dim", size("decoder.layer.0.ffn.linear.0.weight", 0, 2)},
                                       {"max_source_positions", size("encoder.position_encodings.encodings", 0, 2)},
                                       {"max_target_positions", size("decoder.position_encodings.encodings", 0, 2)},
                                       {"vocab_size", size("decoder.embeddings.weight", 0, 2)}}));
    return Whisper::config(sizes, source);
  }

  static WeightMap weights(const HfConfig&, const WeightSource&) {
    WeightMap map;
    map.suffix("weight", "gamma");
    map.suffix("bias", "beta");
    for (const std::string side : {"encoder", "decoder"}) {
      const std::string ours = side + ".layers.*.", theirs = side + ".layer.*.";
      index_t third = 0;
      for (const char* part : {"q", "k", "v"})
        map.rename(concat(ours, "attention.", part), theirs + "self_attention.linear.0").part(third++, 3);
      map.rename(ours + "attention.o", theirs + "self_attention.linear.1");
      map.rename(ours + "attention.norm", theirs + "self_attention.layer_norm");
      map.rename(ours + "mlp.up", theirs + "ffn.linear.0");
      map.rename(ours + "mlp.down", theirs + "ffn.linear.1");
      map.rename(ours + "mlp.norm", theirs + "ffn.layer_norm");
      map.rename(side + ".norm", side + ".layer_norm");
      map.rename(side + ".embedding.positions.weight", side + ".position_encodings.encodings");
    }
    const std::string cross = "decoder.layers.*.cross_attention.", file = "decoder.layer.*.attention.";
    map.rename(cross + "q", file + "linear.0");
    map.rename(cross + "k", file + "linear.1").part(0, 2);
    map.rename(cross + "v", file + "linear.1").part(1, 2);
    map.rename(cross + "o", file + "linear.2");
    map.rename(cross + "norm", file + "layer_norm");
    for (const char* part : {"embedding", "head"}) map.rename(concat("decoder.", part), "decoder.embeddings");
    for (const auto& [ours, conv] : {std::pair("encoder.front.convs.0", "encoder.conv1"), {"encoder.front.convs.1", "encoder.conv2"}}) {
      map.rename(concat(ours, ".weight"), concat(conv, ".weight")).flatten(2);
      map.rename(concat(ours, ".bias"), concat(conv, ".bias"));
    }
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(WhisperCTranslate2)
}
