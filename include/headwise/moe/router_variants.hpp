#pragma once
// Routers of papers that look at more than one row's logits, or make them in another way.

#include <algorithm>
#include <numeric>
#include <utility>

#include "headwise/layers/norms.hpp"
#include "headwise/moe/row_router.hpp"

namespace hw {

/// Another router that reads norm(x), while the experts read x                                              MoEUT, arXiv:2405.16039
/// Weights: the router's, and the norm's in scope `norm`.
template <Norm N, Router R>
struct NormedRouter {
  static constexpr Couples couples = joint_couples<N, R>;
  struct Config {
    index_t hidden_size = 0;
    typename N::Config norm{};
    typename R::Config router{};
  };
  NormedRouter(const Config& c, const Build& b) : norm(c.norm, b.scope("norm")), router(c.router, b) {}
  index_t experts() const noexcept { return router.experts(); }
  Plan route(In in) const {
    const View x = in.frame.step.arena.take_view(in.x.rows, in.x.cols);
    norm.forward(in.x, x, in.frame);
    return router.route({x, in.frame});
  }
  N norm;
  R router;
};

/// z = Wx (r);  s_e = cos(z, c_e) / temperature;  e = argmax s,  w = softmax(s)_e                             X-MoE, arXiv:2204.09179
/// Weights: `weight` (r, d), `centres` (e, r), `temperature` (1).
struct CosineRouter {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t hidden_size = 0, num_experts = 0, rank = 0;
  };
  CosineRouter(const Config& c, const Build& b)
      : config(c),
        reduce(c.hidden_size, c.rank, false, b.as_filed()),
        centres(b.vector("centres", c.num_experts * c.rank)),
        temperature(b.vector("temperature", 1)[0]) {}
  index_t experts() const noexcept { return config.num_experts; }
  Plan route(In in) const {
    const View z = in.frame.step.arena.take_view(in.x.rows, config.rank), s = in.frame.step.arena.take_view(in.x.rows, experts());
    reduce.forward(in.x, z, in.frame);
    return make_plan(in.frame.step, s.rows, 1, [&](index_t row, Choice& choice) {
      for (index_t e = 0; e < experts(); ++e) s(row, e) = cosine(z.row(row), centres.data() + e * config.rank, config.rank) / temperature;
      softmax_row(s[row]);
      choose_best(s[row], 1, choice);
    });
  }
  static float cosine(const float* a, const float* b, index_t n) noexcept {
    float ab = 0, aa = 0, bb = 0;
    for (index_t i = 0; i < n; ++i) ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
    return ab / std::max(std::sqrt(aa) * std::sqrt(bb), 1e-12f);
  }
  Config config;
  Linear reduce;
  std::vector<float> centres;
  float temperature;
};

/// s_e = sigmoid(cos(x, v_e));  every expert with s_e > sigmoid(t_e) runs, or else the best one; all chosen weigh the same, together 1
/// Experts that do not exist any more (`alive` 0) are never chosen.                                        DynMoE, arXiv:2405.14297
/// Weights: `vectors` (e, d), `thresholds` (e), `alive` (e).
struct DynamicRouter {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t hidden_size = 0, num_experts = 0;
  };
  DynamicRouter(const Config& c, const Build& b)
      : config(c),
        vectors(b.vector("vectors", c.num_experts * c.hidden_size)),
        thresholds(b.vector("thresholds", c.num_experts)),
        alive(b.vector("alive", c.num_experts)) {
    if (std::ranges::none_of(alive, [](float v) { return v != 0; })) fail(b.path("alive"), "an expert that exists", "none");
  }
  index_t experts() const noexcept { return config.num_experts; }
  Plan route(In in) const {
    return make_plan(in.frame.step, in.x.rows, experts(), [&](index_t row, Choice& choice) {
      index_t best = -1;
      float most = -2;
      for (index_t e = 0; e < experts(); ++e) {
        if (alive[static_cast<std::size_t>(e)] == 0) continue;
        const float s = CosineRouter::cosine(in.x.row(row), vectors.data() + e * config.hidden_size, config.hidden_size);
        if (s > thresholds[static_cast<std::size_t>(e)]) choice.add(e, 1);
        if (best < 0 || s > most) best = e, most = s;
      }
      if (choice.size() == 0) choice.add(best, 1);
      for (float& w : choice.weights()) w = 1 / static_cast<float>(choice.size());
    });
  }
  Config config;
  std::vector<float> vectors, thresholds, alive;
};

