// Routers, expert layers and recurrences that have no golden case: held to their papers' equations in plain loops of doubles.

#include <numeric>

#include "headwise/core/rng.hpp"
#include "headwise/mixers/linear_attention/state_space_cells.hpp"
#include "headwise/mixers/rwkv/rwkv6.hpp"
#include "headwise/mixers/ssm/ssru.hpp"
#include "headwise/moe/depth_router.hpp"
#include "headwise/moe/key_routers.hpp"
#include "headwise/moe/moe.hpp"
#include "headwise/moe/router_policies.hpp"
#include "headwise/moe/soft_experts.hpp"
#include "tests/mechanisms/routers.hpp"

namespace {

using namespace mechanism;
using Doubles = std::vector<double>;

constexpr index_t kSequences = 2, kTokens = 9, kWidth = 12;

// Weights by name, drawn once.
class Drawn {
 public:
  Array operator()(const std::string& name, std::vector<index_t> shape, float scale = 1, float shift = 0) {
    Array a = filled(shape, 0);
    for (float& v : a.values) v = shift + scale * static_cast<float>(2 * rng_.uniform() - 1);
    if (!name.empty()) weights_.emplace_back(name, a);
    return a;
  }
  void add(const std::string& name, const Array& a) { weights_.emplace_back(name, a); }
  hw::Build build() { return build_of("drawn", weights_, kept_); }

 private:
  hw::Rng rng_{11};
  Weights weights_;
  std::vector<hw::Weights> kept_;
};

double at(const Array& a, index_t i) { return a[i]; }
// Row r of a matrix by x.
double dot(const Array& w, index_t r, const double* x) {
  double sum = 0;
  for (index_t i = 0; i < w.dim(1); ++i) sum += at(w, r * w.dim(1) + i) * x[i];
  return sum;
}
Doubles times(const Array& w, const double* x) {
  Doubles y;
  for (index_t r = 0; r < w.dim(0); ++r) y.push_back(dot(w, r, x));
  return y;
}
Doubles times(const Array& w, const Doubles& x) { return times(w, x.data()); }
Doubles row(const Array& x, index_t r) {
  const index_t d = x.shape.back();
  return {x.values.begin() + r * d, x.values.begin() + (r + 1) * d};
}
Doubles softmax(Doubles x) {
  const double top = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double& v : x) sum += v = std::exp(v - top);
  for (double& v : x) v /= sum;
  return x;
}
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double softplus(double x) { return std::log1p(std::exp(x)); }
std::vector<index_t> best(const Doubles& x, index_t n) {
  std::vector<index_t> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](index_t a, index_t b) { return x[static_cast<std::size_t>(a)] > x[static_cast<std::size_t>(b)]; });
  order.resize(static_cast<std::size_t>(n));
  return order;
}

void expect_near(const Array& found, const std::vector<Doubles>& expected, double tolerance = 2e-5) {
  const index_t d = found.shape.back();
  ASSERT_EQ(found.values.size(), expected.size() * static_cast<std::size_t>(d));
  double largest = 0;
  for (std::size_t r = 0; r < expected.size(); ++r)
    for (index_t i = 0; i < d; ++i) {
      const double e = expected[r][static_cast<std::size_t>(i)];
      ASSERT_NEAR(found[static_cast<index_t>(r) * d + i], e, tolerance * (1 + std::abs(e))) << "row " << r << ", column " << i;
      largest = std::max(largest, std::abs(e));
    }
  EXPECT_GT(largest, 0.01);
}

// The experts and weights of every row, in the router's order.
template <class R>
std::vector<std::vector<std::pair<index_t, double>>> plan_of(const R& router, const hw::Build& b, const Array& x, const Rows& rows) {
  std::vector<std::vector<std::pair<index_t, double>>> out;
  Array stream = x;
  rows.frame(b, stream, 0, rows.tokens(), [&](const hw::Frame& f) {
    const hw::Plan plan = router.route({f.at({}), f});
    for (std::size_t r = 0; r < static_cast<std::size_t>(plan.rows()); ++r) {
      out.emplace_back();
      for (auto i = static_cast<std::size_t>(plan.begin[r]); i < static_cast<std::size_t>(plan.begin[r + 1]); ++i)
        out.back().emplace_back(plan.item[i], plan.w_out[i]);
    }
  });
  return out;
}

