// Recurrences: every part is run at once, and in steps of one and of three rows, with the same bits.

#include <cmath>

#include "headwise/mixers/linear_attention/cells.hpp"
#include "headwise/mixers/linear_attention/linear_attention.hpp"
#include "headwise/mixers/linear_attention/rules.hpp"
#include "headwise/mixers/rwkv/rwkv4.hpp"
#include "headwise/mixers/ssm/rg_lru.hpp"
#include "headwise/mixers/ssm/selective_ssm.hpp"
#include "headwise/mixers/ssm/ssd.hpp"
#include "tests/mechanisms/given_attention.hpp"

namespace {

using namespace mechanism;

constexpr const char* kRules = "mixers/linear_attention/rules.hpp";
constexpr const char* kCells = "mixers/linear_attention/cells.hpp";
constexpr const char* kInState = "kept in the state";

Array mapped(Array a, double (*f)(double)) {
  for (float& v : a.values) v = static_cast<float>(f(v));
  return a;
}
double logit(double p) { return std::log(p / (1 - p)); }
double logit_of_exp(double log_p) { return log_p - std::log(-std::expm1(log_p)); }
double inverse_softplus_of_minus(double log_p) { return std::log(std::expm1(-log_p)); }

/// (b, H, t) as rows (b, t, H); (b, H, t, n) as (b, t, H n).
Array in_rows(const Array& a) { return joined(a.shape.size() == 3 ? a.reshaped({a.dim(0), a.dim(1), a.dim(2), 1}) : a); }

/// The outputs (b, t, width) of a part that is given the projections of its input: `parts` are rows of x, by the names of its weights.
template <class Part, class SetSize>
Array given(const Golden& g, typename Part::Config c, SetSize&& hidden_size, const std::vector<std::pair<std::string, Array>>& parts,
            index_t width, Weights further = {}) {
  std::vector<Array> rows;
  for (const auto& [name, part] : parts) rows.push_back(part);
  const Array x = beside(rows);
  const index_t d = std::max(x.shape.back(), width);
  index_t from = 0;
  for (const auto& [name, part] : parts) {
    further.emplace_back(name + ".weight", picking(part.shape.back(), d, from));
    from += part.shape.back();
  }
  further.emplace_back("o.weight", picking(width, d, 0).permuted({1, 0}));
  hidden_size(c) = d;
  const hw::Build b = g.build(further);
  return columns(run(Part(c, b), b, widened(x, d)), 0, width);
}

/// Rows before the first ones of x (b, t, n) of every sequence.
Array behind(const Array& before, const Array& x) {
  Array out{{x.dim(0), before.dim(1) + x.dim(1), x.dim(2)}, {}};
  for (index_t s = 0; s < x.dim(0); ++s)
    for (const Array* part : {&before, &x}) {
      const Array own = part->at(s);
      out.values.insert(out.values.end(), own.values.begin(), own.values.end());
    }
  return out;
}
/// The last t rows.
Array without_first(const Array& x, index_t n) {
  Array out{{x.dim(0), x.dim(1) - n, x.dim(2)}, {}};
  for (index_t s = 0; s < x.dim(0); ++s) {
    const Array own = x.at(s);
    out.values.insert(out.values.end(), own.values.begin() + n * x.dim(2), own.values.end());
  }
  return out;
}
/// What writes a state (b, H, k, v) into an empty one, row by row of it: keys that are unit vectors, values that are its rows.
Array unit_keys(const Array& state) {
  Array out = filled({state.dim(0), state.dim(2), state.dim(1) * state.dim(2)}, 0);
  for (index_t t = 0; t < out.view().rows; ++t)
    for (index_t h = 0; h < state.dim(1); ++h) out.view()(t, h * state.dim(2) + t % state.dim(2)) = 1;
  return out;
}
Array rows_of_state(const Array& state) { return joined(state); }

TEST(Mechanisms, lin_gla) {
  Golden g("lin_gla");
  g.expressed_by("GatedLinearRule", kRules, kPart);
  // Beside x: keys, values and a gate of their own, which write the initial state.
  const Array h0 = g["h0"];
  const index_t d = 12, n = 8, p = 12, wide = d + n + p + 1;
  Array before = beside({filled({2, 4, d}, 0), unit_keys(h0), rows_of_state(h0), filled({2, 4, 1}, 1)});
  const auto with = [&](const Array& w, index_t from) {  // also reads columns [from, from + rows) of x
    const index_t rows = w.dim(0);
    Array out = widened(w, wide);
    for (index_t i = 0; from > 0 && i < rows; ++i) out[i * wide + from + i] = 1;
    return out;
  };
  Array a1 = filled({4, wide}, 0), a2 = filled({8, 4}, 0);
  for (index_t i = 0; i < 3 * 12; ++i) a1[i / 12 * wide + i % 12] = g["w_a1"][i];
  a1[3 * wide + wide - 1] = 1;
  for (index_t i = 0; i < 8; ++i) {
    for (index_t j = 0; j < 3; ++j) a2[i * 4 + j] = g["w_a2"][i * 3 + j];
    a2[i * 4 + 3] = 200;  // keeps all
  }
  Array o = filled({wide, p}, 0);
  for (index_t i = 0; i < d * p; ++i) o[i] = g["w_o"][i];
  const hw::Build b = g.build({{"q.weight", with(g["w_q"], 0)},
                               {"k.weight", with(g["w_k"], d)},
                               {"v.weight", with(g["w_v"], d + n)},
                               {"gate.weight", with(g["w_r"], 0)},
                               {"a1.weight", a1},
                               {"a2.weight", a2},
                               {"a2.bias", g["b_a"]},
                               {"head_norm.weight", g["g"]},
                               {"o.weight", o}});
  const hw::LinearAttention<hw::GatedLinearRule> part({.size = {wide, 2, 4, 6}, .rank = 4}, b);
  const Array y = run(part, b, behind(before, beside({g["x"], filled({2, 9, wide - d}, 0)})));
  g.holds("y", columns(without_first(y, 4), 0, d));
  for (const char* inner : {"o", "a"}) g.leaves_out(inner, "before the norm, and the rule's own");
  g.leaves_out("final_state", kInState);
}

TEST(Mechanisms, lin_retnet) {
  Golden g("lin_retnet");
  g.expressed_by("RetentionRule", kRules, kPart);
  const hw::Build b =
      g.build({{"q.weight", g["w_q"]}, {"k.weight", g["w_k"]}, {"v.weight", g["w_v"]}, {"gate.weight", g["w_g"]}, {"o.weight", g["w_o"]}});
  const hw::LinearAttention<hw::RetentionRule> part({.size = {12, 3, 4, 5}, .rotary = {.dims = 4}}, b);
  g.holds("y", run(part, b, g["x"]));
  for (const char* inner : {"o", "o_chunk", "o_torchscale"}) g.leaves_out(inner, "before the norm");
  g.leaves_out("final_state", kInState);
}

constexpr auto kSize = [](auto& c) -> index_t& { return c.size.hidden_size; };
constexpr auto kHidden = [](auto& c) -> index_t& { return c.hidden_size; };

TEST(Mechanisms, lin_deltanet) {
  Golden g("lin_deltanet");
  g.expressed_by("DeltaRule", kRules, kPart);
  using Part = hw::LinearAttention<hw::DeltaRule<hw::kernels::Decay::none>>;
  const Part::Config c{.size = {0, 2, 5, 4}, .key_heads = 2, .activation = hw::Activation::silu};
  const Array o = given<Part>(
      g, c, kSize, {{"q", joined(g["q"])}, {"k", joined(g["k"])}, {"v", joined(g["v"])}, {"b", mapped(in_rows(g["beta"]), logit)}}, 8);
  g.holds("o", heads_of(o, 2));
  g.leaves_out("final_state", kInState);
}

TEST(Mechanisms, lin_gated_deltanet) {
  Golden g("lin_gated_deltanet");
  g.expressed_by("DeltaRule", kRules, kPart);
  using Part = hw::LinearAttention<hw::DeltaRule<hw::kernels::Decay::token>>;
  const Array h0 = g["h0"];
  Array two_heads = filled({2, 2, 5, 4}, 0);  // unit keys of the key heads
  const Array o = given<Part>(g, {.size = {0, 4, 5, 4}, .key_heads = 2}, kSize,
                              {{"q", behind(filled({2, 5, 10}, 1), joined(g["q"]))},
                               {"k", behind(unit_keys(two_heads), joined(g["k"]))},
                               {"v", behind(rows_of_state(h0), joined(g["v"]))},
                               {"b", behind(filled({2, 5, 4}, 50), in_rows(g["b"]))},
                               {"a", behind(filled({2, 5, 4}, -50), in_rows(g["a"]))}},
                              16, {{"a_log", g["A_log"]}, {"dt_bias", g["dt_bias"]}});
  g.holds("o", heads_of(without_first(o, 5), 4));
  g.leaves_out("final_state", kInState);
}

TEST(Mechanisms, lin_kda) {
  Golden g("lin_kda");
  g.expressed_by("DeltaRule", kRules, kPart);
  using Part = hw::LinearAttention<hw::DeltaRule<hw::kernels::Decay::key>>;
  const Array h0 = g["h0"];
  const Array o = given<Part>(g, {.size = {0, 2, 5, 4}, .key_heads = 2}, kSize,
                              {{"q", behind(filled({2, 5, 10}, 1), joined(g["q"]))},
                               {"k", behind(unit_keys(h0), joined(g["k"]))},
                               {"v", behind(rows_of_state(h0), joined(g["v"]))},
                               {"b", behind(filled({2, 5, 2}, 50), mapped(in_rows(g["beta"]), logit))},
                               {"a", behind(filled({2, 5, 10}, -50), mapped(joined(g["gl"]), inverse_softplus_of_minus))}},
                              8, {{"a_log", filled({2}, 0)}, {"dt_bias", filled({10}, 0)}});
  g.holds("o", heads_of(without_first(o, 5), 2));
  g.leaves_out("final_state", kInState);
}

TEST(Mechanisms, lin_delta_product) {
  Golden g("lin_delta_product");
  g.expressed_by("DeltaProductRule", kRules, kPart);
  using Part = hw::LinearAttention<hw::DeltaProductRule>;
  // (b, H, 2t, n) as rows (b, t, 2 H n)
  const auto twice = [](const Array& a, index_t n) {
    return a.reshaped({2, 2, 6, 2, n}).permuted({0, 2, 3, 1, 4}).reshaped({2, 6, 4 * n});
  };
  const Array o = given<Part>(g, {0, 2, 5, 4}, kHidden,
                              {{"q", joined(g["q"])},
                               {"k", twice(g["k"], 5)},
                               {"v", twice(g["v"], 4)},
                               {"b", mapped(twice(g["beta"], 1), [](double b) { return logit(b / 2); })},
                               {"a", mapped(in_rows(g["gl"]), logit_of_exp)}},
                              8);
  g.holds("o", heads_of(o, 2));
  g.leaves_out("final_state", kInState);
}

TEST(Mechanisms, lin_hgrn2) {
  Golden g("lin_hgrn2");
  g.expressed_by("Hgrn2Rule", kRules, kPart);
  const hw::Build b = g.build({{"q.weight", g["w_q"]},
                               {"f.weight", g["w_f"]},
                               {"v.weight", g["w_i"]},
                               {"lower", g["lb"]},
                               {"norm.weight", g["g"]},
                               {"o.weight", g["w_o"]}});
  g.holds("y", run(hw::LinearAttention<hw::Hgrn2Rule>({8, 2, 4, 4}, b), b, g["x"]));
  g.leaves_out("h1", "HGRN1");
  g.leaves_out("final_state", kInState);
}

TEST(Mechanisms, lin_elu1) {
  Golden g("lin_elu1");
  g.expressed_by("EluRule", kRules, kPart);
  const Array o = given<hw::LinearAttention<hw::EluRule>>(g, {0, 2, 5, 4}, kHidden,
                                                          {{"q", joined(g["q"])}, {"k", joined(g["k"])}, {"v", joined(g["v"])}}, 8);
  g.holds("o", heads_of(o, 2));
  for (const char* kept : {"final_state", "z"}) g.leaves_out(kept, kInState);
  g.leaves_out("o_noncausal", "a state looks back");
}

TEST(Mechanisms, lin_rwkv4) {
  Golden g("lin_rwkv4");
  g.expressed_by("RwkvTimeMix", "mixers/rwkv/rwkv4.hpp", kStock);
  const hw::Build b = g.build({{"receptance.weight", g["w_r"]},
                               {"key.weight", g["w_k"]},
                               {"value.weight", g["w_v"]},
                               {"output.weight", g["w_o"]},
                               {"decay", g["decay"]},
                               {"first", g["u"]},
                               {"mix_receptance", g["mu_r"]},
                               {"mix_key", g["mu_k"]},
                               {"mix_value", g["mu_v"]}});
  g.holds("y", run(hw::RwkvTimeMix({.hidden_size = 8, .attention_hidden_size = 8}, b), b, g["x"]));
  g.leaves_out("wkv", "before the gate");
}

TEST(Mechanisms, ssm_mamba1) {
  Golden g("ssm_mamba1");
  g.expressed_by("SelectiveSsm", "mixers/ssm/selective_ssm.hpp", kStock);
  const hw::Build b = g.build({{"in.weight", g["w_in"]},
                               {"conv.weight", g["conv_w"]},
                               {"conv.bias", g["conv_b"]},
                               {"x.weight", g["w_x"]},
                               {"dt.weight", g["w_dt"]},
                               {"dt.bias", g["b_dt"]},
                               {"a_log", g["A_log"]},
                               {"d_skip", g["D"]},
                               {"out.weight", g["w_out"]}});
  g.holds("y", run(hw::SelectiveSsm({.hidden_size = 8, .inner_size = 16, .state_size = 4, .dt_rank = 3}, b), b, g["x"]));
  g.leaves_out("dt", "the part's own");
  g.leaves_out("final_state", kInState);
}

TEST(Mechanisms, ssm_mamba_jamba) {
  Golden g("ssm_mamba_jamba");
  g.expressed_by("SelectiveSsm", "mixers/ssm/selective_ssm.hpp", kStock);
  const hw::Build b = g.build({{"in.weight", g["w_in"]},
                               {"conv.weight", g["conv_w"]},
                               {"conv.bias", g["conv_b"]},
                               {"x.weight", g["w_x"]},
                               {"dt.weight", g["w_dt"]},
                               {"dt.bias", g["b_dt"]},
                               {"a_log", g["A_log"]},
                               {"d_skip", g["D"]},
                               {"out.weight", g["w_out"]},
                               {"dt_norm.weight", g["g_dt"]},
                               {"b_norm.weight", g["g_b"]},
                               {"c_norm.weight", g["g_c"]}});
  const hw::SelectiveSsm::Config c{
      .hidden_size = 8, .inner_size = 16, .state_size = 4, .dt_rank = 3, .inner_norms = true, .norm_eps = 1e-5f};
  g.holds("y", run(hw::SelectiveSsm(c, b), b, g["x"]));
  g.leaves_out("dt", "the part's own");
  g.leaves_out("final_state", kInState);
}

TEST(Mechanisms, ssm_mamba2) {
  Golden g("ssm_mamba2");
  g.expressed_by("Ssd", "mixers/ssm/ssd.hpp", kStock);
  const hw::Build b = g.build({{"in.weight", g["w_in"]},
                               {"conv.weight", g["conv_w"]},
                               {"conv.bias", g["conv_b"]},
                               {"dt_bias", g["dt_bias"]},
                               {"a_log", g["A_log"]},
                               {"d_skip", g["D"]},
                               {"gate_norm.weight", g["g"]},
                               {"out.weight", g["w_out"]}});
  const hw::Ssd::Config c{.hidden_size = 8, .heads = 4, .head_dim = 4, .groups = 2, .state_size = 3, .norm_groups = 2};
  g.holds("y", run(hw::Ssd(c, b), b, g["x"]));
  g.leaves_out("final_state", kInState);
}

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
