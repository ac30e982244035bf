#pragma once
// What decoder families share: one reader of their configurations, the usual blocks, and the names of most checkpoints. A family says
// what is different.

#include "headwise/blocks/parallel.hpp"
#include "headwise/families/common.hpp"
#include "headwise/families/decoder_names.hpp"
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
  index_t intermediate_size = 0;
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

  [[gnu::cold]] DecoderParts(const HfConfig& c, const WeightSource& source, const DecoderDefaults& defaults = {})
      : layers(read_layers(c, {"num_hidden_layers", "n_layer", "num_layers", "n_layers"}, source)) {
    const auto d = c.size({"hidden_size", "n_embd", "n_embed", "d_model"}), vocab = c.size("vocab_size");
    const auto heads = c.size({"num_attention_heads", "n_head", "num_heads", "n_heads"});
    const bool gguf = has_gguf_names(source);  // has defaults of its own, and says by its tensors what has a bias
    const index_t head_dim = c.size_or("head_dim", defaults.head_dim > 0 && !gguf ? defaults.head_dim : d / heads);
    const bool bias =
        gguf ? source.find("blk.0.attn_q.bias") || source.find("blk.0.attn_qkv.bias") : c.get_or("attention_bias", defaults.bias);
    norm.size = d;
    norm.eps = static_cast<float>(
        c.positive_or({"rms_norm_eps", "layer_norm_epsilon", "layer_norm_eps", "norm_eps", "norm_epsilon"}, defaults.norm_eps));
    attention.project = {d, heads, c.size_or("num_key_value_heads", heads), head_dim, bias};
    if (defaults.rotary) {
      attention.project.rotary = read_rotary(c, head_dim, {}, defaults.rope_theta, gguf ? 1.0 : defaults.rotary_share);
      read_rope_factors(source, *attention.project.rotary);
    }
    attention.options.output_bias = gguf ? source.find("blk.0.attn_output.bias") != nullptr : bias;
    mlp.hidden_size = d;
    const ConfigKeys width = {"intermediate_size", "n_inner", "ffn_dim", "dff", "ffn_hidden_size"};
    const index_t usual = defaults.intermediate_size > 0 ? defaults.intermediate_size : std::same_as<M, GatedMlp> ? 0 : 4 * d;
    mlp.intermediate_size = usual > 0 ? c.size_or(width, usual) : c.size(width);
    mlp.activation =
        read_activation(c, {"hidden_act", "activation_function", "hidden_activation", "activation", "afn"}, defaults.activation);
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
  [[gnu::cold]] typename Model::Config stack(const Layer& layer) const {
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

}  // namespace hw::families

#if defined(HEADWISE_COMPILED)  // the stacks that several families have are instantiated once, with this file's definitions
extern template class hw::Stack<hw::families::DecoderParts<hw::RmsNorm, hw::GatedMlp>::PreNormBlock>;
extern template class hw::Stack<hw::families::DecoderParts<hw::RmsNorm, hw::GatedMlp>::SandwichBlock>;
extern template class hw::Stack<hw::families::DecoderParts<hw::LayerNorm, hw::Mlp>::PreNormBlock>;
extern template class hw::Stack<hw::families::DecoderParts<hw::LayerNorm, hw::Mlp>::ParallelBlock>;
extern template class hw::Stack<hw::families::DecoderParts<hw::LayerNorm, hw::GatedMlp>::ParallelBlock>;
#endif
#if HEADWISE_DEFINITIONS
#include "headwise/families/decoder.inl.hpp"
#endif