TEST(Papers, TopPExpertsAreTheFewestThatReachTheShare) {
  Drawn draw;
  const Array w = draw("weight", {6, kWidth}), x = draw("", {kSequences, kTokens, kWidth});
  const hw::Build b = draw.build();
  const hw::RowRouter<hw::TopPExperts> router({.hidden_size = kWidth, .num_experts = 6, .policy = {.share = 0.7f}}, b);
  const auto plan = plan_of(router, b, x, Rows(kSequences, kTokens));
  std::set<std::size_t> counts;
  for (index_t r = 0; r < kSequences * kTokens; ++r) {
    const Doubles p = softmax(times(w, row(x, r)));
    double sum = 0;
    std::size_t i = 0;
    const auto& found = plan[static_cast<std::size_t>(r)];
    for (const index_t e : best(p, 6)) {
      if (sum >= 0.7) break;
      ASSERT_LT(i, found.size());
      EXPECT_EQ(found[i].first, e);
      EXPECT_NEAR(found[i++].second, p[static_cast<std::size_t>(e)], 1e-5);
      sum += p[static_cast<std::size_t>(e)];
    }
    EXPECT_EQ(found.size(), i);
    counts.insert(i);
  }
  EXPECT_GT(counts.size(), 1U);
  EXPECT_THROW(hw::RowRouter<hw::TopPExperts>({.hidden_size = kWidth, .num_experts = 6, .policy = {.share = 0}}, b), hw::Error);
}

TEST(Papers, HashRouterLooksTheTokenUp) {
  Drawn draw;
  Array table{{5}, {2, 0, 3, 3, 1}};
  draw.add("table", table);
  const Array x = draw("", {1, 5, kWidth});
  const hw::Build b = draw.build();
  const hw::HashRouter router({.hidden_size = kWidth, .num_experts = 4, .vocab_size = 5}, b);
  Rows rows(1, 5);
  rows.ids = {4, 3, 0, 1, 1};
  const auto plan = plan_of(router, b, x, rows);
  for (std::size_t r = 0; r < 5; ++r) {
    ASSERT_EQ(plan[r].size(), 1U);
    EXPECT_EQ(plan[r][0].first, static_cast<index_t>(table.values[static_cast<std::size_t>(rows.ids[r])]));
    EXPECT_EQ(plan[r][0].second, 1.0);
  }
  for (const int id : {5, -1}) {
    rows.ids[2] = id;
    EXPECT_THROW(plan_of(router, b, x, rows), hw::Error);
  }
  EXPECT_THROW(hw::HashRouter({.hidden_size = kWidth, .num_experts = 3, .vocab_size = 5}, b), hw::Error);
}

TEST(Papers, ProductKeyRouterFindsTheBestOfAllPairs) {
  constexpr index_t n = 7, r = 6, heads = 2, k = 3;
  Drawn draw;
  const Array query = draw("query.weight", {heads * r, kWidth}), bias = draw("query.bias", {heads * r}), k1 = draw("keys1", {n, r / 2}),
              k2 = draw("keys2", {n, r / 2}), x = draw("", {kSequences, kTokens, kWidth});
  const hw::Build b = draw.build();
  const hw::ProductKeyRouter router({.hidden_size = kWidth, .keys = n, .key_size = r, .heads = heads, .top_k = k}, b);
  const auto plan = plan_of(router, b, x, Rows(kSequences, kTokens));
  for (index_t t = 0; t < kSequences * kTokens; ++t) {
    Doubles q = times(query, row(x, t));
    for (std::size_t i = 0; i < q.size(); ++i) q[i] += bias.values[i];
    const auto& found = plan[static_cast<std::size_t>(t)];
    ASSERT_EQ(found.size(), static_cast<std::size_t>(heads * k));
    for (index_t h = 0; h < heads; ++h) {
      const Doubles s1 = times(k1, q.data() + h * r), s2 = times(k2, q.data() + h * r + r / 2);
      Doubles all;
      for (const double a : s1)
        for (const double c : s2) all.push_back(a + c);
      Doubles chosen;
      const auto order = best(all, k);
      for (const index_t e : order) chosen.push_back(all[static_cast<std::size_t>(e)]);
      const Doubles w = softmax(chosen);
      for (std::size_t i = 0; i < static_cast<std::size_t>(k); ++i) {
        EXPECT_EQ(found[static_cast<std::size_t>(h * k) + i].first, order[i]);
        EXPECT_NEAR(found[static_cast<std::size_t>(h * k) + i].second, w[i], 1e-5);
      }
    }
  }
}

