#pragma once
// What the routers' tests share: weights of experts, plans as the goldens write them.

#include <algorithm>
#include <string>

#include "headwise/moe/moe.hpp"
#include "tests/mechanisms/golden_mechanism.hpp"

namespace mechanism {

using Weights = std::vector<std::pair<std::string, Array>>;

// Experts (E, f, d), (E, d, f), and gated ones: under the names that a bank asks for.
inline Weights experts(const Golden& g, bool gated, index_t count = 0) {
  Weights out;
  for (index_t e = 0; e < (count > 0 ? count : g["w1"].dim(0)); ++e) {
    const std::string scope = "experts." + std::to_string(e) + ".";
    out.emplace_back(scope + (gated ? "gate.weight" : "up.weight"), g["w1"].at(e));
    if (gated) out.emplace_back(scope + "up.weight", g["w3"].at(e));
    out.emplace_back(scope + "down.weight", g["w2"].at(e));
  }
  return out;
}
inline Weights with_shared(const Golden& g, Weights out) {
  out.insert(out.end(), {{"shared.gate.weight", g["ws1"]}, {"shared.up.weight", g["ws3"]}, {"shared.down.weight", g["ws2"]}});
  return out;
}
inline Weights and_more(Weights out, const Weights& more) {
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
inline std::vector<std::int64_t> count_of(const Chosen& c) {
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < c.idx.size(); i += static_cast<std::size_t>(c.weights.shape.back()))
    out.push_back(std::count_if(c.idx.begin() + static_cast<std::ptrdiff_t>(i),
                                c.idx.begin() + static_cast<std::ptrdiff_t>(i) + c.weights.shape.back(), [](auto e) { return e >= 0; }));
  return out;
}

constexpr const char* kNoLogits = "a router gives its plan, not its logits";

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

}  // namespace mechanism