/// The vectors of the experts come from those of their domains when the model is loaded: v_e = P2 (silu(P1 d_e) * P3 d_e);
/// p = softmax(v x), the top_k best, weighed by p                                                            Nexus, arXiv:2408.15901
/// Weights: `domains` (e, n), `gate` and `up` (f, n), `down` (d, f).
struct DomainRouter {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t hidden_size = 0, num_experts = 0, domain_size = 0, intermediate_size = 0, top_k = 1;
  };
  DomainRouter(const Config& c, const Build& b) : config(c) {
    const index_t n = c.domain_size, f = c.intermediate_size;
    if (c.top_k < 1 || c.top_k > c.num_experts) fail(b.path("top_k"), concat("from 1 to ", c.num_experts), std::to_string(c.top_k));
    const auto domains = b.vector("domains", c.num_experts * n), gate = b.vector("gate", f * n), up = b.vector("up", f * n);
    const auto down = b.vector("down", c.hidden_size * f);
    const auto dot = [](const float* x, const float* y, index_t size) { return std::inner_product(x, x + size, y, 0.0f); };
    std::vector<float> h(static_cast<std::size_t>(f));
    for (index_t e = 0; e < c.num_experts; ++e) {
      for (index_t i = 0; i < f; ++i) {
        const float g = dot(gate.data() + i * n, domains.data() + e * n, n);
        h[static_cast<std::size_t>(i)] = g * sigmoid(g) * dot(up.data() + i * n, domains.data() + e * n, n);
      }
      for (index_t i = 0; i < c.hidden_size; ++i) vectors.push_back(dot(down.data() + i * f, h.data(), f));
    }
  }
  index_t experts() const noexcept { return config.num_experts; }
  Plan route(In in) const {
    const View p = in.frame.step.arena.take_view(in.x.rows, experts());
    return make_plan(in.frame.step, p.rows, config.top_k, [&](index_t row, Choice& choice) {
      for (index_t e = 0; e < experts(); ++e)
        p(row, e) = std::inner_product(in.x.row(row), in.x.row(row) + in.x.cols, vectors.data() + e * in.x.cols, 0.0f);
      softmax_row(p[row]);
      choose_best(p[row], config.top_k, choice);
    });
  }
  Config config;
  std::vector<float> vectors;
};

/// p = softmax(Wx),  e = argmax p,  w = p_e;  an expert takes the first rows of the step that choose it, as many as it has room for:
/// capacity_factor rows / experts. A row that comes too late has no expert.                     Switch Transformers, arXiv:2101.03961
/// Weights: `weight` (e, d). Error: a factor that is not above 0; an expert has room for one row at least.
struct CapacityRouter {
  static constexpr Couples couples = Couples::batch;
  struct Config {
    index_t hidden_size = 0, num_experts = 0;
    double capacity_factor = 1.0;
  };
  CapacityRouter(const Config& c, const Build& b) : config(c), logits(c.hidden_size, c.num_experts, false, b.as_filed()) {
    if (!(c.capacity_factor > 0)) fail(b.path("capacity"), "a capacity factor above 0", concat(c.capacity_factor));
  }
  index_t experts() const noexcept { return config.num_experts; }
  Plan route(In in) const {
    const View p = in.frame.step.arena.take_view(in.x.rows, experts());
    logits.forward(in.x, p, in.frame);
    const auto left = in.frame.step.arena.take<index_t>(experts());
    const double room = config.capacity_factor * static_cast<double>(p.rows) / static_cast<double>(experts());
    std::ranges::fill(left, std::max<index_t>(1, static_cast<index_t>(room)));
    return make_plan(in.frame.step, p.rows, 1, [&](index_t row, Choice& choice) {
      softmax_row(p[row]);
      const index_t e = largest(p[row]);
      if (left[static_cast<std::size_t>(e)]-- > 0) choice.add(e, p(row, e));
    });
  }
  Config config;
  Linear logits;
};

/// Another router's plan, in which an expert takes the first `capacity` rows of each sequence that choose it; rows that come later pass it
/// by. Weights: the router's. Error: a capacity below 1.                          Switch Transformers, arXiv:2101.03961, as published
template <Router R>
struct SequenceCapacity {
  static constexpr Couples couples = std::max(Couples::sequence, couples_of<R>);
  struct Config {
    index_t hidden_size = 0;
    index_t capacity = 0;
    typename R::Config router{};
  };
  SequenceCapacity(const Config& c, const Build& b) : capacity(c.capacity), router(c.router, b) {
    if (c.capacity < 1) fail(b.path("capacity"), "at least 1", std::to_string(c.capacity));
  }
  index_t experts() const noexcept { return router.experts(); }
  Plan route(In in) const {
    Arena& arena = in.frame.step.arena;
    const Plan all = router.route(in);
    const auto begin = arena.take<int>(in.x.rows + 1), item = arena.take<int>(std::ssize(all.item));
    const auto w_in = arena.take<float>(std::ssize(all.w_in)), w_out = arena.take<float>(std::ssize(all.w_out));
    const auto taken = arena.take<index_t>(experts());
    std::size_t kept = 0;
    begin[0] = 0;
    for (const RowRange& s : in.frame.tokens().sequences) {
      std::ranges::fill(taken, 0);
      for (auto row = static_cast<std::size_t>(s.begin); row < static_cast<std::size_t>(s.end); ++row) {
        for (auto i = static_cast<std::size_t>(all.begin[row]); i < static_cast<std::size_t>(all.begin[row + 1]); ++i) {
          if (taken[static_cast<std::size_t>(all.item[i])]++ >= capacity) continue;
          if (!w_in.empty()) w_in[kept] = all.w_in[i];
          if (!w_out.empty()) w_out[kept] = all.w_out[i];
          item[kept++] = all.item[i];
        }
        begin[row + 1] = static_cast<int>(kept);
      }
    }
    return {begin, item.first(kept), w_in.first(std::min(kept, w_in.size())), w_out.first(std::min(kept, w_out.size()))};
  }
  index_t capacity;
  R router;
};