TEST(Papers, PreGatedPlansAreThoseOfTheLayerBefore) {
  using Router = hw::RowRouter<hw::TopPExperts>;
  Drawn draw;
  const Array x = draw("", {kSequences, kTokens, kWidth});
  draw("0.own.weight", {5, kWidth}), draw("0.next.weight", {5, kWidth}), draw("1.next.weight", {5, kWidth});
  const hw::Build b = draw.build();
  const Router::Config router{.hidden_size = kWidth, .num_experts = 5, .policy = {.share = 0.6f}};
  const hw::PreGated<Router> layers[] = {
      {{router, true, false}, b.scope("0")}, {{router, false, false}, b.scope("1")}, {{router, false, true}, b.scope("2")}};
  const Router made[] = {{router, b.scope("0").scope("own")}, {router, b.scope("0").scope("next")}, {router, b.scope("1").scope("next")}};
  const Rows rows(kSequences, kTokens);
  Array stream = x;
  rows.frame(b, stream, 0, kTokens, [&](const hw::Frame& f) {
    const hw::View before = f.step.arena.take_view(f.rows(), kWidth);
    for (int l = 0; l < 3; ++l) {
      const hw::Plan found = layers[l].route({f.at({}), f}), expected = made[l].route({l == 0 ? f.at({}) : before, f});
      std::size_t at = 0;
      for (index_t r = 0; r < f.rows(); ++r) {
        const auto begin = static_cast<std::size_t>(expected.begin[static_cast<std::size_t>(r)]),
                   end = static_cast<std::size_t>(expected.begin[static_cast<std::size_t>(r) + 1]);
        std::map<int, float> own, others;
        for (std::size_t i = begin; i < end; ++i) own[expected.item[i]] = expected.w_out[i];
        for (std::size_t i = begin; i < end; ++i, ++at) others[found.item[at]] = found.w_out[at];
        EXPECT_EQ(others, own) << "layer " << l << ", row " << r;
      }
      EXPECT_EQ(at, found.item.size());
      for (index_t r = 0; r < f.rows(); ++r) std::copy_n(f.at({}).row(r), kWidth, before.row(r));
      for (index_t r = 0; r < f.rows(); ++r)
        for (float& v : f.at({})[r]) v = std::sin(3 * v);
    }
  });
}

TEST(Papers, SoftMoeMixesTheRowsOfASequence) {
  constexpr index_t experts = 3, slots = 2, f = 8;
  Drawn draw;
  const Array phi = draw("slots.weight", {experts * slots, kWidth}), x = draw("", {kSequences, kTokens, kWidth});
  std::vector<Array> up, down;
  for (index_t e = 0; e < experts; ++e) {
    const std::string scope = "experts." + std::to_string(e) + ".";
    up.push_back(draw(scope + "up.weight", {f, kWidth}));
    down.push_back(draw(scope + "down.weight", {kWidth, f}));
  }
  const hw::Build b = draw.build();
  const hw::Mlp::Config expert{.hidden_size = kWidth, .intermediate_size = f, .activation = hw::Activation::relu};
  const hw::SoftMoe<hw::Mlp> part({kWidth, slots, {std::vector(experts, expert)}}, b);
  std::vector<Doubles> expected;
  for (index_t s = 0; s < kSequences; ++s) {
    std::vector<Doubles> logits, out;
    for (index_t t = 0; t < kTokens; ++t) logits.push_back(times(phi, row(x, s * kTokens + t)));
    for (std::size_t j = 0; j < static_cast<std::size_t>(experts * slots); ++j) {
      Doubles column, mean(kWidth);
      for (const Doubles& l : logits) column.push_back(l[j]);
      const Doubles d = softmax(column);
      for (index_t t = 0; t < kTokens; ++t)
        for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += d[static_cast<std::size_t>(t)] * row(x, s * kTokens + t)[i];
      Doubles hidden = times(up[j / slots], mean);
      for (double& v : hidden) v = std::max(v, 0.0);
      out.push_back(times(down[j / slots], hidden));
    }
    for (const Doubles& l : logits) {
      const Doubles c = softmax(l);
      expected.emplace_back(kWidth);
      for (std::size_t j = 0; j < c.size(); ++j)
        for (std::size_t i = 0; i < expected.back().size(); ++i) expected.back()[i] += c[j] * out[j][i];
    }
  }
  expect_near(run(part, b, x), expected);
}

