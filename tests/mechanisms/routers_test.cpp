// The stock router, and routers that choose by a row's logits: a policy of a few lines.

#include "tests/mechanisms/routers.hpp"
#include "headwise/headwise.hpp"
#include "headwise/moe/router_policies.hpp"

namespace {

using namespace mechanism;

constexpr const char* kPolicies = "moe/router_policies.hpp";

// The stock router over gated experts.
void stock(const std::string& name, hw::TopKRouter::Config router, bool shared) {
  Golden g(name);
  g.expressed_by("TopKRouter", "moe/router.hpp", kStock);
  g.expressed_by("Moe", "moe/moe.hpp", kStock);
  using M = hw::Moe<hw::TopKRouter>;
  router.hidden_size = g["x"].dim(2);
  router.num_experts = g["w1"].dim(0);
  M::Config c{.router = router, .experts = {sizes<hw::GatedMlp>(g, hw::Activation::silu)}};
  Weights weights = and_more(experts(g, true), {{"router.weight", g["w_router"]}});
  if (router.choice_bias) weights.emplace_back("router.choice_bias", g["bias"]);
  const hw::Build b = g.build(weights);
  const M routed(c, b);
  const Array y = run(routed, b, g["x"]);
  if (shared) {
    g.holds("y_routed", y);
    c.shared = hw::GatedMlp::Config{router.hidden_size, g["ws1"].dim(0)};
    const hw::Build all = g.build(with_shared(g, weights));
    g.holds("y", run(M(c, all), all, g["x"]));
  } else {
    g.holds("y", y);
  }
  const Chosen chosen = route(routed.router(), b, g["x"], router.top_k);
  if (!router.choice_bias) {
    g.holds("idx", chosen.idx);
    g.holds("weights", chosen.weights);
  } else {
    Array gates = filled({g["x"].dim(0), g["x"].dim(1), router.num_experts}, 0);
    for (std::size_t i = 0; i < chosen.idx.size(); ++i)
      gates[static_cast<index_t>(i) / router.top_k * router.num_experts + chosen.idx[i]] = chosen.weights.values[i];
    g.holds("gates", gates);
    g.leaves_out("idx", "the order is that of the biased scores, which the plan has not; gates say which");
    g.leaves_out("weights", "as idx");
  }
  if (router.groups > 1) g.leaves_out("groups", "a plan has experts only");
  g.leaves_out("logits", kNoLogits);
}

TEST(Mechanisms, moe_topk_softmax) { stock("moe_topk_softmax", {.top_k = 2}, false); }
TEST(Mechanisms, moe_softmax_topk_raw) { stock("moe_softmax_topk_raw", {.top_k = 3, .renormalise = false}, true); }
TEST(Mechanisms, moe_group_limited_softmax) {
  stock("moe_group_limited_softmax", {.top_k = 3, .renormalise = false, .scale = 1.5f, .groups = 4, .top_groups = 2}, false);
}
TEST(Mechanisms, moe_sigmoid_bias_groups) {
  stock("moe_sigmoid_bias_groups",
        {.top_k = 3,
         .score = hw::RouterScore::sigmoid,
         .scale = 2.5f,
         .choice_bias = true,
         .groups = 4,
         .top_groups = 2,
         .group_pairs = true},
        true);
}

// A policy over experts relu(x w1^T) w2^T, or gated ones.
template <class P, class E = hw::Mlp>
struct Policy {
  using M = hw::Moe<hw::RowRouter<P>, E>;
  Policy(Golden& g, typename P::Config policy, Array router, hw::Activation activation, index_t num_experts = 0)
      : g(g),
        b(g.build(and_more(experts(g, std::same_as<E, hw::GatedMlp>), {{"router.weight", router}}))),
        moe(config(policy, activation, num_experts), b) {}
  typename M::Config config(typename P::Config policy, hw::Activation activation, index_t num_experts) const {
    const auto all = sizes<E>(g, activation);
    return {.router = {g["x"].dim(2), num_experts > 0 ? num_experts : static_cast<index_t>(all.size()), policy}, .experts = {all}};
  }
  Array y() const { return run(moe, b, g["x"]); }
  Chosen chosen(index_t most) const { return route(moe.router(), b, g["x"], most); }
  Golden& g;
  hw::Build b;
  M moe;
};

TEST(Mechanisms, moe_remoe_relu) {
  Golden g("moe_remoe_relu");
  g.expressed_by("ReluExperts", kPolicies, kPart);
  const Policy<hw::ReluExperts, hw::GatedMlp> p(g, {}, g["w_router"], hw::Activation::silu);
  g.holds("y", p.y());
  const Chosen chosen = p.chosen(6);
  g.holds("idx", chosen.idx);
  g.holds("weights", chosen.weights);
  g.holds("count", count_of(chosen));
  g.leaves_out("logits", kNoLogits);
}

TEST(Mechanisms, moe_evomoe_dense_to_sparse) {
  Golden g("moe_evomoe_dense_to_sparse");
  g.expressed_by("ThresholdExperts", kPolicies, kPart);
  const Policy<hw::ThresholdExperts> p(g, {.temperature = 0.5f, .threshold = 0.05f}, g["w_router"], hw::Activation::relu);
  g.holds("y", p.y());
  const Chosen chosen = p.chosen(6);
  g.holds("idx", chosen.idx);
  g.holds("weights", chosen.weights);
  g.holds("count", count_of(chosen));
  const Policy<hw::ThresholdExperts> hard(g, {.temperature = 0.5f, .hard = true}, g["w_router"], hw::Activation::relu);
  g.holds("y_hard", hard.y());
  g.leaves_out("logits", kNoLogits);
}

TEST(Mechanisms, moe_base_stable) {
  Golden g("moe_base_stable");
  g.expressed_by("BestBySigmoid", kPolicies, kPart);
  const Policy<hw::BestBySigmoid> p(g, {}, g["w_router"], hw::Activation::relu);
  g.holds("y", p.y());
  const Chosen chosen = p.chosen(1);
  g.holds("idx", chosen.idx);
  g.holds("weights", chosen.weights);
  g.leaves_out("logits", kNoLogits);
  g.leaves_out("idx_stable", "routing by word embeddings of its own is not here");
  g.leaves_out("y_stable", "as idx_stable");
}

TEST(Mechanisms, moe_adamoe_null) {
  Golden g("moe_adamoe_null");
  g.expressed_by("NullExperts", kPolicies, kPart);
  const Policy<hw::NullExperts> p(g, {.top_k = 4, .nulls = 4}, g["w_router"], hw::Activation::relu, 8);
  g.holds("y", p.y());
  g.holds("count", count_of(p.chosen(4)));
  g.leaves_out("idx", "a plan has no places for experts that compute nothing");
  g.leaves_out("weights", "as idx");
  g.leaves_out("raw_idx", "as idx");
  g.leaves_out("logits", kNoLogits);
}

TEST(Mechanisms, moe_bilevel_smile) {
  Golden g("moe_bilevel_smile");
  g.expressed_by("NodeThenExpert", kPolicies, kPart);
  Array router{{8, 10}, g["w_n"].values};
  const Array of_experts = g["w_e"];
  router.values.insert(router.values.end(), of_experts.values.begin(), of_experts.values.end());
  const Policy<hw::NodeThenExpert> p(g, {.nodes = 2}, router, hw::Activation::relu);
  g.holds("y", p.y());
  const Chosen chosen = p.chosen(1);
  g.holds("idx", chosen.idx);
  g.holds("weights", chosen.weights);
}

TEST(Mechanisms, moe_second_expert_rules) {
  Golden g("moe_second_expert_rules");
  g.expressed_by("SecondAbove", kPolicies, kPart);
  const Policy<hw::SecondAbove, hw::GatedMlp> p(g, {.threshold = 0.3f}, g["w_router"], hw::Activation::gelu);
  g.holds("y", p.y());
  g.holds("idx", p.chosen(2).idx);
  for (const char* name : {"y_mc", "idx_mc"}) g.leaves_out(name, "the importance of tokens comes from outside of the layer");
  for (const char* name : {"y_random", "idx_random"}) g.leaves_out(name, "drawn: headwise's forward draws nothing");
}

}  // namespace