/// p = softmax(Wx) over the experts;  every expert takes the capacity n / experts rows of largest p of each sequence, weighed by p
/// A row may have any number of experts.                                                         Expert choice, arXiv:2202.09368
/// Weights: `weight` (e, d).
struct ExpertChoice {
  static constexpr Couples couples = Couples::sequence;
  struct Config {
    index_t hidden_size = 0, num_experts = 0;
    double capacity = 1.0;  // experts a row, on average
  };
  ExpertChoice(const Config& c, const Build& b) : config(c), logits(c.hidden_size, c.num_experts, false, b.as_filed()) {
    if (!(c.capacity > 0)) fail(b.path("capacity"), "a capacity above 0", concat(c.capacity));
  }
  index_t experts() const noexcept { return config.num_experts; }
  Plan route(In in) const {
    const View p = in.frame.step.arena.take_view(in.x.rows, experts());
    logits.forward(in.x, p, in.frame);
    for (index_t row = 0; row < p.rows; ++row) softmax_row(p[row]);
    return make_plan(in.frame.step, p.rows, experts(), [&](index_t row, Choice& choice) {
      RowRange own{};
      for (const RowRange& s : in.frame.tokens().sequences)
        if (row >= s.begin && row < s.end) own = s;
      const auto room = static_cast<index_t>(static_cast<double>(own.size()) * config.capacity / static_cast<double>(experts()));
      for (index_t e = 0; e < experts(); ++e) {
        index_t before = 0;  // rows that the expert likes better
        for (index_t t = own.begin; t < own.end; ++t) before += p(t, e) > p(row, e) || (p(t, e) == p(row, e) && t < row);
        if (before < room) choice.add(e, p(row, e));
      }
    });
  }
  Config config;
  Linear logits;
};

/// The expert whose number is the row's mark (TokenSet::mark), weight 1: experts by modality, language or domain.  VLMo, arXiv:2111.02358
/// Error, in forward: a mark that is no expert's number.
struct MarkRouter {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t hidden_size = 0, num_experts = 0;
  };
  MarkRouter(const Config& c, const Build& b) : count(c.num_experts), where(b.path("")) {}
  index_t experts() const noexcept { return count; }
  Plan route(In in) const {
    const auto marks = in.frame.tokens().mark;
    return make_plan(in.frame.step, in.x.rows, 1, [&](index_t row, Choice& choice) {
      const index_t mark = marks.empty() ? -1 : marks[static_cast<std::size_t>(row)];
      if (mark < 0 || mark >= count) fail(where, concat("a mark from 0 to ", count - 1, " for row ", row), std::to_string(mark));
      choice.add(mark, 1);
    });
  }
  index_t count;
  std::string where;
};

/// A router for every task; the row's mark says which one it takes                                         M3ViT, arXiv:2210.14793
/// Weights: those of task j in scope `<j>`.
template <Router R>
struct TaskRouter {
  static constexpr Couples couples = couples_of<R>;
  struct Config {
    index_t hidden_size = 0;
    typename R::Config router{};
    index_t tasks = 1;
  };
  TaskRouter(const Config& c, const Build& b) : where(b.path("")) {
    for (index_t j = 0; j < c.tasks; ++j) routers.emplace_back(c.router, b.scope(std::to_string(j)));
    if (routers.empty()) fail(where, "at least one task", std::to_string(c.tasks));
  }
  index_t experts() const noexcept { return routers[0].experts(); }
  Plan route(In in) const {
    const auto marks = in.frame.tokens().mark;
    const auto plans = in.frame.step.arena.take<Plan>(static_cast<index_t>(routers.size()));
    for (std::size_t j = 0; j < routers.size(); ++j) plans[j] = routers[j].route(in);
    return make_plan(in.frame.step, in.x.rows, experts(), [&](index_t row, Choice& choice) {
      const auto r = static_cast<std::size_t>(row), task = static_cast<std::size_t>(marks.empty() ? -1 : marks[r]);
      if (task >= plans.size())
        fail(where, concat("a mark from 0 to ", plans.size() - 1, " for row ", row), std::to_string(static_cast<std::int64_t>(task)));
      const Plan& plan = plans[task];
      for (auto i = static_cast<std::size_t>(plan.begin[r]); i < static_cast<std::size_t>(plan.begin[r + 1]); ++i)
        choice.add(plan.item[i], plan.w_out.empty() ? 1.0f : plan.w_out[i]);
    });
  }
  std::vector<R> routers;
  std::string where;
};

}  // namespace hw