TEST(Papers, MergedExpertsAreOneOfMeanWeights) {
  constexpr index_t experts = 3, f = 8;
  Drawn draw;
  const Array router = draw("router.weight", {experts, kWidth}), up = draw("up", {experts * f, kWidth}),
              down = draw("down", {experts * kWidth, f}), x = draw("", {kSequences, kTokens, kWidth});
  const hw::Build b = draw.build();
  const hw::MergedExperts part({.hidden_size = kWidth, .intermediate_size = f, .num_experts = experts}, b);
  std::vector<Doubles> expected;
  for (index_t s = 0; s < kSequences; ++s) {
    Doubles p(experts);
    for (index_t t = 0; t < kTokens; ++t) {
      const Doubles one = softmax(times(router, row(x, s * kTokens + t)));
      for (std::size_t e = 0; e < p.size(); ++e) p[e] += one[e] / kTokens;
    }
    for (index_t t = 0; t < kTokens; ++t) {
      const Doubles in = row(x, s * kTokens + t);
      Doubles hidden(f), y(kWidth);
      for (index_t e = 0; e < experts; ++e)
        for (index_t i = 0; i < f; ++i)
          hidden[static_cast<std::size_t>(i)] += p[static_cast<std::size_t>(e)] * dot(up, e * f + i, in.data());
      for (double& v : hidden) v = std::max(v, 0.0);
      for (index_t e = 0; e < experts; ++e)
        for (index_t i = 0; i < kWidth; ++i)
          y[static_cast<std::size_t>(i)] += p[static_cast<std::size_t>(e)] * dot(down, e * kWidth + i, hidden.data());
      expected.push_back(y);
    }
  }
  expect_near(run(part, b, x), expected);
}

void expect_rwkv(index_t rank) {
  constexpr index_t h = 2, n = 5, p = 4;
  const std::string names[] = {"r", "k", "v", "g", "w"};
  Drawn draw;
  Array mu[5], in[4], down[5], up[5], mu_x, decay_down, decay_up;
  for (std::size_t i = 0; i < 4; ++i) in[i] = draw(names[i] + ".weight", {h * (i < 2 ? n : p), kWidth});
  for (std::size_t i = 0; i < (rank > 0 ? 5 : 4); ++i) mu[i] = draw("mix." + names[i], {kWidth}, 0.5f, 0.5f);
  if (rank > 0) {
    mu_x = draw("mix.x", {kWidth}, 0.5f, 0.5f);
    for (std::size_t i = 0; i < 5; ++i)
      down[i] = draw("mix_down." + names[i] + ".weight", {rank, kWidth}),
      up[i] = draw("mix_up." + names[i] + ".weight", {kWidth, rank}, 0.3f);
    decay_down = draw("decay_down.weight", {4, kWidth}), decay_up = draw("decay_up.weight", {h * n, 4});
  }
  const Array w0 = draw("w0", {h * n}, 1, -1), u = draw("u", {h * n}), gain = draw("norm.weight", {h * p}),
              bias = draw("norm.bias", {h * p}), out = draw("o.weight", {kWidth, h * p}), x = draw("", {kSequences, kTokens, kWidth});
  const hw::Build b = draw.build();
  const hw::Rwkv6 part({.size = {kWidth, h, n, p}, .rank = rank, .decay_rank = rank > 0 ? 4 : 0}, b);

  std::vector<Doubles> expected;
  for (index_t s = 0; s < kSequences; ++s) {
    Doubles before(kWidth), state(h * n * p);
    for (index_t t = 0; t < kTokens; ++t) {
      const Doubles now = row(x, s * kTokens + t);
      const auto lerp = [&](const Array& m, const Doubles& more) {
        Doubles z(kWidth);
        for (std::size_t i = 0; i < z.size(); ++i) z[i] = now[i] + (before[i] - now[i]) * (m.values[i] + (more.empty() ? 0.0 : more[i]));
        return z;
      };
      const auto tanh_of = [](Doubles v) {
        for (double& e : v) e = std::tanh(e);
        return v;
      };
      const auto shifted = [&](std::size_t i) {
        return rank == 0 ? lerp(mu[i], {}) : lerp(mu[i], times(up[i], tanh_of(times(down[i], lerp(mu_x, {})))));
      };
      const Doubles r = times(in[0], shifted(0)), k = times(in[1], shifted(1)), v = times(in[2], shifted(2)), g = times(in[3], shifted(3));
      const Doubles decay = rank == 0 ? Doubles(h * n) : times(decay_up, tanh_of(times(decay_down, shifted(4))));
      Doubles y(h * p);
      for (std::size_t j = 0; j < static_cast<std::size_t>(h); ++j) {
        Doubles o(p);
        for (std::size_t a = j * n; a < (j + 1) * n; ++a)
          for (std::size_t c = 0; c < p; ++c) {
            double& cell = state[a * p + c];
            o[c] += r[a] * (cell + u.values[a] * k[a] * v[j * p + c]);
            cell = std::exp(-std::exp(w0.values[a] + decay[a])) * cell + k[a] * v[j * p + c];
          }
        const double mean = std::accumulate(o.begin(), o.end(), 0.0) / p;
        double variance = 0;
        for (const double e : o) variance += (e - mean) * (e - mean) / p;
        for (std::size_t c = 0; c < p; ++c) {
          const std::size_t i = j * p + c;
          y[i] = ((o[c] - mean) / std::sqrt(variance + 64e-5) * gain.values[i] + bias.values[i]) * g[i] * sigmoid(g[i]);
        }
      }
      expected.push_back(times(out, y));
      before = now;
    }
  }
  expect_near(run(part, b, x), expected, 2e-4);
}
TEST(Papers, Rwkv5) { expect_rwkv(0); }
TEST(Papers, Rwkv6) { expect_rwkv(3); }

