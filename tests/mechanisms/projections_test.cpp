// Where queries, keys and values come from, where they are turned, and what Wo gets.

#include "headwise/mixers/attention/projections.hpp"

#include "headwise/blocks/join_variants.hpp"
#include "headwise/layers/norm_variants.hpp"
#include "headwise/mixers/attention/normalisers.hpp"
#include "headwise/mixers/attention/positions.hpp"
#include "headwise/mixers/attention/segment_relative.hpp"
#include "tests/mechanisms/given_attention.hpp"

namespace {

using namespace mechanism;

constexpr const char *kHeader = "mixers/attention/projections.hpp", *kPositions = "mixers/attention/positions.hpp",
                     *kNorms = "layers/norm_variants.hpp", *kNormalisers = "mixers/attention/normalisers.hpp";

using Qkv = hw::QkvProjection;
template <class P, class M = hw::Causal, class N = hw::kernels::Softmax>
using With = hw::Attention<M, P, hw::kernels::DotScore, N>;

// q, k, v and o of a case with w_q, ..., and more.
Weights projected(const Golden& g, Weights further = {}) {
  for (const char* m : {"q", "k", "v", "o"}) further.emplace_back(std::string(m) + ".weight", g[std::string("w_") + m]);
  return further;
}
template <class C>
C sized(C c, index_t width, index_t heads) {
  c.hidden_size = width, c.num_attention_heads = heads, c.head_dim = width / heads;
  if constexpr (requires { c.num_key_value_heads; }) c.num_key_value_heads = heads;
  return c;
}
template <class A>
Array layer(const Golden& g, typename A::Config c, index_t width, index_t heads, Weights weights) {
  c.project = sized(c.project, width, heads);
  const hw::Build b = g.build(std::move(weights));
  return run(A(c, b), b, g["x"]);
}

TEST(Mechanisms, attn_output_gate) {
  Golden g("attn_output_gate");
  g.expressed_by("GatedHeads", kHeader, kModifier);
  g.holds("y", layer<With<hw::GatedHeads<Qkv>>>(g, {}, 12, 3, projected(g, {{"gate.weight", g["w_g"]}})));
  g.leaves_out("gate", "multiplied where it is made");
}

TEST(Mechanisms, attn_rela) {
  Golden g("attn_rela");
  g.expressed_by("ReluWeights", kNormalisers, kModifier);
  g.expressed_by("NormedHeads", kHeader, kModifier);
  g.expressed_by("SelfGatedRmsNorm", kNorms, kModifier);
  using A = With<hw::NormedHeads<Qkv, hw::RmsNorm>, hw::Causal, hw::ReluWeights>;
  A::Config c;
  c.project.head_norm = {.size = 12};
  g.holds("o", attend<A>(g, c, g["q"], g["k"], g["v"], {{"head_norm.weight", g["g"]}}).permuted({0, 2, 1, 3}));
  using Gated = With<hw::NormedHeads<Qkv, hw::SelfGatedRmsNorm>, hw::Causal, hw::ReluWeights>;
  Gated::Config gated;
  gated.project.head_norm = {.size = 12};
  g.holds("o_gated", attend<Gated>(g, gated, g["q"], g["k"], g["v"], {{"head_norm.weight", g["g"]}, {"head_norm.gate", g["w_gate"]}})
                         .permuted({0, 2, 1, 3}));
  g.holds("probs", weights_of<With<Qkv, hw::Causal, hw::ReluWeights>>(g, {}, g["q"], g["k"]));
}

TEST(Mechanisms, attn_clipped_gated) {
  Golden g("attn_clipped_gated");
  g.expressed_by("ClippedSoftmax", kNormalisers, kModifier);
  g.expressed_by("SliceGatedHeads", kHeader, kPart);
  using Clipped = With<Qkv, hw::Causal, hw::ClippedSoftmax>;
  Clipped::Config clipped;
  clipped.normaliser = {.gamma = -3.0f / 9, .zeta = 1};
  g.holds("o_clipped", attend<Clipped>(g, clipped, g["q"], g["k"], g["v"]));
  g.holds("probs", weights_of<Clipped>(g, clipped, g["q"], g["k"]));
  // The heads look at the first columns of the layer's input, so x stands there.
  using Gated = With<hw::SliceGatedHeads<Qkv>>;
  const auto gated = [&](index_t units, Weights w) {
    const index_t width = 12;
    const Array x = beside({g["x"], joined(g["q"]), joined(g["k"]), joined(g["v"])});
    w.insert(w.end(), {{"q.weight", picking(width, 48, 12)},
                       {"k.weight", picking(width, 48, 24)},
                       {"v.weight", picking(width, 48, 36)},
                       {"o.weight", picking(width, 48, 0).permuted({1, 0})}});
    Gated::Config c;
    c.project.hidden_size = 48, c.project.num_attention_heads = 2, c.project.num_key_value_heads = 2, c.project.head_dim = 6;
    c.project.gate_units = units;
    const hw::Build b = g.build(w);
    return heads_of(columns(run(Gated(c, b), b, x), 0, width), 2);
  };
  g.holds("o_gated_mlp", gated(4, {{"gate.up", g["w1"].reshaped({8, 6})},
                                   {"gate.up_bias", g["b1"].reshaped({8})},
                                   {"gate.down", g["w2"]},
                                   {"gate.down_bias", g["b2"]}}));
  g.holds("o_gated_linear", gated(0, {{"gate.down", g["wl"]}, {"gate.down_bias", g["bl"]}}));
  g.leaves_out("gate", "multiplied where it is made");
}

TEST(Mechanisms, attn_differential) {
  Golden g("attn_differential");
  g.expressed_by("DifferentialProjection", kHeader, kPart);
  using A = With<hw::DifferentialProjection>;
  A::Config c;
  c.project = {.hidden_size = 16, .num_attention_heads = 2, .head_dim = 4, .layer = 2};
  const hw::Build b = g.build(projected(
      g, {{"lambda_q1", g["lq1"]}, {"lambda_k1", g["lk1"]}, {"lambda_q2", g["lq2"]}, {"lambda_k2", g["lk2"]}, {"head_norm", g["g"]}}));
  g.holds("lam", Array{{1}, {hw::DifferentialProjection(c.project, b).lambda}});
  g.holds("y", run(A(c, b), b, g["x"]));
  for (const char* map : {"a1", "a2"}) g.leaves_out(map, "attention keeps no probabilities");
}

TEST(Mechanisms, attn_qknorm_cosine) {
  Golden g("attn_qknorm_cosine");
  g.expressed_by("CosineProjection", kHeader, kModifier);
  g.expressed_by("QkvProjection", "mixers/attention/project.hpp", kStock);
  using Cosine = With<hw::CosineProjection<Qkv>>;
  Cosine::Config cosine;
  cosine.options.scale = 1;
  g.holds("o_cosine", attend<Cosine>(g, cosine, g["q"], g["k"], g["v"], {{"log_tau", g["log_tau"]}}));
  g.holds("probs", weights_of<Cosine>(g, cosine, g["q"], g["k"], {{"log_tau", g["log_tau"]}}));
  With<Qkv>::Config rms;
  rms.project.q_norm = rms.project.k_norm = hw::RmsNorm::Config{.size = 6};
  g.holds("o_rms", attend<With<Qkv>>(g, rms, g["q"], g["k"], g["v"], {{"q_norm.weight", g["g_q"]}, {"k_norm.weight", g["g_k"]}}));
}

TEST(Mechanisms, attn_tensor_product) {
  Golden g("attn_tensor_product");
  g.expressed_by("TensorProductProjection", kHeader, kPart);
  using A = With<hw::TensorProductProjection>;
  A::Config c;
  c.project = {.hidden_size = 12, .num_attention_heads = 3, .head_dim = 4, .q_rank = 3, .k_rank = 2, .v_rank = 2, .rotary = {.dims = 4}};
  Weights w{{"o.weight", g["w_o"]}};
  for (const char* part : {"aq", "bq", "ak", "bk", "av", "bv"})
    w.push_back({std::string(1, part[0]) + "_" + part[1] + ".weight", g[std::string("w_") + part]});
  const hw::Build b = g.build(w);
  g.holds("y", run(A(c, b), b, g["x"]));
  for (const char* whole : {"k_full", "v_full"}) g.leaves_out(whole, "what the state holds");
}

TEST(Mechanisms, attn_value_residual) {
  Golden g("attn_value_residual");
  g.expressed_by("ValueResidualProjection", kHeader, kPart);
  using Layer = hw::Residual<hw::Add<hw::NoNorm>, With<hw::ValueResidualProjection>>;
  Weights w;
  for (int l = 0; l < 3; ++l)
    for (const char* m : {"q", "k", "v", "o"})
      if (l < 2 || std::string(m) != "v") w.push_back({std::to_string(l) + "." + m + ".weight", g["l" + std::to_string(l) + ".w_" + m]});
  const auto config = [](bool is_first, float own, float first) {
    With<hw::ValueResidualProjection>::Config c;
    c.project = {.hidden_size = 12, .num_attention_heads = 2, .head_dim = 6, .is_first = is_first, .own = own, .first = first};
    return c;
  };
  const Array lam = g["lam"];
  const hw::Build b = g.build(w);
  const hw::Block<Layer, Layer, Layer> layers(
      {{{}, config(true, 1, 0), "0"}, {{}, config(false, lam[1], lam[0]), "1"}, {{}, config(false, 0, 1), "2"}}, b);
  g.holds("y", run_segment(layers, b, g["x"]));
}

TEST(Mechanisms, attn_symbols_ab) {
  Golden g("attn_symbols_ab");
  g.expressed_by("SymbolProjection", kHeader, kPart);
  using A = With<hw::SymbolProjection<Qkv>>;
  A::Config c;
  c.options.scale = 1 / std::sqrt(4.0f);
  Weights w{{"alpha", g["alpha"]}, {"beta", g["bet"]}, {"o.weight", beside({g["w_o"], identity(8)})}};
  for (const char* m : {"q", "k", "v"}) w.push_back({std::string(m) + ".weight", g[std::string("w_") + m]});
  g.holds("y", layer<A>(g, c, 8, 2, w));
  g.leaves_out("probs", "attention keeps no probabilities");
}

TEST(Mechanisms, attn_forgetting) {
  Golden g("attn_forgetting");
  g.expressed_by("ForgettingProjection", kHeader, kPart);
  using A = With<hw::ForgettingProjection<Qkv>>;
  A::Config c;
  c.options.scale = 1 / std::sqrt(6.0f);
  Weights w{{"forget.weight", g["w_f"]}, {"forget.bias", g["b_f"]}, {"o.weight", identity(12)}};
  for (const char* m : {"q", "k", "v"}) w.push_back({std::string(m) + ".weight", g[std::string("w_") + m]});
  g.holds("o", heads_of(layer<A>(g, c, 12, 2, w), 2));
  g.leaves_out("probs", "attention keeps no probabilities");
  g.leaves_out("logf", "a column of the keys, summed up");
}

TEST(Mechanisms, attn_aaren) {
  Golden g("attn_aaren");
  g.expressed_by("LearnedQuery", kHeader, kModifier);
  Array query = filled({12}, 0);
  for (index_t o = 0; o < 12; ++o)
    for (index_t i = 0; i < 12; ++i) query[o] += g["w_q"][o * 12 + i] * g["query"][i];
  const Weights w{{"query", query}, {"q.weight", g["w_q"]}, {"k.weight", g["w_k"]}, {"v.weight", g["w_v"]}, {"o.weight", identity(12)}};
  g.holds("o", heads_of(layer<With<hw::LearnedQuery<Qkv>>>(g, {}, 12, 2, w), 2));
  for (const char* state : {"m", "u", "w"})
    g.leaves_out(state, "keys and values are kept instead: the state of attention, not the recurrence's");
}

TEST(Mechanisms, attn_h_minus_1) {
  Golden g("attn_h_minus_1");
  g.expressed_by("LeaveOneHeadOut", kHeader, kPart);
  using A = With<hw::LeaveOneHeadOut<Qkv>, hw::Full>;
  A::Config c;
  c.project.gate_units = 8;
  const Weights w = projected(
      g, {{"gate.up.weight", g["w_1"]}, {"gate.up.bias", g["b_1"]}, {"gate.down.weight", g["w_2"]}, {"gate.down.bias", g["b_2"]}});
  g.holds("y", layer<A>(g, c, 12, 3, w));
  c.project.best = true;
  g.holds("y_top1", layer<A>(g, c, 12, 3, w));
  g.leaves_out("gate", "multiplied where it is made");
}

struct CausalRelative : hw::Causal {
  static constexpr hw::Couples couples = hw::Couples::sequence;  // the projection is for attention without states
};

// The memory stands before the sequence; its own rows are not looked at.
TEST(Mechanisms, attn_gtrxl) {
  Golden g("attn_gtrxl");
  g.expressed_by("GruGate", "blocks/join_variants.hpp", kPart);
  g.expressed_by("SegmentRelativeProjection", "mixers/attention/segment_relative.hpp", kStock);
  using Masked = hw::Attention<CausalRelative, hw::SegmentRelativeProjection>;
  const float scale = 1 / std::sqrt(6.0f);
  Masked::Config c;
  c.project = {.hidden_size = 12, .num_attention_heads = 2, .head_dim = 6, .scale = scale};
  c.options.scale = scale;
  const Weights attention = projected(g, {{"r.weight", g["w_r"]},
                                          {"content_bias", g["u"].reshaped({12})},
                                          {"position_bias", g["vb"].reshaped({12})},
                                          {"segment_bias", filled({12}, 0)},
                                          {"segments", filled({2, 12}, 0)}});
  Array x{{2, 9, 12}, {}};
  for (index_t s = 0; s < 2; ++s)
    for (const char* part : {"mem", "x"}) {
      const Array rows = g[part].at(s);
      x.values.insert(x.values.end(), rows.values.begin(), rows.values.end());
    }
  Rows rows(2, 9);
  rows.marks.assign(18, 0);
  const auto behind = [](const Array& all) {
    Array out{{2, 6, 12}, {}};
    for (index_t s = 0; s < 2; ++s) out.values.insert(out.values.end(), all.view().row(s * 9 + 3), all.view().row(s * 9 + 9));
    return out;
  };
  hw::Build b = g.build([&] {
    Weights w = attention;
    w.insert(w.end(), {{"norm.weight", g["g"]}, {"norm.bias", g["b"]}});
    return w;
  }());
  using Normed = hw::Normed<hw::LayerNorm, Masked>;
  g.holds("a", behind(run(Normed({{.size = 12}, c}, b), b, x, 0, &rows)));
  Weights w{{"attention.norm.weight", g["g"]}, {"attention.norm.bias", g["b"]}, {"attention.update_bias", g["bg"]}};
  for (const auto& [name, array] : attention) w.push_back({"attention." + name, array});
  for (const auto& [name, of] : {std::pair{"reset", "r"}, std::pair{"update", "z"}, std::pair{"new", "g"}}) {
    w.push_back({std::string("attention.from_delta.") + name + ".weight", g[std::string("W") + of]});
    w.push_back({std::string("attention.from_stream.") + name + ".weight", g[std::string("U") + of]});
  }
  b = g.build(w);
  using Layer = hw::Block<hw::Residual<hw::GruGate<hw::LayerNorm>, Masked>>;
  g.holds("y", behind(run_segment(Layer({{{.norm = {.size = 12}, .size = 12}, c, "attention"}}, b), b, x, &rows)));
}

// What a projection makes of q = x and k = x.
template <class P>
std::pair<Array, Array> turned(const Golden& g, typename P::Config c, const Array& q, const Array& k, const Rows& rows) {
  const index_t heads = q.dim(1), n = q.dim(3), width = 3 * heads * n;
  c.hidden_size = width, c.num_attention_heads = heads, c.num_key_value_heads = heads, c.head_dim = n;
  const hw::Build b = g.build({{"q.weight", picking(heads * n, width, 0)},
                               {"k.weight", picking(heads * n, width, heads * n)},
                               {"v.weight", picking(heads * n, width, 2 * heads * n)}});
  const P projection(c, b);
  Array x = beside({joined(q), joined(k), joined(k)});
  rows.frame(b, x, 0, rows.tokens(), [&](const hw::Frame& f) {
    hw::Qkv o;
    const hw::View all = f.at({});
    projection.project(hw::In{all, f}, o);
    for (index_t t = 0; t < all.rows; ++t) {
      std::copy_n(o.q.row(t), heads * n, all.row(t));
      std::copy_n(o.k.row(t), heads * n, all.row(t) + heads * n);
    }
  });
  return {heads_of(columns(x, 0, heads * n), heads), heads_of(columns(x, heads * n, 2 * heads * n), heads)};
}

TEST(Mechanisms, pos_rope_variants) {
  Golden g("pos_rope_variants");
  g.expressed_by("RotaryConfig", "mixers/attention/rotary.hpp", kStock);
  Rows rows(1, 7);
  const auto positions = g.ints("pos");
  rows.coord.assign(positions.begin(), positions.end());
  const auto rotated = [&](hw::RotaryConfig rotary) {
    Qkv::Config c;
    c.rotary = rotary;
    return turned<Qkv>(g, c, g["x"], g["x"], rows).first;
  };
  using enum hw::RopeScaling;
  const hw::RotaryConfig plain{.dims = 8};
  g.holds("halves", rotated(plain));
  g.holds("interleaved", rotated({.dims = 8, .pairs = hw::kernels::RopePairs::neighbours}));
  g.holds("partial", rotated({.dims = 4}));
  g.holds("linear", rotated({.dims = 8, .scaling = linear, .factor = 4}));
  g.holds("ntk", rotated({.dims = 8, .theta = 10000 * std::pow(4.0, 8.0 / 6)}));
  const hw::RotaryConfig yarn_config{.dims = 8, .scaling = yarn, .factor = 4, .original_max_positions = 4096};
  const hw::RotaryConfig llama3_config{
      .dims = 8, .scaling = llama3, .factor = 8, .original_max_positions = 64, .low_freq_factor = 1, .high_freq_factor = 4};
  g.holds("yarn", rotated(yarn_config));
  g.holds("llama3", rotated(llama3_config));
  const auto frequencies = [](const hw::RotaryConfig& c) {
    const auto f = hw::rotary_frequencies(c, 7);
    return Array{{4}, {f.begin(), f.end()}};
  };
  g.holds("inv_yarn", frequencies(yarn_config));
  g.holds("inv_llama3", frequencies(llama3_config));
}

TEST(Mechanisms, pos_rope_2d_mrope) {
  Golden g("pos_rope_2d_mrope");
  g.expressed_by("AxialRotary", kPositions, kModifier);
  const auto rotated = [&](std::vector<hw::RotatedPair> pairs, std::vector<float> coord, int axes) {
    Rows rows(1, 6);
    rows.coord = std::move(coord);
    rows.axes = axes;
    hw::AxialRotary<Qkv>::Config c;
    c.pairs = std::move(pairs);
    return turned<hw::AxialRotary<Qkv>>(g, c, g["x"], g["x"], rows).first;
  };
  const auto rc = g.ints("rc");
  const std::vector<float> grid(rc.begin(), rc.end());
  g.holds("x_2d", rotated(hw::axial_halves(8), grid, 2));
  g.holds("x_2d_qwen2vl", rotated(hw::axial_pairs(8), grid, 2));
  g.holds("x_geo", rotated(hw::axial_halves(8), g["geo"].values, 2));
  const auto pos3 = g.ints("pos3");
  std::vector<float> by_row;
  for (std::size_t t = 0; t < 6; ++t)
    for (std::size_t a = 0; a < 3; ++a) by_row.push_back(static_cast<float>(pos3[a * 6 + t]));
  g.holds("x_mrope", rotated(hw::sections({1, 1, 2}, 8), by_row, 3));
}

TEST(Mechanisms, pos_xpos) {
  Golden g("pos_xpos");
  g.expressed_by("Xpos", kPositions, kModifier);
  using P = hw::Xpos<Qkv>;
  P::Config c;
  c.scale_base = 16;
  c.rotary = hw::RotaryConfig{.dims = 6, .pairs = hw::kernels::RopePairs::neighbours};
  With<P>::Config attention;
  attention.project = c;
  g.holds("o", attend<With<P>>(g, attention, g["q"], g["k"], g["v"]));
  const auto [q, k] = turned<P>(g, c, g["q"], g["k"], Rows(2, 9));
  g.holds("q_rot", q);
  g.holds("k_rot", k);
}

TEST(Mechanisms, pos_clex) {
  Golden g("pos_clex");
  g.expressed_by("ClexFrequencies", kPositions, kPart);
  const hw::ClexFrequencies frequencies(8, g.build({{"up", g["w_up"]}, {"down", g["w_down"]}}));
  g.holds("z2", Array{{4}, frequencies.at(2)});
  const auto z3 = frequencies.at(3);
  g.holds("z3", Array{{4}, z3});
  Qkv::Config c;
  c.rotary = hw::RotaryConfig{.dims = 8};
  for (std::size_t i = 0; i < 4; ++i)
    c.rotary->frequency_factors.push_back(
        static_cast<float>(std::pow(10000.0, -static_cast<double>(i) / 4) / std::exp(static_cast<double>(z3[i]))));
  g.holds("x_rot", turned<Qkv>(g, c, g["x"], g["x"], Rows(1, 6)).first);
}

}  // namespace
