// Decoding: samplers, and rules on distributions.

#include "headwise/generate/decoding_rules.hpp"

#include "headwise/generate/guidance.hpp"
#include "headwise/generate/sampling.hpp"
#include "tests/mechanisms/golden_mechanism.hpp"

namespace {

using namespace mechanism;

constexpr const char* kRules = "generate/decoding_rules.hpp";

Array floats(std::vector<index_t> shape, const std::vector<double>& values) { return {std::move(shape), {values.begin(), values.end()}}; }
void append(std::vector<double>& to, const std::vector<double>& more) { to.insert(to.end(), more.begin(), more.end()); }
std::vector<std::int32_t> narrow(const std::vector<std::int64_t>& v) { return {v.begin(), v.end()}; }

TEST(Mechanisms, dec_samplers) {
  Golden g("dec_samplers");
  g.expressed_by("SamplingOptions", "generate/sampling.hpp", kStock);
  const auto previous = narrow(g.ints("prev"));
  // The distribution that the filters leave.
  const auto left = [&](hw::SamplingOptions options) {
    Array l = g["l"];
    std::vector<double> p;
    for (index_t row = 0; row < 4; ++row) {
      hw::SamplingChain chain = options.chain();
      hw::Candidates candidates(16);
      hw::Rng rng(0);
      candidates.reset({l.view().row(row), 16});
      chain.apply(candidates, {std::span(previous).subspan(static_cast<std::size_t>(row) * 5, 5), rng});
      append(p, hw::detail::softmax_of_logits({l.view().row(row), 16}));
    }
    return floats({4, 16}, p);
  };
  g.holds("temp", left({.temperature = 0.7f}));
  g.holds("topk", left({.temperature = 1, .top_k = 5}));
  g.holds("topp", left({.temperature = 1, .top_p = 0.8f}));
  g.holds("minp", left({.temperature = 1, .min_p = 0.1f}));
  g.holds("typical", left({.temperature = 1, .typical_p = 0.7f}));
  g.holds("epsilon", left({.temperature = 1, .epsilon_cutoff = 0.05f}));
  g.holds("eta", left({.temperature = 1, .eta_cutoff = 0.05f}));
  g.holds("nsigma", left({.temperature = 1, .top_n_sigma = 1}));
  g.holds("rep", left({.repetition_penalty = 1.3f, .temperature = 1}));
}

TEST(Mechanisms, dec_contrastive_family) {
  Golden g("dec_contrastive_family");
  g.expressed_by("ContrastiveDecoding", "generate/guidance.hpp", kStock);
  g.expressed_by("Guidance", "generate/guidance.hpp", kStock);
  g.expressed_by("UnlikeLayer", kRules, kPart);
  const Array le = g["le"], la = g["la"], layers = g["lay"];
  std::vector<double> cd, cfg, dola, js;
  std::vector<std::int64_t> chosen;
  const auto row = [](const Array& a, index_t i) { return std::span<const float>(a.view().row(i), 10); };
  for (index_t i = 0; i < 4; ++i) {
    const auto with = [&](auto change) {
      std::vector<float> l(row(le, i).begin(), row(le, i).end());
      change(l);
      return hw::detail::softmax_of_logits(l);
    };
    append(cd, with([&](std::vector<float>& l) { hw::detail::contrast(l, row(la, i), 0.1f); }));
    append(cfg, with([&](std::vector<float>& l) { hw::detail::guide(l, row(la, i), 1.5f); }));
    const hw::UnlikeLayer unlike(row(le, i), {row(layers, i), row(layers, 4 + i), row(layers, 8 + i)});
    append(js, unlike.divergence);
    chosen.push_back(static_cast<std::int64_t>(unlike.layer));
    append(dola,
           with([&](std::vector<float>& l) { hw::detail::contrast(l, row(layers, 4 * static_cast<index_t>(unlike.layer) + i), 0.1f); }));
  }
  g.holds("p_cd", floats({4, 10}, cd));
  g.holds("p_cfg", floats({4, 10}, cfg));
  g.holds("p_dola", floats({4, 10}, dola));
  g.holds("js", floats({4, 3}, js));
  g.holds("layer", chosen);
  g.leaves_out("p_scmoe", "contrast of raw logits with a weight: a filter of five lines that no part has yet");
}

TEST(Mechanisms, dec_speculative_accept) {
  Golden g("dec_speculative_accept");
  g.expressed_by("SpeculativeAcceptance", kRules, kPart);
  const auto drafts = narrow(g.ints("draft"));
  std::vector<std::int64_t> accepted, tokens;
  Array residual{{8, 7}, {}};
  for (index_t n = 0; n < 8; ++n) {
    const Array p = g["p"].at(n), q = g["q"].at(n), u = g["u"].at(n);
    const hw::SpeculativeAcceptance a(p.view(), q.view(), std::span(drafts).subspan(static_cast<std::size_t>(n) * 4, 4), u.values,
                                      g["r"][n]);
    accepted.push_back(std::ssize(a.tokens) - 1);
    tokens.insert(tokens.end(), a.tokens.begin(), a.tokens.end());
    tokens.resize(static_cast<std::size_t>(n + 1) * 5, -1);
    residual.values.insert(residual.values.end(), a.residual.begin(), a.residual.end());
  }
  g.holds("accepted", accepted);
  g.holds("tokens", tokens);
  g.holds("residual", residual);
}

TEST(Mechanisms, dec_big_little) {
  Golden g("dec_big_little");
  g.expressed_by("BigLittle", kRules, kPart);
  std::vector<std::int64_t> drafts, tokens;
  for (index_t n = 0; n < 6; ++n) {
    hw::BigLittle rule;
    const Array small = g["ls"].at(n), large = g["ll"].at(n);
    const auto emitted = rule.tokens(small.view(), large.view());
    drafts.push_back(rule.drafted);
    tokens.insert(tokens.end(), emitted.begin(), emitted.end());
    tokens.resize(static_cast<std::size_t>(n + 1) * 6, -1);
  }
  g.holds("drafts", drafts);
  g.holds("tokens", tokens);
  g.leaves_out("dist", "what the rollback is decided by");
}

TEST(Mechanisms, dec_medusa_tree_accept) {
  Golden g("dec_medusa_tree_accept");
  g.expressed_by("TreeAcceptance", kRules, kPart);
  const auto parents = g.ints("parent");
  const std::vector<index_t> parent(parents.begin(), parents.end());
  const auto candidates = narrow(g.ints("cand"));
  const Array logits = g["lt"];
  for (const bool typical : {false, true}) {
    hw::TreeAcceptance rule{.typical = typical};
    rule.judge(parent, candidates, logits.view());
    const std::string name = typical ? "typical" : "greedy";
    g.holds("ok_" + name, std::vector<std::int64_t>(rule.accepted.begin(), rule.accepted.end()));
    std::vector<std::int64_t> path(rule.path.begin(), rule.path.end());
    path.resize(4, -1);
    g.holds("path_" + name, path);
    g.holds("next_" + name, std::vector<std::int64_t>{rule.next});
    if (typical) g.holds("p_cand", floats({9}, rule.probability));
  }
}

TEST(Mechanisms, dec_beam_scores_gnmt) {
  Golden g("dec_beam_scores_gnmt");
  g.expressed_by("CoverageScore", kRules, kModifier);
  const hw::CoverageScore score;
  const auto lengths = g.ints("length");
  const Array logp = g["logp"];
  std::vector<double> s, cp, hf;
  for (index_t n = 0; n < 5; ++n) {
    const Array all = g["att"].at(n);
    const auto length = lengths[static_cast<std::size_t>(n)];
    const hw::ConstView attention = all.view().row_range(0, length);
    s.push_back(score(static_cast<double>(logp[n]), attention));
    cp.push_back(score.coverage(attention));
    hf.push_back(static_cast<double>(logp[n]) / std::pow(static_cast<double>(length), 1.2));
  }
  g.holds("s", floats({5}, s));
  g.holds("cp", floats({5}, cp));
  std::vector<std::int64_t> order(5);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](auto a, auto b) { return s[static_cast<std::size_t>(a)] > s[static_cast<std::size_t>(b)]; });
  g.holds("order", order);
  g.leaves_out("score_hf", "the length penalty of beam_search, which its own goldens hold");
}

