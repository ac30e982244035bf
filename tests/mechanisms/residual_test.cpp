// How deltas join the stream, and what the stream is; feed-forward layers.

#include "headwise/blocks/join_variants.hpp"

#include "headwise/blocks/parallel.hpp"
#include "headwise/layers/mlp_variants.hpp"
#include "headwise/layers/norm_variants.hpp"
#include "headwise/mixers/attention/projections.hpp"
#include "tests/mechanisms/given_attention.hpp"

namespace {

using namespace mechanism;

constexpr const char *kJoins = "blocks/join_variants.hpp", *kMlps = "layers/mlp_variants.hpp", *kNorms = "layers/norm_variants.hpp";

hw::Attention<>::Config attention(index_t width) {
  hw::Attention<>::Config c;
  c.project = {.hidden_size = width, .num_attention_heads = 2, .num_key_value_heads = 2, .head_dim = width / 2};
  return c;
}

TEST(Mechanisms, res_norm_placements) {
  Golden g("res_norm_placements");
  for (const char* type : {"PreNorm", "PostNorm", "SandwichNorm"}) g.expressed_by(type, "blocks/residual.hpp", kStock);
  g.expressed_by("DeepAdd", kJoins, kModifier);
  g.expressed_by("LayerScale", kNorms, kModifier);
  g.expressed_by("NormedHeads", "mixers/attention/projections.hpp", kModifier);
  g.expressed_by("NormedActivation", kMlps, kModifier);
  using hw::LayerNorm, hw::NoNorm;
  const Array gains = g["g"], biases = g["b"];
  // The weights of an attention and an Mlp, and of norms: scope, row of the case's table.
  const auto weights = [&](const std::vector<std::string>& layers, const std::vector<std::pair<std::string, index_t>>& norms) {
    Weights w;
    for (const std::string& l : layers) {
      for (const char* m : {"q", "k", "v", "o"}) w.push_back({l + "attention." + m + ".weight", g[std::string("w_") + m]});
      w.push_back({l + "mlp.up.weight", g["w1"]});
      w.push_back({l + "mlp.down.weight", g["w2"]});
    }
    for (const auto& [scope, row] : norms) w.insert(w.end(), {{scope + ".weight", gains.at(row)}, {scope + ".bias", biases.at(row)}});
    return w;
  };
  const hw::Mlp::Config mlp{.hidden_size = 8, .intermediate_size = 16, .activation = hw::Activation::gelu};
  const LayerNorm::Config norm{.size = 8};
  const auto block = [&]<class JoinA, class JoinB>(
                         std::type_identity<hw::Block<hw::Residual<JoinA, hw::Attention<>>, hw::Residual<JoinB, hw::Mlp>>>,
                         typename JoinA::Config a, typename JoinB::Config m, const Weights& w) {
    const hw::Build b = g.build(w);
    return run_segment(hw::Block<hw::Residual<JoinA, hw::Attention<>>, hw::Residual<JoinB, hw::Mlp>>({{a, attention(8)}, {m, mlp}}, b), b,
                       g["x"]);
  };
  const auto of = []<class J>(std::type_identity<J>) {
    return std::type_identity<hw::Block<hw::Residual<J, hw::Attention<>>, hw::Residual<J, hw::Mlp>>>();
  };
  using Pre = hw::Add<LayerNorm>;
  using Post = hw::Add<NoNorm, NoNorm, LayerNorm>;
  const auto type = [&]<class J>() { return of(std::type_identity<J>()); };
  g.holds("pre", block(type.operator()<Pre>(), {.pre = norm}, {.pre = norm}, weights({""}, {{"attention.norm", 0}, {"mlp.norm", 1}})));
  g.holds("post", block(type.operator()<Post>(), {.post = norm}, {.post = norm},
                        weights({""}, {{"attention.post_norm", 0}, {"mlp.post_norm", 1}})));
  using Peri = hw::Add<LayerNorm, LayerNorm>;
  g.holds("peri", block(type.operator()<Peri>(), {.pre = norm, .mid = norm}, {.pre = norm, .mid = norm},
                        weights({""}, {{"attention.norm", 0}, {"mlp.norm", 1}, {"attention.delta_norm", 2}, {"mlp.delta_norm", 3}})));
  using Out = hw::Add<NoNorm, LayerNorm>;
  g.holds("outnorm",
          block(type.operator()<Out>(), {.mid = norm}, {.mid = norm}, weights({""}, {{"attention.delta_norm", 2}, {"mlp.delta_norm", 3}})));
  using Deep = hw::DeepAdd<LayerNorm>;
  g.holds("deep", block(type.operator()<Deep>(), {.norm = norm, .alpha = 1.7f}, {.norm = norm, .alpha = 1.7f},
                        weights({""}, {{"attention.post_norm", 0}, {"mlp.post_norm", 1}})));
  const Array a = g["a"], ls = g["ls"];
  g.holds("rezero", block(type.operator()<hw::Add<NoNorm>>(), {.scale = a[0]}, {.scale = a[1]}, weights({""}, {})));
  using Scaled = hw::Add<LayerNorm, hw::LayerScale>;
  Weights scaled = weights({""}, {{"attention.norm", 0}, {"mlp.norm", 1}});
  scaled.insert(scaled.end(), {{"attention.delta_norm.weight", ls.at(0)}, {"mlp.delta_norm.weight", ls.at(1)}});
  g.holds("layerscale", block(type.operator()<Scaled>(), {.pre = norm, .mid = {8}}, {.pre = norm, .mid = {8}}, scaled));
  {
    using PostA = hw::Residual<Post, hw::Attention<>>;
    using PostM = hw::Residual<Post, hw::Mlp>;
    using PreA = hw::Residual<Pre, hw::Attention<>>;
    using PreM = hw::Residual<Pre, hw::Mlp>;
    const hw::Build b =
        g.build(weights({"0.", "1."}, {{"0.attention.post_norm", 0}, {"0.mlp.post_norm", 1}, {"1.attention.norm", 0}, {"1.mlp.norm", 1}}));
    const hw::Block<PostA, PostM, PreA, PreM> mix({{{.post = norm}, attention(8), "0.attention"},
                                                   {{.post = norm}, mlp, "0.mlp"},
                                                   {{.pre = norm}, attention(8), "1.attention"},
                                                   {{.pre = norm}, mlp, "1.mlp"}},
                                                  b);
    g.holds("mix", run_segment(mix, b, g["x"]));
  }
  using SubA = hw::Attention<hw::Causal, hw::NormedHeads<hw::QkvProjection, LayerNorm>>;
  using SubM = hw::MlpWith<hw::NormedActivation>;
  SubA::Config sub;
  sub.project.hidden_size = 8, sub.project.num_attention_heads = 2, sub.project.num_key_value_heads = 2, sub.project.head_dim = 4;
  sub.project.head_norm = norm;
  Weights w = weights({""}, {{"attention.norm", 0}, {"mlp.norm", 1}, {"attention.head_norm", 4}});
  w.insert(w.end(), {{"mlp.inner_norm.weight", g["gi"]}, {"mlp.inner_norm.bias", g["bi"]}});
  const hw::Build b = g.build(w);
  const hw::Block<hw::PreNorm<LayerNorm, SubA>, hw::PreNorm<LayerNorm, SubM>> inner(
      {{{.pre = norm}, sub}, {{.pre = norm}, {.hidden_size = 8, .intermediate_size = 16}}}, b);
  g.holds("sub", run_segment(inner, b, g["x"]));
}

TEST(Mechanisms, res_hyper_connections) {
  Golden g("res_hyper_connections");
  g.expressed_by("StreamMixture", kJoins, kPart);
  g.expressed_by("HyperConnections", kJoins, kPart);
  const hw::Mlp::Config mlp{.hidden_size = 8, .intermediate_size = 16, .activation = hw::Activation::silu};
  using Layer = hw::Block<hw::Residual<hw::HyperConnections, hw::Mlp>>;
  const auto streams = [&](bool dynamic, bool layer_norm) {
    Weights w{
        {"mlp.up.weight", g["w1"]}, {"mlp.down.weight", g["w2"]}, {"mlp.static_alpha", g["A_static"]}, {"mlp.static_beta", g["B_static"]}};
    if (dynamic)
      w.insert(w.end(), {{"mlp.dynamic_alpha", g["Wa"].permuted({1, 0})},
                         {"mlp.dynamic_beta", g["wb"].reshaped({1, 8})},
                         {"mlp.gamma", g["gamma"]},
                         {"mlp.alpha_scale", g["sa"]},
                         {"mlp.beta_scale", g["sb"]}});
    const hw::Build b = g.build(w);
    const Layer layer({{{.streams = 3, .size = 8, .dynamic = dynamic, .layer_norm = layer_norm}, mlp}}, b);
    return run_segment(layer, b, g["streams"].reshaped({2, 5, 24}));
  };
  const Array out = streams(true, false);
  g.holds("streams_out", out);
  g.holds("streams_static", streams(false, false));
  g.holds("streams_ln", streams(true, true));
  Array sum = filled({2, 5, 8}, 0);
  for (index_t i = 0; i < 240; ++i) sum[i / 24 * 8 + i % 8] += out[i];
  g.holds("y", sum);
}

TEST(Mechanisms, depth_denseformer) {
  Golden g("depth_denseformer");
  g.expressed_by("DepthAverage", kJoins, kPart);
  using A = hw::Residual<hw::Add<hw::NoNorm>, hw::Attention<>>;
  using M = hw::Residual<hw::Add<hw::NoNorm>, hw::Mlp>;
  using D = hw::DepthAverage;
  const hw::Mlp::Config mlp{.hidden_size = 6, .intermediate_size = 12, .activation = hw::Activation::gelu};
  const auto stack = [&](int dilation) {
    Weights w;
    const Array alpha = g["alpha"];
    for (int l = 0; l < 3; ++l) {
      const std::string from = "l" + std::to_string(l) + ".", to = std::to_string(l) + ".";
      for (const char* m : {"q", "k", "v", "o"}) w.push_back({to + "attention." + m + ".weight", g[from + "w_" + m]});
      w.insert(w.end(), {{to + "mlp.up.weight", g[from + "w1"]}, {to + "mlp.down.weight", g[from + "w2"]}});
      Array row{{l + 2}, {}};
      for (index_t j = 0; j < l + 2; ++j) row.values.push_back(alpha[l * 4 + j]);
      w.push_back({to + "average.alpha", row});
    }
    const hw::Build b = g.build(w);
    const hw::Block<D, A, M, D, A, M, D, A, M, D> blocks({{},
                                                          {{}, attention(6), "0.attention"},
                                                          {{}, mlp, "0.mlp"},
                                                          {1, dilation, "0.average"},
                                                          {{}, attention(6), "1.attention"},
                                                          {{}, mlp, "1.mlp"},
                                                          {2, dilation, "1.average"},
                                                          {{}, attention(6), "2.attention"},
                                                          {{}, mlp, "2.mlp"},
                                                          {3, dilation, "2.average"}},
                                                         b);
    return run_segment(blocks, b, g["x"]);
  };
  g.holds("y", stack(1));
  g.holds("y_dilated", stack(2));
}

TEST(Mechanisms, block_pangu_pi) {
  Golden g("block_pangu_pi");
  g.expressed_by("SeriesActivation", kMlps, kModifier);
  g.expressed_by("Parallel", "blocks/parallel.hpp", kStock);
  // The augmented shortcut stands beside the attention: T(x) is an Mlp.
  using Attend = hw::Residual<hw::Add<hw::NoNorm>, hw::Parallel<hw::Attention<>, hw::Mlp>>;
  using Series = hw::MlpWith<hw::SeriesActivation>;
  const hw::Parallel<hw::Attention<>, hw::Mlp>::Config beside{
      attention(8), {.hidden_size = 8, .intermediate_size = 3, .activation = hw::Activation::gelu}};
  Weights w{{"mlp.up.weight", g["td"]}, {"mlp.down.weight", g["tu"]}};
  for (const char* m : {"q", "k", "v", "o"}) w.push_back({std::string("attention.") + m + ".weight", g[std::string("w_") + m]});
  hw::Build b = g.build(w);
  g.holds("y1", run_segment(hw::Block<Attend>({{{}, beside}}, b), b, g["x"]));
  w.insert(w.end(), {{"series.up.weight", g["w1"]}, {"series.down.weight", g["w2"]}, {"series.scales", g["a"]}, {"series.shifts", g["c"]}});
  b = g.build(w);
  const hw::Block<Attend, hw::Residual<hw::Add<hw::NoNorm>, Series>> both(
      {{{}, beside}, {{}, {.hidden_size = 8, .intermediate_size = 12}, "series"}}, b);
  g.holds("y", run_segment(both, b, g["x"]));
}

TEST(Mechanisms, ffn_glu_family) {
  Golden g("ffn_glu_family");
  g.expressed_by("GatedMlp", "layers/mlp.hpp", kStock);
  g.expressed_by("Mlp", "layers/mlp.hpp", kStock);
  g.expressed_by("ClampedSwiglu", kMlps, kModifier);
  g.expressed_by("NormedGate", kMlps, kModifier);
  const Weights gated{{"gate.weight", g["w1"]}, {"up.weight", g["w3"]}, {"down.weight", g["w2"]}},
      plain{{"up.weight", g["w1"]}, {"down.weight", g["w2"]}};
  using enum hw::Activation;
  for (const auto& [name, activation] : {std::pair{"swiglu", silu}, std::pair{"geglu", gelu}, std::pair{"geglu_tanh", gelu_tanh},
                                         std::pair{"reglu", relu}, std::pair{"glu", sigmoid}, std::pair{"bilinear", identity}}) {
    const hw::Build b = g.build(gated);
    g.holds(name, run(hw::GatedMlp({.hidden_size = 8, .intermediate_size = 10, .activation = activation}, b), b, g["x"]));
  }
  for (const auto& [name, activation] : {std::pair{"relu2", relu2}, std::pair{"quick", gelu_quick}, std::pair{"mish", mish}}) {
    const hw::Build b = g.build(plain);
    g.holds(name, run(hw::Mlp({.hidden_size = 8, .intermediate_size = 10, .activation = activation}, b), b, g["x"]));
  }
  hw::Build b = g.build(gated);
  g.holds("gpt_oss", run(hw::GatedMlpWith<hw::ClampedSwiglu>({.hidden_size = 8, .intermediate_size = 10, .gate = {2.5f}}, b), b, g["x"]));
  Weights normed = gated;
  normed.insert(normed.end(), {{"norm.weight", g["gl"]}, {"norm.bias", g["bl"]}});
  b = g.build(normed);
  g.holds("activator", run(hw::GatedMlpWith<hw::NormedGate>({.hidden_size = 8, .intermediate_size = 10}, b), b, g["x"]));
}

TEST(Mechanisms, ffn_polynorm_xielu) {
  Golden g("ffn_polynorm_xielu");
  for (const char* type : {"PolyRelu", "PolyNorm", "Xielu"}) g.expressed_by(type, kMlps, kModifier);
  const Weights poly{{"up.weight", g["w1"]}, {"down.weight", g["w2"]}, {"coefficients", g["a"]}};
  hw::Build b = g.build(poly);
  g.holds("y_polyrelu", run(hw::MlpWith<hw::PolyRelu>({.hidden_size = 8, .intermediate_size = 10}, b), b, g["x"]));
  b = g.build(poly);
  g.holds("y_polynorm", run(hw::MlpWith<hw::PolyNorm>({.hidden_size = 8, .intermediate_size = 10}, b), b, g["x"]));
  b = g.build({{"up.weight", g["w1"]}, {"down.weight", g["w2"]}, {"alpha_p", g["alpha_p"]}, {"alpha_n", g["alpha_n"]}});
  g.holds("y_xielu", run(hw::MlpWith<hw::Xielu>({.hidden_size = 8, .intermediate_size = 10}, b), b, g["x"]));
}

}  // namespace
