#pragma once
// What decoder families share: one reader of their configurations, the usual blocks, and the names of most checkpoints. A family says
// what is different.

#include <optional>

#include "headwise/blocks/parallel.hpp"
#include "headwise/families/common.hpp"
#include "headwise/families/gguf_names.hpp"
#include "headwise/families/zoo.hpp"
#include "headwise/layers/mlp.hpp"
#include "headwise/mixers/attention/attention.hpp"
#include "headwise/models/stack.hpp"

namespace hw::families {

/// What holds where a configuration says nothing.
struct DecoderDefaults {
  const char* activation = "silu";
  double norm_eps = 1e-6;
  index_t head_dim = 0;  // 0: hidden_size / num_attention_heads
  bool bias = false;     // of q, k, v and o
  bool mlp_bias = false;
  bool rotary = true;
  double rope_theta = 10000.0;
  double rotary_share = 1.0;  // of a head (partial_rotary_factor); a GGUF file says it
};

/// A decoder's parts as its configuration sizes them, for a family to change before it puts them together. N: norm, M: feed-forward.
template <class N, class M>
struct DecoderParts {
  using Attn = Attention<>;
  using PreNormBlock = Block<PreNorm<N, Attn>, PreNorm<N, M>>;
  using PostNormBlock = Block<PostNorm<N, Attn>, PostNorm<N, M>>;
  using SandwichBlock = Block<SandwichNorm<N, Attn>, SandwichNorm<N, M>>;
  using DeltaNormBlock = Block<Residual<Add<NoNorm, N>, Attn>, Residual<Add<NoNorm, N>, M>>;
  using ParallelBlock = Block<PreNorm<N, Parallel<Attn, M>>>;                                        // one norm for both
  using ParallelNormsBlock = Block<Residual<Add<NoNorm>, Parallel<Normed<N, Attn>, Normed<N, M>>>>;  // one for each

  std::size_t layers;
  typename N::Config norm;
  Attn::Config attention;
  typename M::Config mlp;
  Embedding::Config embedding;
  float residual_scale = 1.0f;
  std::vector<HeadStage> head;
  index_t max_positions = 0;

  DecoderParts(const HfConfig& c, const WeightSource& source, const DecoderDefaults& defaults = {})
      : layers(read_layers(c, {"num_hidden_layers", "n_layer", "num_layers", "n_layers"}, source)) {
    const auto d = c.size({"hidden_size", "n_embd", "n_embed", "d_model"}), vocab = c.size("vocab_size");
    const auto heads = c.size({"num_attention_heads", "n_head", "num_heads", "n_heads"});
    const index_t head_dim = c.size_or("head_dim", defaults.head_dim > 0 ? defaults.head_dim : d / heads);
    const bool gguf = has_gguf_names(source);  // says by its tensors what has a bias
    const bool bias =
        gguf ? source.find("blk.0.attn_q.bias") || source.find("blk.0.attn_qkv.bias") : c.get_or("attention_bias", defaults.bias);
    norm.size = d;
    norm.eps = static_cast<float>(
        c.positive_or({"rms_norm_eps", "layer_norm_epsilon", "layer_norm_eps", "norm_eps", "norm_epsilon"}, defaults.norm_eps));
    attention.project = {.hidden_size = d,
                         .num_attention_heads = heads,
                         .num_key_value_heads = c.size_or({"num_key_value_heads"}, heads),
                         .head_dim = head_dim,
                         .bias = bias};
    if (defaults.rotary) {
      attention.project.rotary = read_rotary(c, head_dim, {}, defaults.rope_theta, gguf ? 1.0 : defaults.rotary_share);
      read_rope_factors(source, *attention.project.rotary);
    }
    attention.options.output_bias = gguf ? source.find("blk.0.attn_output.bias") != nullptr : bias;
    mlp.hidden_size = d;
    mlp.intermediate_size = c.size_or({"intermediate_size", "n_inner", "ffn_dim", "dff", "ffn_hidden_size"}, 4 * d);
    mlp.activation = read_activation(c, {"hidden_act", "activation_function", "hidden_activation", "activation", "afn"}, defaults.activation);
    mlp.bias = gguf ? source.find("blk.0.ffn_up.bias") != nullptr : c.get_or("mlp_bias", defaults.mlp_bias);
    embedding = {.vocab_size = vocab, .hidden_size = d};
    head = {DenseStage{"", vocab, false}};
    max_positions = c.size_or({"max_position_embeddings", "n_positions", "max_seq_len"}, 0);
  }

