#pragma once
// Routers that look an expert up: by the token's id, or by keys that are learned in halves. Not in the umbrella header.

#include <limits>
#include <string>
#include <vector>

#include "headwise/layers/small_matrix.hpp"
#include "headwise/moe/row_router.hpp"

namespace hw {

/// The expert table[id] of the row's token, weight 1: random, balanced or clustered, as the table says        hash layers, arXiv:2106.04426
/// Weights: `table` (vocab). Errors: a table with what is no expert; in forward: a row without an id, or with one behind the table.
struct HashRouter {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t hidden_size = 0, num_experts = 0, vocab_size = 0;
  };
  HashRouter(const Config& c, const Build& b) : config(c), table(b.vector("table", c.vocab_size)), where(b.path("table")) {
    for (const float e : table)
      if (!(e >= 0 && e < static_cast<float>(c.num_experts))) fail(where, concat("experts from 0 to ", c.num_experts - 1), concat(e));
  }
  index_t experts() const noexcept { return config.num_experts; }
  Plan route(In in) const {
    const auto ids = in.frame.tokens().id;
    return make_plan(in.frame.step, in.x.rows, 1, [&](index_t row, Choice& choice) {
      const index_t id = ids.empty() ? -1 : ids[static_cast<std::size_t>(row)];
      if (id < 0 || id >= config.vocab_size) fail(where, concat("a token id from 0 to ", config.vocab_size - 1), std::to_string(id));
      choice.add(static_cast<index_t>(table[static_cast<std::size_t>(id)]), 1);
    });
  }
  Config config;
  std::vector<float> table;
  std::string where;
};

/// Of n^2 experts, for each head: (q1, q2) = Wq x + b, s1 = K1 q1, s2 = K2 q2; of the top_k best of s1 and of s2 the top_k best sums,
/// expert n i + j, weighed by a softmax over these    product keys, arXiv:1907.05242; one pool of experts for all heads, arXiv:2407.04153
/// Weights: `query` (heads r, d) with a bias, the norm of queries folded into both; `keys1`, `keys2` (n, r / 2).
struct ProductKeyRouter {
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    index_t hidden_size = 0, keys = 0, key_size = 0, heads = 1, top_k = 1;  // n, r
  };
  ProductKeyRouter(const Config& c, const Build& b)
      : c(c),
        query(c.hidden_size, c.heads * c.key_size, true, b.scope("query").as_filed()),
        keys{SmallMatrix("keys1", c.keys, c.key_size / 2, b), SmallMatrix("keys2", c.keys, c.key_size / 2, b)} {
    if (c.top_k < 1 || c.top_k > c.keys) fail(b.path("top_k"), concat("from 1 to ", c.keys), std::to_string(c.top_k));
  }
  index_t experts() const noexcept { return c.keys * c.keys; }
  Plan route(In in) const {
    Arena& arena = in.frame.step.arena;
    const View q = arena.take_view(in.x.rows, query.out()), s = arena.take_view(1, std::max(c.keys, c.top_k * c.top_k));
    const auto item = arena.take<int>(2 * c.top_k);
    const auto weight = arena.take<float>(2 * c.top_k);
    query.forward(in.x, q, in.frame);
    return make_plan(in.frame.step, q.rows, c.heads * c.top_k, [&](index_t row, Choice& choice) {
      for (index_t h = 0; h < c.heads; ++h) {
        for (index_t half = 0; half < 2; ++half) {
          for (index_t i = 0; i < c.keys; ++i) s(0, i) = keys[half].dot(i, q.row(row) + h * c.key_size + half * (c.key_size / 2));
          Choice best(item.data() + half * c.top_k, weight.data() + half * c.top_k);
          choose_best(s[0].first(static_cast<std::size_t>(c.keys)), c.top_k, best);
        }
        for (index_t i = 0; i < c.top_k * c.top_k; ++i) s(0, i) = weight[at(i / c.top_k)] + weight[at(c.top_k + i % c.top_k)];
        const int first = choice.size();
        choose_best(s[0].first(at(c.top_k * c.top_k)), c.top_k, choice);
        for (int i = first; i < choice.size(); ++i) {
          int& e = choice.item(i);
          e = item[at(e / c.top_k)] * static_cast<int>(c.keys) + item[at(c.top_k + e % c.top_k)];
        }
        softmax_row(choice.weights().subspan(at(first)));
      }
    });
  }
  static std::size_t at(index_t i) noexcept { return static_cast<std::size_t>(i); }
  Config c;
  Linear query;
  SmallMatrix keys[2];
};

}  // namespace hw