TEST(Mechanisms, dec_mixture_of_models) {
  Golden g("dec_mixture_of_models");
  g.expressed_by("ModelPosterior", kRules, kPart);
  g.expressed_by("NearestNeighbours", kRules, kModifier);
  const Array l = g["l"], memory = g["z_mem"], prior = g["prior"];
  const auto ids = narrow(g.ints("ids"));
  hw::ModelPosterior models(prior.values);
  std::vector<double> post, btm, top2, mem, last;
  for (index_t t = 0; t < 6; ++t) {
    std::vector<std::vector<double>> p;
    for (index_t k = 0; k < 3; ++k) p.push_back(hw::detail::softmax_of_logits({l.view().row(k * 6 + t), 8}));
    append(post, models.weight);
    append(btm, models.mixture(p));
    append(top2, models.mixture(p, 2));
    const auto z = hw::detail::softmax_of_logits({memory.view().row(t), 8}, 1.3);
    for (std::size_t v = 0; v < 8; ++v) mem.push_back(0.75 * p[0][v] + 0.25 * z[v]);
    models.learn(p, ids[static_cast<std::size_t>(t)]);
    last = p[0];
  }
  g.holds("post", floats({6, 3}, post));
  g.holds("p_btm", floats({6, 8}, btm));
  g.holds("p_top2", floats({6, 8}, top2));
  g.holds("p_mem", floats({6, 8}, mem));
  g.holds("p_knn", floats({8}, hw::NearestNeighbours{0.3}.mixture(last, g["dist"].values, narrow(g.ints("val")))));
  g.leaves_out("p_avg", "softmax of a mean of logits: nothing but that");
}

TEST(Mechanisms, dec_venn_abers) {
  Golden g("dec_venn_abers");
  g.expressed_by("VennAbers", kRules, kPart);
  std::vector<double> p0, p1, p;
  for (const float s : g["s"].values) {
    const hw::VennAbers fitted(g["sc"].values, g.ints("lab"), s);
    p0.push_back(fitted.p0), p1.push_back(fitted.p1), p.push_back(fitted.p);
  }
  g.holds("p0", floats({5}, p0));
  g.holds("p1", floats({5}, p1));
  g.holds("p", floats({5}, p));
}

}  // namespace