TEST(Papers, Ssru) {
  Drawn draw;
  const Array value = draw("value.weight", {kWidth, kWidth}), forget = draw("forget.weight", {kWidth, kWidth}),
              bias = draw("forget.bias", {kWidth}), x = draw("", {kSequences, kTokens, kWidth});
  const hw::Build b = draw.build();
  const hw::Ssru part({kWidth}, b);
  std::vector<Doubles> expected;
  for (index_t s = 0; s < kSequences; ++s) {
    Doubles c(kWidth);
    for (index_t t = 0; t < kTokens; ++t) {
      const Doubles v = times(value, row(x, s * kTokens + t)), f = times(forget, row(x, s * kTokens + t));
      Doubles y;
      for (std::size_t i = 0; i < c.size(); ++i) {
        const double keep = sigmoid(f[i] + bias.values[i]);
        c[i] = keep * c[i] + (1 - keep) * v[i];
        y.push_back(std::max(c[i], 0.0));
      }
      expected.push_back(y);
    }
  }
  expect_near(run(part, b, x), expected);
}

using Complex = std::complex<double>;

TEST(Papers, S4d) {
  constexpr index_t m = 5, n = 3;
  Drawn draw;
  const Array u = draw("u.weight", {m, kWidth}), skip = draw("skip", {m}), dt = draw("log_dt", {m}, 1, -2), re = draw("a_re", {m * n}),
              im = draw("a_im", {m * n}, 3), c_re = draw("c_re", {m * n}), c_im = draw("c_im", {m * n}), o = draw("o.weight", {kWidth, m}),
              x = draw("", {kSequences, kTokens, kWidth});
  const hw::Build b = draw.build();
  const hw::Recurrence<hw::S4d> part({kWidth, m, n}, b);
  std::vector<Doubles> expected;
  for (index_t s = 0; s < kSequences; ++s) {
    std::vector<Complex> h(m * n);
    for (index_t t = 0; t < kTokens; ++t) {
      const Doubles in = times(u, row(x, s * kTokens + t));
      Doubles y(m);
      for (std::size_t i = 0; i < y.size(); ++i) {
        y[i] = at(skip, static_cast<index_t>(i)) * in[i];
        for (std::size_t j = i * n; j < (i + 1) * n; ++j) {
          const Complex a(-std::exp(re.values[j]), im.values[j]), step = std::exp(std::exp(double{dt.values[i]}) * a);
          h[j] = step * h[j] + (step - 1.0) / a * in[i];
          y[i] += 2 * (Complex(c_re.values[j], c_im.values[j]) * h[j]).real();
        }
      }
      expected.push_back(times(o, y));
    }
  }
  expect_near(run(part, b, x), expected);
}

