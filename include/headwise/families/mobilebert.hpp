#pragma once
// MobileBERT: a narrow residual stream inside of each layer, several MLPs to an attention, rows of three tokens.   arXiv:2004.02984

#include "headwise/blocks/nested.hpp"
#include "headwise/families/encoder_common.hpp"

namespace hw::families {

struct MobileBert {
  static constexpr std::string_view kModelTypes[] = {"mobilebert"};

  /// q = Wq s, k = Wk s, v = Wv w: s and w are the narrow rows, or, `shared`, s = norm(Ws x), w = x, the layer's own rows x.
  /// Weights: `q`, `k`, `v`; `shared` (hidden_size, outer_size) and `shared_norm`.
  struct Project {
    struct Config {
      index_t hidden_size = 0, outer_size = 0, num_attention_heads = 0;
      bool shared = false;
      AnyNormConfig norm{};
    };
    Project(const Config& c, const Build& b)
        : config(c),
          outer(b.slot("outer")),
          qk(c.hidden_size, {{"q", c.hidden_size, true}, {"k", c.hidden_size, true}}, b),
          v(c.shared ? c.outer_size : c.hidden_size, c.hidden_size, true, b.scope("v")) {
      if (!c.shared) return;
      shared = Linear(c.outer_size, c.hidden_size, true, b.scope("shared"));
      norm = make_norm(c.norm, b.scope("shared_norm"));
    }
    index_t heads() const noexcept { return config.num_attention_heads; }
    kernels::KvLayout layout() const noexcept { return {heads(), config.hidden_size / heads(), config.hidden_size / heads()}; }
    void project(In in, Qkv& o) const {
      const Frame& f = in.frame;
      const index_t n = config.hidden_size;
      const View all = f.step.arena.take_view(in.x.rows, 3 * n), s = f.step.arena.take_view(in.x.rows, n);
      o = {all.col_range(0, n), all.col_range(n, 2 * n), all.col_range(2 * n, 3 * n)};
      if (config.shared) {
        shared.forward(f.at(outer), s, f);
        std::visit([&](const auto& norm) { norm.forward(s, s, f); }, norm);
      }
      qk.forward(config.shared ? ConstView(s) : in.x, all.col_range(0, 2 * n), f);
      v.forward(config.shared ? ConstView(f.at(outer)) : in.x, o.v, f);
    }
    Config config;
    Slot outer;
    Linear qk, v, shared;
    AnyNorm norm;
  };

  using Feed = PostNorm<ChosenNorm, Mlp>;
  using Inner = Nested<ChosenNorm, PostNorm<ChosenNorm, Attention<Full, Project>>, Repeated<Feed>>;
  using Model = Encoder<Block<Keep, PostNorm<ChosenNorm, Inner>>>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    EncoderParts p = read_encoder(c, source);
    const index_t d = p.norm.size, n = c.size("intra_bottleneck_size"), ffns = c.size_or("num_feedforward_networks", 4);
    const Activation act = p.mlp.activation;
    const auto kind = c.get_or<std::string>("normalization_type", "no_norm");
    const bool inner_attention = c.get_or("use_bottleneck_attention", false), shared = c.get_or("key_query_shared_bottleneck", true);
    if (kind != "no_norm") c.only("normalization_type", "layer_norm");
    const auto norm = [&](index_t size, bool own_eps = false) -> AnyNormConfig {
      if (kind == "no_norm") return Affine::Config{size};
      return LayerNorm::Config{size, own_eps ? 1e-5f : p.norm.eps};
    };
    c.only("use_bottleneck", true);
    c.ignore({"true_hidden_size"});
    if (!inner_attention && !shared)
      c.fail("key_query_shared_bottleneck: expected true, found false, and no use_bottleneck_attention: q and k would not fit the rows");
    if (n % p.attention.project.num_attention_heads != 0)
      c.fail(concat("intra_bottleneck_size: expected a multiple of num_attention_heads, found ", n));
    if (ffns < 1 || ffns > 64) c.fail(concat("num_feedforward_networks: expected 1 to 64, found ", ffns));
    Model::Config m;
    m.embedding = p.embedding;
    m.embedding.embedding_size = c.size_or("embedding_size", 128);
    m.embedding.trigram = c.get_or("trigram_input", true);
    m.embedding.norm = norm(d, true);
    if (m.embedding.trigram || m.embedding.embedding_size != d) m.embedding.projection = Embedding::Projection::tokens;
    m.max_positions = p.max_positions;
    const Project::Config project{n, d, p.attention.project.num_attention_heads, !inner_attention, norm(n)};
    const Attention<Full, Project>::Config attention{.project = project, .options = {.output_bias = true}};
    Repeated<Feed>::Config feeds;
    for (index_t i = 0; i < ffns; ++i)
      feeds.members.push_back({{{}, {}, {norm(n, i + 1 == ffns)}}, {n, p.mlp.intermediate_size, act, true}, concat("mlp.", i)});
    const Inner::Config inner{d, n, {norm(n)}, {{{{}, {}, {norm(n)}}, attention}, feeds}};
    m.blocks.assign(p.layers, Block<Keep, PostNorm<ChosenNorm, Inner>>::Config{{"outer"}, {{{}, {}, {norm(d)}}, inner}});
    m.heads = encoder_heads(c, source, p.heads);
    if (!c.get_or("classifier_activation", true))  // the pooled row is the first one as it is
      for (Head::Config& head : m.heads)
        if (head.pooling != Pooling::none) head.stages.erase(head.stages.begin(), head.stages.begin() + 2);
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = encoder_names(c, {"mobilebert"});
    const std::string last = concat("mlp.", c.size_or("num_feedforward_networks", 4) - 1, ".");
    map.rename("embedding.projection", "embeddings.embedding_transformation");
    const std::pair<std::string, const char*> names[] = {{"in", "bottleneck.input.dense"},
                                                         {"in_norm", "bottleneck.input.LayerNorm"},
                                                         {"attention.shared", "bottleneck.attention.dense"},
                                                         {"attention.shared_norm", "bottleneck.attention.LayerNorm"},
                                                         {"out", "output.bottleneck.dense"},
                                                         {"post_norm", "output.bottleneck.LayerNorm"},
                                                         {"mlp.*.up", "ffn.*.intermediate.dense"},
                                                         {"mlp.*.down", "ffn.*.output.dense"},
                                                         {"mlp.*.post_norm", "ffn.*.output.LayerNorm"},
                                                         {last + "up", "intermediate.dense"},
                                                         {last + "down", "output.dense"},
                                                         {last + "post_norm", "output.LayerNorm"}};
    for (const auto& [part, file] : names) map.rename(concat("layers.*.", part), concat("encoder.layer.*.", file));
    const std::vector<std::string> halves{"embeddings.word_embeddings.weight", "cls.predictions.dense.weight"};
    map.rename("head.decoder.weight", halves).beside();
    map.rename("head.decoder.bias", "cls.predictions.bias");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(MobileBert)
}
