#pragma once
// What the Zambas share: a Mamba in every layer, to whose input in some layers an attention and an MLP that those layers share add what
// they make of the stream and the embeddings.

#include "headwise/blocks/chain.hpp"
#include "headwise/blocks/side_stream.hpp"
#include "headwise/families/decoder.hpp"
#include "headwise/families/recurrent_common.hpp"
#include "headwise/mixers/attention/lora_projection.hpp"

namespace hw::families {

/// What both Zambas share: S is the Mamba.
template <class S>
struct ZambaParts {
  using Shared = Chain<Normed<RmsNorm, Attention<Causal, LoraProjection>>, Normed<RmsNorm, LoraGatedMlp>, LinearLayer>;
  using Plain = Block<KeepForStep, PreNorm<RmsNorm, S>>;
  using Hybrid = Block<KeepForStep, Residual<ConcatAside, Shared>, Residual<AddBeside<RmsNorm>, S>>;
  using Model = Decoder<Plain, Hybrid>;

  DecoderParts<RmsNorm, GatedMlp> parts;
  typename Shared::Config shared;

  ZambaParts(const HfConfig& c, const WeightSource& source, bool rotary) : parts(c, source, {.norm_eps = 1e-5, .rotary = false}) {
    const index_t d = parts.norm.size, heads = parts.attention.project.num_attention_heads, wide = checked_mul(2, d, "hidden_size");
    LoraProjection::Config project{wide, d, heads, parts.attention.project.num_key_value_heads,
                                   c.size_or("attention_head_dim", wide / heads)};
    if (rotary) project.rotary = read_rotary(c, project.head_dim);
    AttentionOptions options;
    options.scale = 1 / std::sqrt(static_cast<float>(project.head_dim) / 2);
    shared.sublayers = {{{wide, parts.norm.eps}, {project, {}, options, {}, {}}},
                        {parts.norm, {d, parts.mlp.intermediate_size, parts.mlp.activation}},
                        {d, d}};
    shared.width = d;
    c.ignore({"attention_hidden_size", "num_logits_to_keep", "use_mamba_kernels"});
  }

  typename Model::Config model(const HfConfig& c, const typename S::Config& ssm) const {
    const index_t d = parts.norm.size;
    const auto hybrid = hybrid_layers(c, parts.layers);
    return parts.template stack<Model>([&](std::size_t i) -> typename Model::BlockConfig {
      const KeepForStep::Config keep{i == 0 ? "embeddings" : "", d};
      if (!hybrid[i]) return typename Plain::Config{keep, {{.pre = parts.norm}, ssm}};
      return typename Hybrid::Config{keep, {{"embeddings", "shared", d}, shared}, {{parts.norm, "shared", d}, ssm}};
    });
  }

  static std::vector<bool> hybrid_layers(const HfConfig& c, std::size_t layers) {
    return read_recurrent_layers(c, layers, "hybrid", "linear_attention", "layers_block_type");
  }

  /// `use`(canonical scope of a layer, scope in the file of the shared part, number of the use) names what the shared part has. The file
  /// keeps each of the `count` shared parts in the first layer that has it.
  template <class Use>
  static WeightMap names(const HfConfig& c, const WeightSource& source, std::string_view part, std::size_t count, const Use& use) {
    WeightMap map = decoder_names(c, source, true);
    map.replace("norm", "model.final_layernorm");
    for (const std::string mamba : {"model.layers.*.", "model.layers.*.mamba_decoder."}) {
      name_ssm(map, "layers.*.ssm", mamba + "mamba");
      map.rename("layers.*.ssm.norm", mamba + "input_layernorm");
    }
    map.rename("layers.*.linear", "model.layers.*.linear");
    const auto hybrid = hybrid_layers(c, read_layers(c, "num_hidden_layers", source));
    std::vector<std::string> first;
    std::size_t uses = 0;
    for (std::size_t i = 0; i < hybrid.size(); ++i) {
      if (!hybrid[i]) continue;
      if (first.size() < count) first.push_back(concat("model.layers.", i, ".", part, "."));
      const std::string ours = concat("layers.", i, "."), &file = first[uses % count];
      map.rename(ours + "attention.norm", file + "input_layernorm");
      map.rename(ours + "mlp.norm", file + "pre_ff_layernorm");
      for (const char* x : {"q", "k", "v", "o"}) map.rename(concat(ours, "attention.", x), concat(file, "self_attn.", x, "_proj"));
      for (const char* x : {"gate", "up", "down"}) map.rename(concat(ours, "mlp.", x), concat(file, "feed_forward.", x, "_proj"));
      use(map, ours, file, uses++);
    }
    return map;
  }
};

}  // namespace hw::families
