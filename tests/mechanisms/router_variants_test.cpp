// Routers with weights of their own, experts of unequal widths, attention as an expert.

#include <numeric>

#include "headwise/blocks/parallel.hpp"
#include "headwise/headwise.hpp"
#include "headwise/mixers/attention/routed_attention.hpp"
#include "headwise/moe/depth_router.hpp"
#include "headwise/moe/expert_kinds.hpp"
#include "headwise/moe/router_policies.hpp"
#include "headwise/moe/router_variants.hpp"
#include "headwise/moe/stream_routers.hpp"
#include "tests/mechanisms/routers.hpp"

namespace {

using namespace mechanism;

constexpr const char* kVariants = "moe/router_variants.hpp";
constexpr const char* kStreams = "moe/stream_routers.hpp";

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

TEST(Mechanisms, moe_plus_plus) {
  Golden g("moe_plus_plus");
  g.expressed_by("ResidualRouter", "moe/depth_router.hpp", kPart);
  g.expressed_by("ConstantExpert", "moe/expert_kinds.hpp", kPart);
  using Part = hw::Moe<hw::ResidualRouter, hw::AnyOf<hw::Mlp, hw::ConstantExpert>>;
  const hw::Build b = g.build(and_more(experts(g, false), {{"experts.3.weight", g["w_c"]},
                                                           {"experts.3.value", g["vconst"]},
                                                           {"router.weight", g["w_router"]},
                                                           {"router.residual", g["w_gr"]}}));
  Part::Config c{.router = {.hidden_size = 10, .num_experts = 6}};
  for (const hw::Mlp::Config& mlp : sizes<hw::Mlp>(g, hw::Activation::relu)) c.experts.experts.emplace_back(mlp);
  c.experts.experts.emplace_back(hw::ConstantExpert::Config{10});
  c.experts.identities = 1;
  const Part part(c, b);
  const Array before = g["gprev"];
  Rows rows(2, 10);
  index_t from = 0;  // rows of a sequence that went by
  const hw::Slot slot = b.slot("router logits");
  Array logits = before;
  rows.prepare = [&](const hw::Frame& f) {
    const index_t n = f.rows() / 2;
    for (index_t r = 0; r < f.rows(); ++r) std::copy_n(before.view().row(r / n * 10 + from + r % n), 6, f.at(slot).row(r));
    from = (from + n) % 10;
  };
  g.holds("y", run(part, b, g["x"], 0, &rows));
  const Chosen chosen = route(part.router(), b, g["x"], 2, &rows);
  g.holds("idx", chosen.idx);
  g.holds("weights", chosen.weights);
  Array stream = g["x"];
  rows.frame(b, stream, 0, 10, [&](const hw::Frame& f) {
    part.router().route({f.at({}), f});
    for (index_t r = 0; r < 20; ++r) std::copy_n(f.at(slot).row(r), 6, logits.view().row(r));
  });
  g.holds("logits", logits);
  for (const char* released : {"y_released", "idx_released", "weights_released", "logits_released"})
    g.leaves_out(released, "the paper's form is held");
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
  M::Config c{.router = {.hidden_size = 10, .num_experts = 4, .top_k = 1, .renormalise = false}, .experts = {.identities = 1}};
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
TEST(Mechanisms, moe_noisy_topk) {
  Golden g("moe_noisy_topk");
  g.expressed_by("NoisyTopK", kStreams, kPart);
  const Routed<hw::NoisyTopK> r(g, {10, 6, 2}, {{"router.weight", g["w_router"]}, {"router.noise.weight", g["w_noise"]}});
  g.holds("idx_clean", r.chosen(2).idx);
  Array noise = g["noise"], x = g["x"], y = x;
  Rows rows(2, 8);
  rows.prepare = [&](const hw::Frame& f) { f.publish(r.moe.router().noise, noise.view()); };
  const Chosen noisy = r.chosen(2, &rows);
  g.holds("idx", noisy.idx);
  g.holds("weights", noisy.weights);
  rows.frame(r.b, x, 0, 8, [&](const hw::Frame& f) { r.moe.forward({f.at({}), f}, y.view()); });
  g.holds("y", y);
  g.leaves_out("logits", kNoLogits);
}

TEST(Mechanisms, moe_speech_global) {
  Golden g("moe_speech_global");
  g.expressed_by("EmbeddingRouter", kStreams, kPart);
  using M = hw::Moe<hw::EmbeddingRouter, hw::Mlp>;
  Array x = g["x"];
  std::vector<std::int64_t> idx;
  for (index_t layer = 0; layer < 2; ++layer) {
    Weights weights{{"router.weight", g["w_router"].at(layer)}};
    for (index_t e = 0; e < 3; ++e) {
      weights.emplace_back("experts." + std::to_string(e) + ".up.weight", g["w1"].at(layer).at(e));
      weights.emplace_back("experts." + std::to_string(e) + ".down.weight", g["w2"].at(layer).at(e));
    }
    const hw::Build b = g.build(weights);
    const M moe({.router = {10, 4, 3}, .experts = {std::vector<hw::Mlp::Config>(3, {10, 5, hw::Activation::relu})}}, b);
    Array stream = x, y = x, e = g["e"];
    Rows(2, 9).frame(b, stream, 0, 9, [&](const hw::Frame& f) {
      f.publish(moe.router().embedding, e.view());
      moe.forward({f.at({}), f}, y.view());
      const hw::Plan plan = moe.router().route({f.at({}), f});
      idx.insert(idx.end(), plan.item.begin(), plan.item.end());
    });
    x = y;
  }
  g.holds("y", x);
  g.holds("idx", idx);
}

TEST(Mechanisms, moe_moefication_dynamic_k) {
  Golden g("moe_moefication_dynamic_k");
  g.expressed_by("PartRouter", kStreams, kPart);
  const std::vector<std::int64_t> perm = g.ints("perm");
  Weights weights{{"router.hidden.weight", g["r1"]}, {"router.weight", g["r2"]}};
  for (index_t e = 0; e < 4; ++e) {
    Array up = filled({3, 10}, 0), bias = filled({3}, 0), down = filled({10, 3}, 0);
    for (index_t i = 0; i < 3; ++i) {
      const index_t from = perm[static_cast<std::size_t>(3 * e + i)];
      bias[i] = g["b1"][from];
      for (index_t j = 0; j < 10; ++j) up[i * 10 + j] = g["w1"][from * 10 + j], down[j * 3 + i] = g["w2"][j * 12 + from];
    }
    const std::string scope = "experts." + std::to_string(e) + ".";
    weights.insert(
        weights.end(),
        {{scope + "up.weight", up}, {scope + "up.bias", bias}, {scope + "down.weight", down}, {scope + "down.bias", filled({10}, 0)}});
  }
  const hw::Build b = g.build(weights);
  using M = hw::Moe<hw::PartRouter, hw::Mlp>;
  const auto moe = [&](index_t top_k, float share) {
    return M({.router = {10, 4, 5, top_k, share}, .experts = {std::vector<hw::Mlp::Config>(4, {10, 3, hw::Activation::relu, true})}}, b);
  };
  g.holds("y", run(moe(2, 0), b, g["x"]));
  g.holds("y_dense", run(moe(4, 0), b, g["x"]));
  const M dynamic = moe(1, 0.5f);
  g.holds("y_dyn", run(dynamic, b, g["x"]));
  std::vector<std::int64_t> active(2 * 8 * 4);
  const Chosen chosen = route(dynamic.router(), b, g["x"], 4);
  for (std::size_t i = 0; i < chosen.idx.size(); ++i)
    if (chosen.idx[i] >= 0) active[i / 4 * 4 + static_cast<std::size_t>(chosen.idx[i])] = 1;
  g.holds("active", active);
  g.leaves_out("idx", "all weigh the same: a plan has no order");
}

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
