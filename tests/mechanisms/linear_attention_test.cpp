// Recurrences that the kernels' scans compute.

#include "headwise/mixers/linear_attention/linear_attention.hpp"
#include "headwise/mixers/linear_attention/rules.hpp"
#include "headwise/mixers/rwkv/rwkv4.hpp"
#include "headwise/mixers/ssm/selective_ssm.hpp"
#include "headwise/mixers/ssm/ssd.hpp"
#include "tests/mechanisms/recurrences.hpp"

namespace {

using namespace mechanism;

constexpr const char* kRules = "mixers/linear_attention/rules.hpp";

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

TEST(Mechanisms, lin_transnormer) {
  Golden g("lin_transnormer");
  g.expressed_by("TransNormerRule", kRules, kPart);
  const hw::Build b = g.build({{"q.weight", g["w_q"]},
                               {"k.weight", g["w_k"]},
                               {"v.weight", g["w_v"]},
                               {"gate.weight", g["w_u"]},
                               {"theta", g["theta"].reshaped({16})},
                               {"o.weight", g["w_o"]}});
  g.holds("y", run(hw::LinearAttention<hw::TransNormerRule>({16, 4, 4, 1, 4}, b), b, g["x"]));
  g.leaves_out("o", "before the norm");
  g.leaves_out("final_state", kInState);
  for (const char* other : {"o_norm", "o_norm_head", "o_diag"}) g.leaves_out(other, "TransNormer, the paper before");
}

}  // namespace
