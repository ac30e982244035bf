// Routers, and the experts behind them.

#include <numeric>

#include "headwise/blocks/parallel.hpp"
#include "headwise/headwise.hpp"
#include "headwise/mixers/attention/routed_attention.hpp"
#include "headwise/moe/moe.hpp"
#include "headwise/moe/router_policies.hpp"
#include "headwise/moe/router_variants.hpp"
#include "tests/mechanisms/golden_mechanism.hpp"

namespace {

using namespace mechanism;
using Weights = std::vector<std::pair<std::string, Array>>;

constexpr const char* kPolicies = "moe/router_policies.hpp";
constexpr const char* kVariants = "moe/router_variants.hpp";

// Experts (E, f, d), (E, d, f), and gated ones: under the names that a bank asks for.
Weights experts(const Golden& g, bool gated, index_t count = 0) {
  Weights out;
  for (index_t e = 0; e < (count > 0 ? count : g["w1"].dim(0)); ++e) {
    const std::string scope = "experts." + std::to_string(e) + ".";
    out.emplace_back(scope + (gated ? "gate.weight" : "up.weight"), g["w1"].at(e));
    if (gated) out.emplace_back(scope + "up.weight", g["w3"].at(e));
    out.emplace_back(scope + "down.weight", g["w2"].at(e));
  }
  return out;
}
Weights with_shared(const Golden& g, Weights out) {
  out.insert(out.end(), {{"shared.gate.weight", g["ws1"]}, {"shared.up.weight", g["ws3"]}, {"shared.down.weight", g["ws2"]}});
  return out;
}
Weights and_more(Weights out, const Weights& more) {
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

// The experts' sizes, from w1.
template <class E>
std::vector<typename E::Config> sizes(const Golden& g, hw::Activation activation) {
  const Array w1 = g["w1"];
  return std::vector<typename E::Config>(static_cast<std::size_t>(w1.dim(0)), {w1.dim(2), w1.dim(1), activation});
}

struct Chosen {
  std::vector<std::int64_t> idx;
  Array weights;
};

// A plan as the goldens write it: best first, filled up with -1.
template <class R>
Chosen route(const R& router, const hw::Build& b, const Array& x, index_t most, const Rows* given = nullptr) {
  const Rows rows = given != nullptr ? *given : Rows(x.dim(0), x.dim(1));
  Chosen out{{}, {{x.dim(0), x.dim(1), most}, {}}};
  Array stream = x;
  rows.frame(b, stream, 0, rows.tokens(), [&](const hw::Frame& f) {
    const hw::Plan plan = router.route({f.at({}), f});
    for (index_t r = 0; r < plan.rows(); ++r) {
      std::vector<std::pair<float, int>> items;
      for (int i = plan.begin[static_cast<std::size_t>(r)]; i < plan.begin[static_cast<std::size_t>(r) + 1]; ++i)
        items.emplace_back(-plan.w_out[static_cast<std::size_t>(i)], plan.item[static_cast<std::size_t>(i)]);
      std::sort(items.begin(), items.end());
      items.resize(static_cast<std::size_t>(most), {0.0f, -1});
      for (const auto& [w, e] : items) {
        out.idx.push_back(e);
        out.weights.values.push_back(-w);
      }
    }
  });
  return out;
}
std::vector<std::int64_t> count_of(const Chosen& c) {
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < c.idx.size(); i += static_cast<std::size_t>(c.weights.shape.back()))
    out.push_back(std::count_if(c.idx.begin() + static_cast<std::ptrdiff_t>(i),
                                c.idx.begin() + static_cast<std::ptrdiff_t>(i) + c.weights.shape.back(), [](auto e) { return e >= 0; }));
  return out;
}

const char* const kNoLogits = "a router gives its plan, not its logits";

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

// A router with weights of its own over experts relu(x w1^T) w2^T.
template <class R>
struct Routed {
  using M = hw::Moe<R, hw::Mlp>;
  Routed(Golden& g, typename R::Config router, const Weights& weights, bool shared = false)
      : g(g),
        b(g.build(shared ? with_shared(g, and_more(experts(g, false), weights)) : and_more(experts(g, false), weights))),
        moe({.router = router, .experts = {sizes<hw::Mlp>(g, hw::Activation::relu)}}, b) {}
  Array y(const Rows* rows = nullptr) const { return run(moe, b, g["x"], 0, rows); }
  Chosen chosen(index_t most, const Rows* rows = nullptr) const { return route(moe.router(), b, g["x"], most, rows); }
  Golden& g;
  hw::Build b;
  M moe;
};

TEST(Mechanisms, moe_xmoe_cosine) {
  Golden g("moe_xmoe_cosine");
  g.expressed_by("CosineRouter", kVariants, kPart);
  const Routed<hw::CosineRouter> r(
      g, {10, 6, 4}, {{"router.weight", g["w_red"]}, {"router.centres", g["cent"].reshaped({24})}, {"router.temperature", g["tau"]}});
  g.holds("y", r.y());
  const Chosen chosen = r.chosen(1);
  g.holds("idx", chosen.idx);
  g.holds("weights", chosen.weights);
  g.leaves_out("s", kNoLogits);
}

TEST(Mechanisms, moe_dynmoe) {
  Golden g("moe_dynmoe");
  g.expressed_by("DynamicRouter", kVariants, kPart);
  Array alive{{6}, {}};
  for (const auto v : g.ints("expert_mask")) alive.values.push_back(static_cast<float>(v));
  const Routed<hw::DynamicRouter> r(
      g, {10, 6}, {{"router.vectors", g["emb"].reshaped({60})}, {"router.thresholds", g["thr"]}, {"router.alive", alive}});
  g.holds("y", r.y());
  g.holds("count", count_of(r.chosen(6)));
  g.leaves_out("idx", "experts of equal weight have no order");
  g.holds("weights", r.chosen(6).weights);
}

TEST(Mechanisms, moe_nexus_domain_router) {
  Golden g("moe_nexus_domain_router");
  g.expressed_by("DomainRouter", kVariants, kPart);
  const hw::DomainRouter::Config router{.hidden_size = 10, .num_experts = 6, .domain_size = 5, .intermediate_size = 6, .top_k = 2};
  const Routed<hw::DomainRouter> r(g, router,
                                   {{"router.domains", g["dom"].reshaped({30})},
                                    {"router.gate", g["p1"].reshaped({30})},
                                    {"router.up", g["p3"].reshaped({30})},
                                    {"router.down", g["p2"].reshaped({60})}});
  const Array routed = r.y();
  g.holds("y_routed", routed);
  const Chosen chosen = r.chosen(2);
  g.holds("idx", chosen.idx);
  g.holds("weights", chosen.weights);
  g.holds("emb", Array{{6, 10}, r.moe.router().vectors});
  const hw::Build b = g.build({{"gate.weight", g["ws1"]}, {"up.weight", g["ws3"]}, {"down.weight", g["ws2"]}});
  Array y = run(hw::GatedMlp({10, 7}, b), b, g["x"]);
  for (index_t i = 0; i < static_cast<index_t>(y.values.size()); ++i) y[i] += routed[i];
  g.holds("y", y);
}

TEST(Mechanisms, moe_switch_capacity) {
  Golden g("moe_switch_capacity");
  g.expressed_by("CapacityRouter", kVariants, kPart);
  const Routed<hw::CapacityRouter> r(g, {10, 4, 1.0}, {{"router.weight", g["w_router"]}});
  g.holds("y", r.y());
  const Chosen chosen = r.chosen(1);
  g.holds("idx", chosen.idx);
  g.holds("weights", chosen.weights);
  Array gates = filled({2, 8, 4}, 0);
  for (std::size_t i = 0; i < chosen.idx.size(); ++i)
    if (chosen.idx[i] >= 0) gates[static_cast<index_t>(i) * 4 + chosen.idx[i]] = chosen.weights.values[i];
  g.holds("gates", gates);
  const Routed<hw::CapacityRouter> dropless(g, {10, 4, 4.0}, {{"router.weight", g["w_router"]}});
  g.holds("dropless_idx", dropless.chosen(1).idx);
  g.leaves_out("logits", kNoLogits);
}

TEST(Mechanisms, moe_expert_choice) {
  Golden g("moe_expert_choice");
  g.expressed_by("ExpertChoice", kVariants, kPart);
  const Routed<hw::ExpertChoice> r(g, {10, 6, 2.0}, {{"router.weight", g["w_router"]}});
  g.holds("y", r.y());
  const Chosen chosen = r.chosen(6);
  // Turned round: for each expert the tokens that it took, best first.
  std::vector<std::int64_t> tokens;
  Array gate{{2, 6, 3}, {}};
  for (index_t s = 0; s < 2; ++s)
    for (index_t e = 0; e < 6; ++e) {
      std::vector<std::pair<float, index_t>> took;
      for (index_t t = 0; t < 9; ++t)
        for (index_t i = 0; i < 6; ++i)
          if (const index_t at = (s * 9 + t) * 6 + i; chosen.idx[static_cast<std::size_t>(at)] == e)
            took.emplace_back(-chosen.weights[at], t);
      std::sort(took.begin(), took.end());
      for (const auto& [w, t] : took) {
        tokens.push_back(t);
        gate.values.push_back(-w);
      }
    }
  g.holds("tokens", tokens);
  g.holds("gate", gate);
}

// An expert with a norm of its own.
struct NormedExpert {
  using Normed = hw::Normed<hw::LayerNorm, hw::Mlp>;
  using Config = Normed::Config;
  static constexpr hw::Couples couples = hw::Couples::nothing;
  NormedExpert(const Config& c, const hw::Build& b) : normed(c, b) {}
  void forward(hw::In in, hw::View delta) const { normed.forward(in, delta, {}); }
  Normed normed;
};

TEST(Mechanisms, moe_task_gates) {
  Golden g("moe_task_gates");
  g.expressed_by("TaskRouter", kVariants, kPart);
  g.expressed_by("MarkRouter", kVariants, kPart);
  Rows rows(3, 7);
  for (const auto task : g.ints("task")) rows.marks.insert(rows.marks.end(), 7, static_cast<std::int32_t>(task));
  Weights gates;
  for (index_t j = 0; j < 3; ++j) gates.emplace_back("router." + std::to_string(j) + ".weight", g["w_router"].at(j));
  const hw::TopKRouter::Config raw{.hidden_size = 10, .num_experts = 4, .top_k = 2, .renormalise = false};
  const Routed<hw::TaskRouter<hw::TopKRouter>> r(g, {10, raw, 3}, gates);
  g.holds("y", r.y(&rows));
  g.holds("idx", r.chosen(2, &rows).idx);

  rows.marks.clear();
  for (const auto m : g.ints("modality")) rows.marks.push_back(static_cast<std::int32_t>(m));
  Weights two;
  for (index_t m = 0; m < 2; ++m) {
    const std::string scope = "experts." + std::to_string(m) + ".";
    two.insert(two.end(), {{scope + "norm.weight", g["gm"].at(m)},
                           {scope + "norm.bias", g["bm"].at(m)},
                           {scope + "up.weight", g["w1"].at(m)},
                           {scope + "down.weight", g["w2"].at(m)}});
  }
  using M = hw::Moe<hw::MarkRouter, NormedExpert>;
  const NormedExpert::Config expert{{.size = 10}, {10, 7, hw::Activation::relu}};
  const hw::Build b = g.build(two);
  g.holds("y_mod", run(M({.router = {10, 2}, .experts = {{expert, expert}}}, b), b, g["x"], 0, &rows));
  g.leaves_out("y_task", "one expert for a whole sequence by its task's embedding is not here");
  g.leaves_out("idx_task", "as y_task");
}

TEST(Mechanisms, moe_unequal_experts) {
  Golden g("moe_unequal_experts");
  g.expressed_by("Experts", "moe/experts.hpp", kStock);
  using M = hw::Moe<hw::TopKRouter, hw::Mlp>;
  const Array w1 = g["w1cat"], w2 = g["w2cat"], of = g["w_router"];
  // The identity is numbered behind the experts here, before them there.
  Array router{{4, 10}, {}};
  for (const index_t e : {1, 2, 3, 0}) router.values.insert(router.values.end(), of.view().row(e), of.view().row(e) + 10);
  Weights weights{{"router.weight", router}};
  M::Config c{.router = {.hidden_size = 10, .num_experts = 4, .top_k = 1, .renormalise = false},
              .experts = {.identities = 1}};
  index_t at = 0;
  for (const index_t width : {3, 6, 9}) {
    const std::string scope = "experts." + std::to_string(c.experts.experts.size()) + ".";
    Array up{{width, 10}, {w1.values.begin() + at * 10, w1.values.begin() + (at + width) * 10}}, down{{10, width}, {}};
    for (index_t i = 0; i < 10; ++i) down.values.insert(down.values.end(), w2.view().row(i) + at, w2.view().row(i) + at + width);
    weights.insert(weights.end(), {{scope + "up.weight", up}, {scope + "down.weight", down}});
    c.experts.experts.push_back({10, width, hw::Activation::relu});
    at += width;
  }
  const hw::Build b = g.build(weights);
  const M moe(c, b);
  g.holds("y", run(moe, b, g["x"]));
  Chosen chosen = route(moe.router(), b, g["x"], 1);
  for (auto& e : chosen.idx) e = (e + 1) % 4;
  g.holds("idx", chosen.idx);
  g.holds("weights", chosen.weights);
}

TEST(Mechanisms, moe_sigma_moeut) {
  Golden g("moe_sigma_moeut");
  g.expressed_by("NormedRouter", kVariants, kPart);
  using R = hw::NormedRouter<hw::LayerNorm, hw::TopKRouter>;
  using M = hw::Moe<R, hw::Mlp>;
  using B = hw::Block<hw::Residual<hw::Add<hw::NoNorm>, M>>;
  Weights weights;
  for (const auto& [name, array] : experts(g, false)) weights.emplace_back("mlp." + name, array);
  weights.insert(weights.end(), {{"mlp.router.weight", g["w_router"]}, {"mlp.router.norm.weight", g["g"]}});
  const R::Config router{10,
                         {.size = 10, .bias = false},
                         {.hidden_size = 10, .num_experts = 4, .top_k = 2, .score = hw::RouterScore::sigmoid, .renormalise = false}};
  const M::Config moe{.router = router, .experts = {sizes<hw::Mlp>(g, hw::Activation::relu)}};
  const hw::Build b = g.build(weights);
  const B block(B::Config{{{}, moe}}, b);
  const Array x1 = run_segment(block, b, g["x"]);
  g.holds("x1", x1);
  g.holds("y", run_segment(block, b, x1));
  const R alone(router, b.scope("mlp.router"));
  auto idx = route(alone, b, g["x"], 2).idx;
  const auto second = route(alone, b, x1, 2).idx;
  idx.insert(idx.end(), second.begin(), second.end());
  g.holds("idx", idx);
}

TEST(Mechanisms, moe_moa_attention_experts) {
  Golden g("moe_moa_attention_experts");
  g.expressed_by("RoutedAttention", "mixers/attention/routed_attention.hpp", kStock);
  hw::RoutedAttention::Config c{.num_key_value_heads = 1, .head_dim = 5, .router = {.hidden_size = 8, .num_experts = 4, .top_k = 2}};
  Weights weights{{"router.weight", g["w_router"]}, {"k.weight", g["w_k"]}, {"v.weight", g["w_v"]}};
  for (index_t e = 0; e < 4; ++e) {
    weights.emplace_back("q." + std::to_string(e) + ".weight", g["w_q"].at(e));
    weights.emplace_back("o." + std::to_string(e) + ".weight", g["w_o"].at(e));
  }
  const hw::Build b = g.build(weights);
  g.holds("y", run(hw::RoutedAttention(c, b), b, g["x"]));
  const Chosen chosen = route(hw::TopKRouter(c.router, b.scope("router")), b, g["x"], 2);
  g.holds("idx", chosen.idx);
  g.holds("weights", chosen.weights);
  c.router.renormalise = false;
  g.holds("y_raw", run(hw::RoutedAttention(c, b), b, g["x"]));
  g.leaves_out("y_stick", "stick-breaking weights are Attention's own policy");
}

// What makes no sense is refused when the model is built.
TEST(RouterVariants, BadConfigsAreErrors) {
  hw::ThreadPool pool(1);
  const hw::Build b(hw::RandomWeights{.seed = 1}, hw::kernels::table(), pool);
  EXPECT_THROW(hw::CapacityRouter({8, 4, 0.0}, b), hw::Error);
  EXPECT_THROW(hw::ExpertChoice({8, 4, -1.0}, b), hw::Error);
  EXPECT_THROW((hw::RowRouter<hw::NodeThenExpert>({8, 4, {.nodes = 3}}, b)), hw::Error);
  EXPECT_THROW((hw::RowRouter<hw::NullExperts>({8, 4, {.top_k = 5}}, b)), hw::Error);
  EXPECT_THROW((hw::RowRouter<hw::NullExperts>({8, 4, {.top_k = 2, .nulls = 4}}, b)), hw::Error);
  EXPECT_THROW((hw::RowRouter<hw::SecondAbove>({8, 1, {}}, b)), hw::Error);
  EXPECT_THROW((hw::RowRouter<hw::ThresholdExperts>({8, 4, {.temperature = 0}}, b)), hw::Error);
  EXPECT_THROW(hw::DomainRouter({8, 4, 5, 6, 5}, b), hw::Error);
}

// A row whose scores are not numbers is an error that names the row, before any expert runs.
TEST(RouterVariants, ScoresThatAreNoNumbersAreErrors) {
  hw::ThreadPool pool(1);
  const hw::Build b(hw::RandomWeights{.seed = 1}, hw::kernels::table(), pool);
  const hw::RowRouter<hw::ReluExperts> router({8, 4, {}}, b);
  Array x = filled({1, 3, 8}, 0.5f);
  x[2 * 8 + 1] = std::numeric_limits<float>::quiet_NaN();
  try {
    route(router, b, x, 4);
    ADD_FAILURE() << "no error";
  } catch (const hw::Error& e) {
    EXPECT_NE(std::string(e.what()).find("for row 2"), std::string::npos) << e.what();
  }
}

}  // namespace