TEST(Papers, S5) {
  constexpr index_t m = 5, n = 3;
  Drawn draw;
  const Array u = draw("u.weight", {m, kWidth}), skip = draw("skip", {m}), dt = draw("log_dt", {n}, 1, -2), re = draw("a_re", {n}),
              im = draw("a_im", {n}, 3), b_re = draw("b_re", {n, m}), b_im = draw("b_im", {n, m}), c_re = draw("c_re", {m, n}),
              c_im = draw("c_im", {m, n}), o = draw("o.weight", {kWidth, m}), x = draw("", {kSequences, kTokens, kWidth});
  const hw::Build b = draw.build();
  const hw::Recurrence<hw::S5> part({kWidth, m, n}, b);
  std::vector<Doubles> expected;
  for (index_t s = 0; s < kSequences; ++s) {
    std::vector<Complex> h(n);
    for (index_t t = 0; t < kTokens; ++t) {
      const Doubles in = times(u, row(x, s * kTokens + t));
      Doubles y(m);
      for (std::size_t i = 0; i < y.size(); ++i) y[i] = at(skip, static_cast<index_t>(i)) * in[i];
      for (std::size_t j = 0; j < h.size(); ++j) {
        const Complex a(-std::exp(re.values[j]), im.values[j]), step = std::exp(std::exp(double{dt.values[j]}) * a);
        Complex sum;
        for (std::size_t i = 0; i < y.size(); ++i) sum += Complex(b_re.values[j * m + i], b_im.values[j * m + i]) * in[i];
        h[j] = step * h[j] + (step - 1.0) / a * sum;
        for (std::size_t i = 0; i < y.size(); ++i) y[i] += 2 * (Complex(c_re.values[i * n + j], c_im.values[i * n + j]) * h[j]).real();
      }
      expected.push_back(times(o, y));
    }
  }
  expect_near(run(part, b, x), expected);
}

// Which level of the tree holds token s when token t is read: [0, t) in blocks, from t down by the lowest bit of what is left.
index_t level_of(index_t t, index_t s, index_t levels) {
  if (s == t) return 0;
  for (index_t end = t, level = 1;; end -= index_t{1} << (level - 1)) {
    level = std::countr_zero(static_cast<unsigned>(end)) + 1;
    if (s >= end - (index_t{1} << (level - 1))) return std::min(level, levels - 1);
  }
}

TEST(Papers, LogLinearAttention) {
  constexpr index_t heads = 2, n = 4, p = 3, tokens = 21;
  for (const index_t levels : {2, 4, 7}) {
    Drawn draw;
    const Array q = draw("q.weight", {heads * n, kWidth}), k = draw("k.weight", {heads * n, kWidth}),
                v = draw("v.weight", {heads * p, kWidth}), a = draw("a.weight", {heads, kWidth}, 0.5f),
                w = draw("w.weight", {heads * levels, kWidth}), o = draw("o.weight", {kWidth, heads * p}),
                x = draw("", {1, tokens, kWidth});
    const hw::Build b = draw.build();
    hw::LogLinear::Config config;
    config.hidden_size = kWidth, config.num_heads = heads, config.key_dim = n, config.value_dim = p, config.levels = levels;
    const hw::Recurrence<hw::LogLinear> part(config, b);
    std::vector<Doubles> expected;
    for (index_t t = 0; t < tokens; ++t) {
      const Doubles query = times(q, row(x, t)), weight = times(w, row(x, t));
      Doubles y(heads * p);
      for (index_t h = 0; h < heads; ++h)
        for (index_t s = 0; s <= t; ++s) {
          const Doubles key = times(k, row(x, s)), value = times(v, row(x, s));
          double score = softplus(weight[static_cast<std::size_t>(h * levels + level_of(t, s, levels))]), inner = 0;
          for (index_t r = s + 1; r <= t; ++r) score *= std::exp(-softplus(times(a, row(x, r))[static_cast<std::size_t>(h)]));
          for (index_t i = h * n; i < (h + 1) * n; ++i) inner += query[static_cast<std::size_t>(i)] * key[static_cast<std::size_t>(i)];
          for (index_t i = h * p; i < (h + 1) * p; ++i)
            y[static_cast<std::size_t>(i)] += score * inner * value[static_cast<std::size_t>(i)];
        }
      expected.push_back(times(o, y));
    }
    expect_near(run(part, b, x), expected, 1e-4);
  }
}

}  // namespace
