// What changes or replaces the scaled dot product, and what a row sees.

#include "headwise/mixers/attention/scores.hpp"

#include "headwise/mixers/attention/mask_variants.hpp"
#include "headwise/mixers/attention/normalisers.hpp"
#include "tests/mechanisms/given_attention.hpp"

namespace {

using namespace mechanism;

constexpr const char *kScores = "mixers/attention/scores.hpp", *kMasks = "mixers/attention/mask_variants.hpp",
                     *kAttention = "mixers/attention/attention.hpp";

template <class S, class M = hw::Causal>
using With = hw::Attention<M, hw::QkvProjection, S>;
using Stock = hw::Attention<>;

TEST(Mechanisms, attn_gqa) {
  Golden g("attn_gqa");
  g.expressed_by("QkvProjection", "mixers/attention/project.hpp", kStock);
  g.holds("o", attend<Stock>(g, {}, g["q"], g["k"], g["v"]));
  g.holds("o_mqa", attend<Stock>(g, {}, g["q"], g["k1"], g["v1"]));
  g.holds("probs", weights_of<Stock>(g, {}, g["q"], g["k"]));
  const hw::Build b = g.build({{"q.weight", g["w_q"]}, {"k.weight", g["w_k"]}, {"v.weight", g["w_v"]}, {"o.weight", g["w_o"]}});
  Stock::Config c;
  c.project = {.hidden_size = 8, .num_attention_heads = 4, .num_key_value_heads = 2, .head_dim = 6};
  g.holds("y_wide", run(Stock(c, b), b, g["x"]));
  g.leaves_out("lse", "what the kernel merges segments by is not an output");
}

TEST(Mechanisms, attn_sink_logits) {
  Golden g("attn_sink_logits");
  g.expressed_by("AttentionOptions", kAttention, kStock);
  Stock::Config c;
  c.options.sinks = true;
  g.holds("o", attend<Stock>(g, c, g["q"], g["k"], g["v"], {{"sinks", g["sink"]}}));
  g.holds("probs", weights_of<Stock>(g, c, g["q"], g["k"], {{"sinks", g["sink"]}}));
  g.holds("o_off_by_one", attend<Stock>(g, c, g["q"], g["k"], g["v"], {{"sinks", filled({4}, 0)}}));
}

TEST(Mechanisms, pos_alibi_t5_nope) {
  Golden g("pos_alibi_t5_nope");
  g.expressed_by("AttentionOptions", kAttention, kStock);
  Stock::Config c;
  g.holds("o_nope", attend<Stock>(g, c, g["q"], g["k"], g["v"]));
  c.options.alibi = 1;
  g.holds("o_alibi", attend<Stock>(g, c, g["q"], g["k"], g["v"]));
  c.options.alibi = 0;
  c.options.relative = {.num_buckets = 8, .max_distance = 20, .bidirectional = false};
  g.holds("o_t5", attend<Stock>(g, c, g["q"], g["k"], g["v"], {{"relative_bias.weight", g["bias"]}}));
  g.holds("slopes", Array{{4}, hw::detail::alibi_slopes(4)});
  std::vector<std::int64_t> buckets;
  for (index_t n = 0; n < 15; ++n) buckets.push_back(hw::RelativeBias::bucket(c.options.relative, -n));
  g.holds("buckets", buckets);
}

TEST(Mechanisms, pos_fire_kerple) {
  Golden g("pos_fire_kerple");
  g.expressed_by("Fire", kScores, kModifier);
  g.expressed_by("Kerple", kScores, kModifier);
  using Fires = With<hw::Fire>;
  Fires::Config fire;
  fire.score.units = 8, fire.score.heads = 2, fire.score.initial_threshold = 8;
  g.holds("o_fire", attend<Fires>(g, fire, g["q"], g["k"], g["v"],
                                  {{"score.c", g["c_raw"]},
                                   {"score.threshold", g["l_mult"]},
                                   {"score.up.weight", g["m1"].reshaped({8})},
                                   {"score.up.bias", g["b1"]},
                                   {"score.down.weight", g["m2"]},
                                   {"score.down.bias", g["b2"]}}));
  const Weights r{{"score.r1", g["r1"]}, {"score.r2", g["r2"]}};
  using Log = With<hw::Kerple<>>;
  Log::Config log;
  log.score.heads = 2;
  g.holds("o_log", attend<Log>(g, log, g["q"], g["k"], g["v"], r));
  using Power = With<hw::Kerple<true>>;
  Power::Config power;
  power.score.heads = 2;
  g.holds("o_power", attend<Power>(g, power, g["q"], g["k"], g["v"], r));
  g.leaves_out("bias_fire", "added in the kernel, never a matrix");
}

TEST(Mechanisms, attn_mgk) {
  Golden g("attn_mgk");
  g.expressed_by("GaussianKeys", kScores, kModifier);
  using A = With<hw::GaussianKeys>;
  A::Config c;
  c.score.heads = 2, c.score.components = 2, c.score.head_dim = 6;
  const Weights w{{"score.shift", g["mu"].reshaped({4, 6})}, {"score.weight", g["pi"].reshaped({4})}};
  g.holds("o", attend<A>(g, c, g["q"], g["k"], g["v"], w));
  g.holds("probs", weights_of<A>(g, c, g["q"], g["k"], w));
  c.score.hard = true;
  g.holds("o_hard", attend<A>(g, c, g["q"], g["k"], g["v"], w));
}

TEST(Mechanisms, attn_reformer_lsh) {
  Golden g("attn_reformer_lsh");
  g.expressed_by("AngularHash", kScores, kModifier);
  g.expressed_by("SameBucket", kScores, kModifier);
  using A = With<hw::SameBucket>;
  A::Config c;
  c.score.hash.heads = 2, c.score.hash.head_dim = 6, c.score.hash.buckets = 4;
  const Array transposed = g["rot"].permuted({0, 2, 1}).reshaped({4, 6});
  const Weights rotations{{"score.rotations", transposed}};
  g.holds("o", attend<A>(g, c, g["q"], g["q"], g["v"], rotations));
  g.holds("probs", weights_of<A>(g, c, g["q"], g["q"], rotations));
  hw::AngularHash hash = c.score.hash;
  hash.load(g.build({{"rotations", transposed}}));
  std::vector<std::int64_t> buckets;
  const Array q = g["q"];
  for (index_t i = 0; i < 48; ++i) buckets.push_back(hash.bucket(i / 12 % 2, q.view().row(i)));
  g.holds("bucket", buckets);
  c.score.scale = 1 / std::sqrt(6.0f);
  g.holds("o_scaled", attend<A>(g, c, g["q"], g["q"], g["v"], rotations));
}

TEST(Mechanisms, attn_lm_infinite) {
  Golden g("attn_lm_infinite");
  g.expressed_by("PinnedWindow", kMasks, kModifier);
  g.expressed_by("CappedRotary", kScores, kModifier);
  using A = With<hw::CappedRotary, hw::PinnedWindow>;
  A::Config c;
  c.mask = {.pinned = 2, .window = 6};
  c.score.head_dim = 6;
  c.score.scale = 1 / std::sqrt(6.0f);
  g.holds("o_nocap", attend<A>(g, c, g["q"], g["k"], g["v"]));
  c.score.pinned = 2, c.score.window = 6;
  g.holds("o_streaming", attend<A>(g, c, g["q"], g["k"], g["v"]));
  c.score.window = 0, c.score.cap = 4;
  g.holds("o", attend<A>(g, c, g["q"], g["k"], g["v"]));
}

TEST(Mechanisms, attn_structural_bias) {
  Golden g("attn_structural_bias");
  g.expressed_by("PairBias", kScores, kModifier);
  using Both = hw::AllScores<hw::PairBias, hw::PairBias>;
  using A = With<Both, hw::Full>;
  A::Config c;
  c.score.scores = {hw::PairBias{.heads = 2, .classes = 5, .nodes = 8, .of_pair = g.ints("dist")},
                    hw::PairBias{.heads = 2, .classes = 6, .nodes = 8, .of_pair = g.ints("pc")}};
  const Weights tables{{"score.0.table", g["b_sp"]}, {"score.1.table", g["b_par"]}};
  g.holds("o", attend<A>(g, c, g["q"], g["k"], g["v"], tables));
  g.holds("probs", weights_of<A>(g, c, g["q"], g["k"], tables));
}

TEST(Mechanisms, attn_prefix_lm) {
  Golden g("attn_prefix_lm");
  g.expressed_by("PrefixCausal", kMasks, kModifier);
  using A = hw::Attention<hw::PrefixCausal>;
  const auto prefix = g.ints("prefix"), length = g.ints("length");
  Array o = g["o"], probs = g["probs"];
  for (index_t s = 0; s < 3; ++s) {  // without padding: each sequence as long as it is
    const index_t n = length[static_cast<std::size_t>(s)];
    Rows rows(1, n);
    for (index_t t = 0; t < n; ++t) rows.marks.push_back(t < prefix[static_cast<std::size_t>(s)] ? 1 : 0);
    const auto cut = [&](const char* name) {
      const Array all = g[name].at(s);
      Array out{{1, 2, n, 5}, {}};
      for (index_t h = 0; h < 2; ++h) out.values.insert(out.values.end(), all.view().row(h * 9), all.view().row(h * 9 + n));
      return out;
    };
    const auto put = [&](Array& into, const Array& found) {
      for (index_t h = 0; h < 2; ++h)
        for (index_t t = 0; t < 9; ++t) {
          float* row = into.view().row((s * 2 + h) * 9 + t);
          std::fill_n(row, into.shape.back(), 0.0f);
          if (t < n) std::copy_n(found.view().row(h * n + t), found.shape.back(), row);
        }
    };
    put(o, attend<A>(g, {}, cut("q"), cut("k"), cut("v"), {}, {}, &rows));
    put(probs, weights_of<A>(g, {}, cut("q"), cut("k"), {}, &rows));
  }
  g.holds("o", o);
  g.holds("probs", probs);
}

TEST(Mechanisms, attn_manhattan_decay) {
  Golden g("attn_manhattan_decay");
  g.expressed_by("ManhattanDecay", "mixers/attention/normalisers.hpp", kModifier);
  g.expressed_by("ManhattanScore", kScores, kModifier);
  using Paper = hw::Attention<hw::Full, hw::QkvProjection, hw::kernels::DotScore, hw::ManhattanDecay>;
  Paper::Config paper;
  paper.normaliser = {.columns = 4, .gamma = g["gamma"].values};
  g.holds("o", attend<Paper>(g, paper, g["q"], g["k"], g["v"]));
  g.holds("probs", weights_of<Paper>(g, paper, g["q"], g["k"]));
  using Code = With<hw::ManhattanScore, hw::Full>;
  Code::Config code;
  code.score = {.columns = 4, .gamma = g["gamma"].values};
  g.holds("o_code", attend<Code>(g, code, g["q"], g["k"], g["v"]));
  g.leaves_out("o_dec", "attention along one axis of a grid at a time regroups the rows: there is no Regroup yet");
}

TEST(Mechanisms, attn_window_mixed_span) {
  Golden g("attn_window_mixed_span");
  g.expressed_by("Causal", "mixers/attention/mask.hpp", kStock);
  g.expressed_by("SameChunk", kMasks, kModifier);
  Weights w;
  for (const char* layer : {"0", "1"})
    for (const char* m : {"q", "k", "v", "o"})
      w.push_back({std::string(layer) + "." + m + ".weight", g[std::string("l") + layer + ".w_" + m]});
  const auto config = [](auto c) {
    c.project = {.hidden_size = 12, .num_attention_heads = 2, .num_key_value_heads = 2, .head_dim = 6};
    return c;
  };
  using Plain = hw::Residual<hw::Add<hw::NoNorm>, Stock>;
  using Chunks = hw::Residual<hw::Add<hw::NoNorm>, hw::Attention<hw::SameChunk>>;
  auto window = config(Stock::Config{});
  window.mask.window = 3;
  hw::Build b = g.build(w);
  const hw::Block<Plain, Plain> mixed({{{}, window, "0"}, {{}, config(Stock::Config{}), "1"}}, b);
  g.holds("y", run_segment(mixed, b, g["x"]));
  auto chunk = config(hw::Attention<hw::SameChunk>::Config{});
  chunk.mask.size = 3;
  b = g.build(w);
  const hw::Block<Chunks, Plain> blocks({{{}, chunk, "0"}, {{}, config(Stock::Config{}), "1"}}, b);
  g.holds("y_block", run_segment(blocks, b, g["x"]));
}

TEST(Mechanisms, attn_dilated_longnet) {
  Golden g("attn_dilated_longnet");
  g.expressed_by("DilatedSegments", kScores, kModifier);
  using A = With<hw::DilatedSegments>;
  A::Config c;
  c.score.widths = {{4, 1}, {8, 2}};
  g.holds("o", attend<A>(g, c, g["q"], g["k"], g["v"]));
  g.leaves_out("denoms", "what the segments are merged by");
}

// The kernel merges segments of 1024 keys the same way.
TEST(Mechanisms, attn_split_merge) {
  Golden g("attn_split_merge");
  g.expressed_by("AttentionKernels", "kernels/attention.hpp", kStock);
  const Array row = g["q"];
  Array q = filled({2, 3, 17, 6}, 0);  // the query is the last row's
  for (index_t h = 0; h < 6; ++h) std::copy_n(row.view().row(h), 6, q.view().row(h * 17 + 16));
  const Array all = attend<Stock>(g, {}, q, g["k"], g["v"]);
  Array o{{2, 3, 6}, {}};
  for (index_t h = 0; h < 6; ++h) o.values.insert(o.values.end(), all.view().row(h * 17 + 16), all.view().row(h * 17 + 17));
  g.holds("o", o);
  for (const char* part : {"m", "l", "O"}) g.leaves_out(part, "of other segments than the kernel's");
}

struct WholeTree : hw::TreeCausal {
  static constexpr hw::Couples couples = hw::Couples::sequence;  // not to be fed in steps
};

TEST(Mechanisms, attn_tree_mask) {
  Golden g("attn_tree_mask");
  g.expressed_by("TreeCausal", kMasks, kModifier);
  using A = hw::Attention<WholeTree>;
  const auto parent = g.ints("parent"), position = g.ints("pos");
  Rows rows(2, 12);
  rows.coord.clear();
  for (int s = 0; s < 2; ++s)
    for (index_t t = 0; t < 12; ++t) {
      rows.coord.push_back(static_cast<float>(position[static_cast<std::size_t>(t)]));
      rows.parent.push_back(t < 5 ? t - 1 : parent[static_cast<std::size_t>(t - 5)] + 5);
    }
  for (std::size_t i = 0; i < 24; ++i)
    if (i % 12 >= 5 && parent[i % 12 - 5] < 0) rows.parent[i] = 4;
  A::Config c;
  c.project.rotary = hw::RotaryConfig{.dims = 6};
  const auto of_candidates = [](const Array& all) {
    Array out{{2, 2, 7, all.shape.back()}, {}};
    for (index_t h = 0; h < 4; ++h) out.values.insert(out.values.end(), all.view().row(h * 12 + 5), all.view().row(h * 12 + 12));
    return out;
  };
  g.holds("o", of_candidates(attend<A>(g, c, g["q"], g["k"], g["v"], {}, {}, &rows)));
  std::vector<std::int64_t> mask;
  Array one = filled({1, 12, 1}, 0);
  Rows tree(1, 12);
  tree.parent.assign(rows.parent.begin(), rows.parent.begin() + 12);
  tree.frame(g.build({}), one, 0, 12, [&](const hw::Frame& f) {
    for (index_t t = 5; t < 12; ++t)
      for (index_t e = 0; e < 12; ++e) mask.push_back(static_cast<std::int64_t>(hw::TreeCausal().sees(f.tokens(), t, 0) >> e & 1));
  });
  g.holds("mask", mask);
  g.leaves_out("pos", "given to the rows");
}

}  // namespace
