// Recurrences whose memory learns, features of kernels, and long filters.

#include "headwise/mixers/linear_attention/learning_cells.hpp"
#include "headwise/mixers/linear_attention/feature_attention.hpp"
#include "headwise/mixers/sequence_mixers.hpp"
#include "tests/mechanisms/recurrences.hpp"

namespace {

using namespace mechanism;

constexpr const char* kCells = "mixers/linear_attention/learning_cells.hpp";
constexpr const char* kFeatures = "mixers/linear_attention/feature_attention.hpp";

/// (b, t, ..) as (b, t, n).
Array flat(const Array& a) { return a.reshaped({a.dim(0), a.dim(1), static_cast<index_t>(a.values.size()) / a.dim(0) / a.dim(1)}); }
/// Sequence s of all, alone.
Array only(const Array& a, index_t s) {
  Array out = a.at(s);
  out.shape.insert(out.shape.begin(), 1);
  return out;
}

TEST(Mechanisms, lin_ttt_linear) {
  Golden g("lin_ttt_linear");
  g.expressed_by("TttLinear", kCells, kPart);
  for (const bool by_position : {false, true}) {
    Array o{{2, 8, 2, 5}, {}};
    for (index_t s = 0; s < 2; ++s) {  // each sequence begins with a memory of its own
      Array init = filled({2, 30}, 0);
      for (index_t i = 0; i < 50; ++i) init[i / 25 * 30 + i % 25] = g["h0"][s * 50 + i];
      const auto own = [&](const char* name) { return only(flat(g[name]), s); };
      Weights more{{"init", beside({init, g["w_ln"], g["b_ln"]})}};
      if (by_position) more.emplace_back("position", g["tok"]);
      const Array y = given<hw::Recurrence<hw::TttLinear>>(
          g, {0, 2, 5, 4, by_position}, kHidden, {{"q", own("q")}, {"k", own("k")}, {"v", own("v")}, {"rate", mapped(own("eta"), logit)}},
          10, more);
      o.values.insert(o.values.end(), y.values.begin(), y.values.end());
    }
    g.holds(by_position ? "o_paper" : "o", o);
  }
  for (const char* state : {"final_state", "final_bias", "final_state_paper", "final_bias_paper"}) g.leaves_out(state, kInState);
}

TEST(Mechanisms, lin_atlas_omega) {
  Golden g("lin_atlas_omega");
  g.expressed_by("OmegaMemory", kCells, kPart);
  const auto gate = [&](const char* name) { return mapped(flat(g[name]), logit); };
  for (const bool muon : {false, true})
    g.holds(muon ? "o_muon" : "o", given<hw::Recurrence<hw::OmegaMemory>>(g, {0, 3, 4, 3, muon}, kHidden,
                                                                          {{"q", g["q"]},
                                                                           {"k", g["k"]},
                                                                           {"v", g["v"]},
                                                                           {"window", gate("gam")},
                                                                           {"alpha", gate("alpha")},
                                                                           {"eta", gate("eta")},
                                                                           {"theta", gate("theta")}},
                                                                          4));
  for (const char* state : {"final_state", "final_state_muon"}) g.leaves_out(state, kInState);
}

TEST(Mechanisms, ssm_lmu) {
  Golden g("ssm_lmu");
  g.expressed_by("LegendreMemory", kCells, kPart);
  Array memory{{7, 6}, {}}, x{{7, 8}, {}};
  for (index_t i = 0; i < 7; ++i)
    for (index_t j = 0; j < 14; ++j) (j < 6 ? memory : x).values.push_back(g["w_h"][i * 14 + j]);
  const hw::Build b = g.build({{"u.weight", g["w_u"]},
                               {"u.bias", g["b_u"]},
                               {"x.weight", x},
                               {"x.bias", g["b_h"]},
                               {"memory", memory},
                               {"o.weight", picking(7, 8, 0).permuted({1, 0})}});
  const hw::Recurrence<hw::LegendreMemory> part({.hidden_size = 8, .width = 7, .order = 6, .theta = 8}, b);
  g.holds("h", columns(run(part, b, g["x"]), 0, 7));
  for (const char* inner : {"m", "Ab", "Bb"}) g.leaves_out(inner, "the part's own");
}

TEST(Mechanisms, lin_performer_favor) {
  Golden g("lin_performer_favor");
  g.expressed_by("FeatureAttention", kFeatures, kPart);
  g.expressed_by("PositiveRandomFeatures", kFeatures, kPart);
  const Array o = given<hw::FeatureAttention<hw::PositiveRandomFeatures>>(
      g, {0, 2, 5, 4, {8}}, kHidden, {{"q", joined(g["q"])}, {"k", joined(g["k"])}, {"v", joined(g["v"])}}, 8, {{"projection", g["proj"]}});
  g.holds("o", heads_of(o, 2));
  for (const char* inner : {"phi_q", "phi_k"}) g.leaves_out(inner, "summed up where they are made");
  g.leaves_out("o_causal", "its keys' maximum looks ahead");
}

TEST(Mechanisms, lin_random_fourier) {
  Golden g("lin_random_fourier");
  g.expressed_by("FeatureAttention", kFeatures, kPart);
  g.expressed_by("SpectralFeatures", kFeatures, kPart);
  for (const bool positive : {false, true}) {
    const Array o = given<hw::FeatureAttention<hw::SpectralFeatures>>(
        g, {0, 2, 5, 4, {6, 2, positive}}, kHidden, {{"q", joined(g["q"])}, {"k", joined(g["k"])}, {"v", joined(g["v"])}}, 8,
        {{"mean", g["mu"]}, {"deviation", g["sigma"]}, {"noise", g["noise"]}});
    g.holds(positive ? "o_prf" : "o_rks", heads_of(o, 2));
  }
}

TEST(Mechanisms, ssm_hyena) {
  Golden g("ssm_hyena");
  g.expressed_by("Hyena", "mixers/sequence_mixers.hpp", kPart);
  const hw::Build b = g.build({{"in.weight", g["w_in"]},
                               {"conv.weight", g["short_w"]},
                               {"conv.bias", g["short_b"]},
                               {"filter", g["filt"].reshaped({12, 11})},
                               {"rate", g["rate"]},
                               {"shift", g["shift"]},
                               {"bias", g["bias"]},
                               {"o.weight", g["w_out"]}});
  g.holds("y", run(hw::Hyena({.hidden_size = 6, .window = 11}, b), b, g["x"]));
  g.leaves_out("h", "the part's own");
  g.leaves_out("y_safari", "another order of the same");
}

}  // namespace
