// Recurrences of cells that state one token.

#include "tests/mechanisms/recurrences.hpp"
#include "headwise/mixers/linear_attention/cells.hpp"
#include "headwise/mixers/ssm/rg_lru.hpp"

namespace {

using namespace mechanism;

constexpr const char* kCells = "mixers/linear_attention/cells.hpp";

TEST(Mechanisms, lin_rglru) {
  Golden g("lin_rglru");
  g.expressed_by("RgLru", "mixers/ssm/rg_lru.hpp", kStock);
  Weights weights{{"x.weight", identity(8)},  // no convolution, no gate
                  {"x.bias", filled({8}, 0)},      {"conv.weight", filled({8, 1}, 1)}, {"conv.bias", filled({8}, 0)},
                  {"y.weight", filled({8, 8}, 0)}, {"y.bias", filled({8}, 1)},         {"lambda", g["lam"]},
                  {"o.weight", identity(8)},       {"o.bias", filled({8}, 0)}};
  for (index_t h = 0; h < 2; ++h)
    for (const std::string gate : {"r", "i"}) {
      weights.emplace_back(gate + "." + std::to_string(h) + ".weight", g["w_" + gate].at(h).permuted({1, 0}));
      weights.emplace_back(gate + "." + std::to_string(h) + ".bias", g["b_" + gate].at(h));
    }
  const hw::Build b = g.build(weights);
  const hw::RgLru::Config c{.hidden_size = 8, .width = 8, .heads = 2, .kernel_size = 1, .activation = hw::Activation::identity};
  g.holds("h", run(hw::RgLru(c, b), b, g["x"]));
  g.leaves_out("a", "the part's own");
}

TEST(Mechanisms, lin_mingru_minlstm) {
  Golden g("lin_mingru_minlstm");
  g.expressed_by("MinimalCell", kCells, kPart);
  const hw::Build gru = g.build({{"h.weight", g["w_h"]}, {"z.weight", g["w_z"]}, {"o.weight", identity(8)}});
  g.holds("h_gru", run(hw::Recurrence<hw::MinimalCell>({.hidden_size = 8, .size = 8}, gru), gru, g["x"]));
  const hw::Build lstm = g.build({{"h.weight", g["w_c"]}, {"f.weight", g["w_f"]}, {"i.weight", g["w_i"]}, {"o.weight", identity(8)}});
  g.holds("h_lstm", run(hw::Recurrence<hw::MinimalCell>({.hidden_size = 8, .size = 8, .two_gates = true}, lstm), lstm, g["x"]));
}

TEST(Mechanisms, lin_paragru) {
  Golden g("lin_paragru");
  g.expressed_by("ParaGru", kCells, kPart);
  Weights weights{{"o.weight", identity(6)}};
  for (const std::string name : {"z", "r", "h"}) {
    const Array blocks = g["B_" + name];
    Array w = filled({6, 6}, 0);
    for (index_t i = 0; i < 6; ++i)
      for (index_t j = 0; j < 3; ++j) w[i * 6 + i / 3 * 3 + j] = blocks[i * 3 + j];
    weights.insert(weights.end(), {{name + ".weight", w}, {name + ".bias", g["b_" + name]}, {"a_" + name, g["a_" + name]}});
  }
  const hw::Build b = g.build(weights);
  g.holds("h", run(hw::Recurrence<hw::ParaGru>({.hidden_size = 6, .size = 6}, b), b, g["x"]));
  for (const char* iterate : {"h_newton1", "h_newton3"}) g.leaves_out(iterate, "token by token is exact");
}

TEST(Mechanisms, lin_xlstm) {
  Golden g("lin_xlstm");
  g.expressed_by("Slstm", kCells, kPart);
  Weights weights;
  for (const auto& [name, golden] : {std::pair("r_z", "R_z"), {"r_i", "R_i"}, {"r_f", "R_f"}, {"r_out", "R_o"}})
    weights.emplace_back(name, g[golden].reshaped({6, 3}));
  const auto size = [](auto& c) -> index_t& { return c.hidden_size; };
  g.holds("h_slstm", given<hw::Recurrence<hw::Slstm>>(g, {.size = 6, .blocks = 2}, size,
                                                      {{"z", g["zx"]}, {"i", g["ix"]}, {"f", g["fx"]}, {"out", g["ox"]}}, 6, weights));
  for (const char* of_mlstm : {"h_mlstm", "m"}) g.leaves_out(of_mlstm, "mixers/xlstm/mlstm.hpp goes on to the norm");
}

TEST(Mechanisms, lin_rwkv7) {
  Golden g("lin_rwkv7");
  g.expressed_by("Rwkv7", kCells, kPart);
  const Array o = given<hw::Recurrence<hw::Rwkv7>>(g, {0, 2, 5, 4}, kHidden,
                                                   {{"r", joined(g["q"])},
                                                    {"k", joined(g["k"])},
                                                    {"w", mapped(joined(g["w"]), logit_of_exp)},
                                                    {"kappa", joined(g["kappa"])},
                                                    {"a", mapped(joined(g["eta"]), logit)},
                                                    {"v", joined(g["v"])}},
                                                   8);
  g.holds("o", heads_of(o, 2));
  g.leaves_out("final_state", kInState);
}

TEST(Mechanisms, lin_comba_longhorn) {
  Golden g("lin_comba_longhorn");
  g.expressed_by("Comba", kCells, kPart);
  g.expressed_by("Longhorn", kCells, kPart);
  for (const bool corrected : {false, true}) {
    const Array o = given<hw::Recurrence<hw::Comba>>(g, {0, 2, 5, 4}, kHidden,
                                                     {{"q", joined(g["q"])},
                                                      {"k", joined(g["k"])},
                                                      {"p", joined(g["p"])},
                                                      {"v", joined(g["v"])},
                                                      {"a", mapped(in_rows(g["gl"]), logit_of_exp)},
                                                      {"b", mapped(in_rows(g["beta"]), logit)}},
                                                     8, {{"correction", corrected ? g["dcor"] : filled({2}, 0)}});
    g.holds(corrected ? "o_corr" : "o", heads_of(o, 2));
  }
  const Array o = given<hw::Recurrence<hw::Longhorn>>(g, {0, 2, 5, 4}, kHidden,
                                                      {{"q", joined(g["q"])},
                                                       {"k", joined(g["k"])},
                                                       {"v", joined(g["v"])},
                                                       {"b", mapped(joined(g["betac"]), [](double b) { return std::log(b); })}},
                                                      8);
  g.holds("o_longhorn", heads_of(o, 2));
  for (const char* state : {"final_state", "state_longhorn"}) g.leaves_out(state, kInState);
}

TEST(Mechanisms, lin_titans_memory) {
  Golden g("lin_titans_memory");
  g.expressed_by("TitansMemory", kCells, kPart);
  const Array o = given<hw::Recurrence<hw::TitansMemory>>(g, {0, 2, 5, 4}, kHidden,
                                                          {{"q", joined(g["q"])},
                                                           {"k", joined(g["k"])},
                                                           {"v", joined(g["v"])},
                                                           {"eta", mapped(in_rows(g["eta"]), logit)},
                                                           {"theta", mapped(in_rows(g["theta"]), logit)},
                                                           {"alpha", mapped(in_rows(g["alpha"]), logit)}},
                                                          8);
  g.holds("o", heads_of(o, 2));
  for (const char* state : {"final_state", "final_momentum"}) g.leaves_out(state, kInState);
}

TEST(Mechanisms, lin_gsa) {
  Golden g("lin_gsa");
  g.expressed_by("GatedSlots", kCells, kPart);
  const auto rows = [](const Array& a) { return a.reshaped({2, 8, a.dim(2) * a.dim(3)}); };
  const Array o = given<hw::Recurrence<hw::GatedSlots>>(
      g, {0, 2, 5, 4, 3}, kHidden,
      {{"q", rows(g["q"])}, {"k", rows(g["k"])}, {"v", rows(g["v"])}, {"f", mapped(rows(g["gl"]), logit_of_exp)}}, 8);
  g.holds("o", o);
  for (const char* state : {"hk", "hv"}) g.leaves_out(state, kInState);
  g.leaves_out("p", "summed up where they are made");
}

TEST(Mechanisms, lin_gateloop) {
  Golden g("lin_gateloop");
  g.expressed_by("GateLoop", kCells, kPart);
  const Array o = given<hw::Recurrence<hw::GateLoop>>(
      g, {0, 2, 5, 4}, kHidden,
      {{"q", joined(g["q"])}, {"k", joined(g["k"])}, {"magnitude", joined(g["am"])}, {"phase", joined(g["ap"])}, {"v", joined(g["v"])}}, 8);
  g.holds("o", heads_of(o, 2));
  for (const char* state : {"state_re", "state_im"}) g.leaves_out(state, kInState);
}

}  // namespace
