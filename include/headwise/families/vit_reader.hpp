#pragma once
// What decoders of text that read an image share: a vision transformer as their encoder.

#include "headwise/families/seq2seq_names.hpp"
#include "headwise/mixers/patch_front.hpp"

namespace hw::families {

/// ViT (arXiv:2010.11929) as the encoder of an image: Sequence::signal is (channels height, width).
using VitReader = WithFront<PatchFront, BertStack>;

[[gnu::cold]] inline VitReader::Config read_vit(const HfConfig& c, const WeightSource& source) {
  c.only("model_type", "vit");
  c.ignore({"encoder_stride", "pooler_act", "pooler_output_size"});
  const auto d = c.size("hidden_size"), heads = c.size("num_attention_heads"), image = c.size("image_size");
  if (heads > d || d % heads != 0) c.fail(concat("hidden_size: expected a multiple of num_attention_heads (", heads, "), found ", d));
  Seq2SeqSide s;
  s.layers = read_layers(c, "num_hidden_layers", source);
  s.norm = {d, static_cast<float>(c.positive_or("layer_norm_eps", 1e-12))};
  s.embedding = {.hidden_size = d};
  s.project = {.hidden_size = d,
               .num_attention_heads = heads,
               .num_key_value_heads = heads,
               .head_dim = d / heads,
               .bias = c.get_or("qkv_bias", true)};
  s.mlp = {d, c.size("intermediate_size"), read_activation(c, "hidden_act", "gelu"), true};
  return {.front = {.channels = c.size_or("num_channels", 3),
                    .height = image,
                    .width = image,
                    .patch_size = c.size("patch_size"),
                    .hidden_size = d},
          .stack = make_reader(s, {.pre_norm = true, .final_norm = true})};
}

[[gnu::cold]] inline void name_vit(WeightMap& map) {
  const std::string file = "encoder.embeddings.", ours = "encoder.layers.*.", theirs = "encoder.encoder.layer.*.";
  map.rename("encoder.front.patches.weight", file + "patch_embeddings.projection.weight").flatten(2);
  map.rename("encoder.front.patches.bias", file + "patch_embeddings.projection.bias");
  map.rename("encoder.front.prefix", file + "cls_token").flatten(1);
  map.rename("encoder.front.positions", file + "position_embeddings").flatten(1);
  for (const auto& [part, name] : {std::pair("attention.q", "attention.attention.query"),
                                   {"attention.k", "attention.attention.key"},
                                   {"attention.v", "attention.attention.value"},
                                   {"attention.o", "attention.output.dense"},
                                   {"attention.norm", "layernorm_before"},
                                   {"mlp.norm", "layernorm_after"},
                                   {"mlp.up", "intermediate.dense"},
                                   {"mlp.down", "output.dense"}})
    map.replace(ours + part, theirs + name);
  map.replace("encoder.norm", "encoder.layernorm");
  map.ignore("encoder.pooler.**");
}

/// Is the decoder of this type?
[[gnu::cold]] inline bool writes_with(const HfConfig& c, std::string_view type) {
  const auto decoder = c.find_sub("decoder");
  return decoder && decoder->get_or<std::string>("model_type", "") == type;
}

/// The decoder's fields, after those of the whole. Errors: a decoder that does not read.
[[gnu::cold]] inline HfConfig read_writer(const HfConfig& c) {
  c.only("is_encoder_decoder", true);
  c.ignore({"tie_word_embeddings"});  // of the encoder with the decoder; the head is the decoder's own field
  const HfConfig writer = c.sub("decoder");
  writer.only("is_decoder", true);
  writer.only("add_cross_attention", true);
  return writer;
}

}  // namespace hw::families