  typename PreNormBlock::Config pre_norm() const {
    return {{{.pre = norm, .scale = residual_scale}, attention}, {{.pre = norm, .scale = residual_scale}, mlp}};
  }
  typename PostNormBlock::Config post_norm() const { return {{{.post = norm}, attention}, {{.post = norm}, mlp}}; }
  typename SandwichBlock::Config sandwich_norm() const { return {{{norm, norm}, attention}, {{norm, norm}, mlp}}; }
  typename DeltaNormBlock::Config delta_norm() const { return {{{.mid = norm}, attention}, {{.mid = norm}, mlp}}; }
  typename ParallelBlock::Config parallel() const {
    using Branches = Residual<Add<N>, Parallel<Attn, M>>;
    return typename Branches::Config{{.pre = norm}, {attention, mlp}};
  }
  typename ParallelNormsBlock::Config parallel_norms() const {
    using Branches = Residual<Add<NoNorm>, Parallel<Normed<N, Attn>, Normed<N, M>>>;
    return typename Branches::Config{{}, {{norm, attention}, {norm, mlp}}};
  }

  /// The whole model; layer(i) gives the i-th block.
  template <class Model, class Layer>
  typename Model::Config stack(const Layer& layer) const {
    typename Model::Config m;
    m.embedding = embedding;
    for (std::size_t i = 0; i < layers; ++i) m.blocks.emplace_back(layer(i));
    m.norm = norm;
    m.heads = {{"logits", Pooling::none, head}};
    m.max_positions = max_positions;
    if (const auto& rotary = attention.project.rotary; rotary && has_regimes(*rotary)) {
      if (rotary->scaling == RopeScaling::dynamic) m.max_positions = 0;
      m.regime = [r = *rotary](index_t total) { return rotary_regime(r, total); };
    }
    return m;
  }
};

/// The window of each layer, 0 for none: sliding_window (or `fallback`) for those whose type is sliding_attention, or, where layer_types is
/// missing, for those of which slides(i) says so.
template <class Slides>
std::vector<index_t> read_windows(const HfConfig& c, std::size_t layers, index_t fallback, const Slides& slides) {
  const index_t window = c.json().contains("sliding_window") ? c.size_or("sliding_window", 0, 0) : fallback;  // null: none
  const auto types = read_layer_types(c, layers, {"sliding_attention", "full_attention"});
  std::vector<index_t> out(layers, 0);
  for (std::size_t i = 0; i < layers; ++i)
    if (types.empty() ? slides(i) : types[i] == "sliding_attention") out[i] = window;
  return out;
}

/// A head that is the embedding: the file may hold a copy of it.
inline void name_head(WeightMap& map, const HfConfig& c, std::string_view embedding, std::string_view head, bool tied) {
  tied = c.get_or("tie_word_embeddings", tied);
  map.rename("head", tied ? embedding : head);
  if (tied) map.ignore(concat(head, ".weight"));
}

/// q, k and v of each head side by side in one tensor.
inline void name_interleaved_qkv(WeightMap& map, std::string_view file, index_t head_dim) {
  for (const index_t i : {0, 1, 2})
    map.rename(concat("layers.*.attention.", std::string_view("qkv").substr(static_cast<std::size_t>(i), 1)), file)
        .interleaved(i, 3, head_dim);
}

/// The names that Llama's files introduced and most later families kept. `tied`: where the configuration does not say.
inline WeightMap decoder_names(const HfConfig& c, const WeightSource& source, bool tied = false) {
  if (has_gguf_names(source)) return gguf_names(c, source);
  WeightMap map;
  map.rename("embedding", "model.embed_tokens");
  map.rename("norm", "model.norm");
  map.rename("layers.*.norm", "model.layers.*.input_layernorm");
  map.rename("layers.*.attention", "model.layers.*.self_attn");
  map.rename("layers.*.attention.norm", "model.layers.*.input_layernorm");
  for (const char* name : {"q", "k", "v", "o"})
    map.rename(concat("layers.*.attention.", name), concat("model.layers.*.self_attn.", name, "_proj"));
  map.rename("layers.*.mlp.norm", "model.layers.*.post_attention_layernorm");
  for (const char* name : {"gate", "up", "down"}) map.rename(concat("layers.*.mlp.", name), concat("model.layers.*.mlp.", name, "_proj"));
  map.ignore("**.rotary_emb.inv_freq");
  name_head(map, c, "model.embed_tokens", "lm_head", tied);
  return map;
}

}  // namespace hw::families
