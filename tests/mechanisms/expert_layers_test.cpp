// Layers whose experts are not chosen before they begin.

#include "headwise/headwise.hpp"
#include "headwise/mixers/attention/mixture_of_heads.hpp"
#include "headwise/moe/layer_variants.hpp"
#include "headwise/moe/moe.hpp"
#include "tests/mechanisms/given_attention.hpp"

namespace {

using namespace mechanism;

constexpr const char* kHeader = "moe/layer_variants.hpp";

TEST(Mechanisms, moe_autonomy_of_experts) {
  Golden g("moe_autonomy_of_experts");
  g.expressed_by("NormRouter", kHeader, kPart);
  Weights weights{{"router.weight", g["wd"].reshaped({15, 10})}};
  for (index_t e = 0; e < 5; ++e) {
    Array gate = filled({7, 10}, 0);
    for (index_t i = 0; i < 70; ++i)
      for (index_t r = 0; r < 3; ++r) gate[i] += g["wu"].at(e)[i / 10 * 3 + r] * g["wd"].at(e)[r * 10 + i % 10];
    const std::string scope = "experts." + std::to_string(e) + ".";
    weights.insert(weights.end(),
                   {{scope + "gate.weight", gate}, {scope + "up.weight", g["w3"].at(e)}, {scope + "down.weight", g["w2"].at(e)}});
  }
  const hw::Build b = g.build(weights);
  using M = hw::Moe<hw::NormRouter>;
  const M moe({.router = {10, 5, 3, 2}, .experts = {std::vector<hw::GatedMlp::Config>(5, {10, 7, hw::Activation::silu})}}, b);
  g.holds("y", run(moe, b, g["x"]));
  std::vector<std::int64_t> idx;
  Array w{{2, 8, 2}, {}}, x = g["x"];
  Rows(2, 8).frame(b, x, 0, 8, [&](const hw::Frame& f) {
    const hw::Plan plan = moe.router().route({f.at({}), f});
    idx.assign(plan.item.begin(), plan.item.end());
    w.values.assign(plan.w_out.begin(), plan.w_out.end());
  });
  g.holds("idx", idx);
  g.holds("weights", w);
  g.leaves_out("norms", "a router gives its plan");
}

TEST(Mechanisms, moe_monet_hde) {
  Golden g("moe_monet_hde");
  g.expressed_by("Monet", kHeader, kPart);
  const hw::Build b = g.build({{"r1.weight", g["w_r1"].reshaped({8, 8})},
                               {"r2.weight", g["w_r2"].reshaped({8, 8})},
                               {"threshold", beside({g["th1"].reshaped({1, 2}), g["th2"].reshaped({1, 2})}).reshaped({4})},
                               {"u.weight", g["U"].reshaped({20, 8})},
                               {"u.bias", g["c"].reshaped({20})},
                               {"v", g["V"].reshaped({32, 5})},
                               {"b", g["bb"].reshaped({32})}});
  g.holds("y", run(hw::Monet({.hidden_size = 8, .heads = 2, .halves = 4, .size = 5}, b), b, g["x"]));
  for (const char* gates : {"g1", "g2"}) g.leaves_out(gates, "the layer's own");
}

TEST(Mechanisms, moe_stratified) {
  Golden g("moe_stratified");
  g.expressed_by("StratifiedExperts", kHeader, kPart);
  const hw::Build b = g.build({{"gates", g["w_g"].reshaped({18, 10})},
                               {"norm.weight", g["g"].reshaped({30})},
                               {"norm.bias", g["b"].reshaped({30})},
                               {"up", g["w1"].reshaped({42, 10})},
                               {"down", g["w2"].reshaped({60, 7})}});
  Array y = run(hw::StratifiedExperts({.hidden_size = 10, .num_experts = 6, .strata = 3, .intermediate_size = 7}, b), b, g["x"]);
  for (index_t i = 0; i < static_cast<index_t>(y.values.size()); ++i) y[i] += g["x"][i];
  g.holds("y", y);
  g.leaves_out("path", "the layer's own");
}

TEST(Mechanisms, moe_domain_adapters) {
  Golden g("moe_domain_adapters");
  g.expressed_by("DomainAdapters", kHeader, kPart);
  Weights weights{
      {"up.weight", g["w1"]}, {"up.bias", g["b1"]}, {"down.weight", g["w2"]}, {"down.bias", g["b2"]}, {"gate.weight", g["w_g"]}};
  for (index_t a = 0; a < 2; ++a) {
    const std::string scope = "adapters." + std::to_string(a) + ".";
    weights.insert(weights.end(), {{scope + "down.weight", g["da"].at(a)},
                                   {scope + "down.bias", g["ca"].at(a)},
                                   {scope + "up.weight", g["ea"].at(a)},
                                   {scope + "up.bias", g["cb"].at(a)}});
  }
  const hw::Build b = g.build(weights);
  g.holds("y", run(hw::DomainAdapters({10, 14, 2, 4}, b), b, g["x"]));
  g.leaves_out("gate", "multiplied where it is made");
  for (const char* name : {"gate_released", "y_released"}) g.leaves_out(name, "a gate that reads the sequence's last token");
}

TEST(Mechanisms, moe_mixture_of_head_attention) {
  Golden g("moe_mixture_of_head_attention");
  g.expressed_by("MixtureOfHeads", "mixers/attention/mixture_of_heads.hpp", kPart);
  using A = hw::Attention<hw::Causal, hw::MixtureOfHeads<hw::QkvProjection>>;
  const hw::Build b = g.build({{"q.weight", g["w_q"]},
                               {"k.weight", g["w_k"]},
                               {"v.weight", g["w_v"]},
                               {"o.weight", g["w_o"]},
                               {"groups.weight", g["w_h"]},
                               {"shared.weight", g["w_s"]},
                               {"routed.weight", g["w_r"]}});
  A::Config c;
  c.project.hidden_size = 12, c.project.head_dim = 2;
  c.project.num_attention_heads = c.project.num_key_value_heads = 6;
  c.project.shared = c.project.top_k = 2;
  g.holds("y", run(A(c, b), b, g["x"]));
  for (const char* inner : {"gate", "idx"}) g.leaves_out(inner, "multiplied where it is made");
  for (const char* name : {"gate_released", "y_released"}) g.leaves_out(name, "another scale of the same gates");
}

}  // namespace
