// Scores and normalisers of one's own, compiled into the kernels of every target.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "headwise/kernels/attention_function.hpp"
#include "tests/kernels/attention_cases.hpp"

namespace {

using namespace headwise_test;

class AttentionPolicy : public testing::TestWithParam<Target> {
 protected:
  const AttentionKernels& kernels = table(GetParam()).attention;
};

using Rows = std::vector<std::vector<double>>;

// Compares out of all heads with sum_e w_e v_e, for weights that `weights(scores of all heads, token)` makes of scores in place.
template <class Weights>
void expect_weights(Problem& p, const Attend& call, double tolerance, Weights weights) {
  for (index_t i = 0; i < p.shape.tokens; ++i) {
    Rows s;
    for (index_t g = 0; g < p.shape.kv_heads; ++g) {
      Attend a = call;
      a.q += g * p.shape.heads * p.shape.key_dim;
      for (index_t h = 0; h < p.shape.heads; ++h) s.push_back(ref::scores(a, p.plain(g), i, h));
    }
    weights(s, i);
    for (std::size_t h = 0; h < s.size(); ++h) {
      const std::vector<double> expected = ref::weigh(call, p.plain(static_cast<index_t>(h) / p.shape.heads), i, s[h]);
      for (index_t j = 0; j < p.shape.value_dim; ++j)
        ASSERT_NEAR(call.out[i * call.out_token_stride + static_cast<index_t>(h) * call.out_head_stride + j],
                    expected[static_cast<std::size_t>(j)], tolerance)
            << "token " << i << " head " << h << " column " << j;
    }
  }
}

struct Decay {
  float log_gamma;
  void modify(const ScoreTile& tile) const {
    for (int i = 0; i < tile.rows; ++i)
      for (int j = 0; j < 64; ++j) tile(i, j) += log_gamma * static_cast<float>(tile.row[i].entry - (tile.entry + j));
  }
};

TEST_P(AttentionPolicy, ModifiedScores) {
  Problem p({1200, 30, 3, 1, 16, 16}, kernels);
  const Attend a = p.call();
  attention_function<Decay>(GetParam())(a, Decay{-0.05f}, Softmax{}, p.scratch.data());
  expect_weights(p, a, 2e-6, [&](Rows& s, index_t i) {
    for (auto& row : s) {
      for (std::size_t e = 0; e < row.size(); ++e)
        row[e] += -0.05f * double(p.query_entry[static_cast<std::size_t>(i)] - static_cast<index_t>(e));
      ref::softmax_with_sink(row, nullptr);
    }
  });
}

// Negative squared distance in place of the dot product.
struct Distance {
  void tile(const ScoreTile& t) const {
    for (int i = 0; i < t.rows; ++i) {
      for (int j = 0; j < 64; ++j) t(i, j) = 0;
      for (index_t d = 0; d < t.key_dim; ++d)
        for (int j = 0; j < 64; ++j) {
          const float x = t.row[i].q[d] - t.keys[d * 64 + j];
          t(i, j) -= 0.5f * x * x;
        }
    }
  }
};

TEST_P(AttentionPolicy, ScoresInPlaceOfTheDotProduct) {
  Problem p({100, 100, 3, 1, 12, 16}, kernels);
  const Attend a = p.call();
  attention_function<Distance>(GetParam())(a, {}, {}, p.scratch.data());
  const std::vector<float> whole = p.out;
  const ref::KeysValues kv = p.plain();
  index_t head = 0;
  expect_weights(p, a, 1e-5, [&](Rows& s, index_t i) {
    head = 0;
    for (auto& row : s) {
      for (std::size_t e = 0; e < row.size(); ++e) {
        if (std::isinf(row[e])) continue;
        row[e] = 0;
        for (index_t d = 0; d < 12; ++d)
          row[e] -= 0.5 * std::pow(a.q[i * a.q_token_stride + head * 12 + d] - kv.k[static_cast<index_t>(e) * 12 + d], 2);
      }
      ref::softmax_with_sink(row, nullptr);
      ++head;
    }
  });
  for (index_t i = 0; i < 100; ++i) attention_function<Distance>(GetParam())(Problem::part(a, i, i + 1), {}, {}, p.scratch.data());
  EXPECT_EQ(p.out, whole);  // prefill == decode holds for policies too
}

// Sigmoid attention (arXiv:2409.04431): no maximum, no sum.
struct Sigmoid {
  float bias;
  float absorb(OnlineRow&, float* s) const {
    for (int j = 0; j < 64; ++j) s[j] = 1.0f / (1.0f + std::exp(-(s[j] + bias)));
    return 1.0f;
  }
  float merge(OnlineRow&, const OnlineRow&, float& factor) const {
    factor = 1.0f;
    return 1.0f;
  }
  float finish(const OnlineRow&) const { return 1.0f; }
};
static_assert(OnlineNormaliser<Sigmoid> && OnlineNormaliser<Softmax> && !OnlineNormaliser<Decay>);

TEST_P(AttentionPolicy, AnotherOnlineNormaliser) {
  Problem p({1200, 30, 3, 1, 16, 16}, kernels);
  const Attend a = p.call();
  attention_function<DotScore, Sigmoid>(GetParam())(a, {}, Sigmoid{-5.0f}, p.scratch.data());
  expect_weights(p, a, 1e-4, [&](Rows& s, index_t) {
    for (auto& row : s)
      for (double& x : row) x = 1 / (1 + std::exp(-(x - 5.0)));
  });
}

// Softmax written as a user would: the online form of the stock one, held to it.
struct PlainSoftmax {
  float absorb(OnlineRow& row, float* s) const {
    float most = row.max;
    for (int j = 0; j < 64; ++j) most = s[j] > most ? s[j] : most;
    const float factor = std::exp(row.max - most);
    row = {most, row.sum * factor};
    for (int j = 0; j < 64; ++j) row.sum += s[j] = std::exp(s[j] - most);
    return factor;
  }
  float merge(OnlineRow& row, const OnlineRow& later, float& factor) const {
    const float most = std::max(row.max, later.max), before = std::exp(row.max - most);
    factor = std::exp(later.max - most);
    row = {most, row.sum * before + later.sum * factor};
    return before;
  }
  float finish(const OnlineRow& row) const { return row.sum == 0 ? 0 : 1 / row.sum; }
};

TEST_P(AttentionPolicy, OnlineSoftmaxOfAUser) {
  Problem p({2200, 12, 3, 1, 16, 16}, kernels);
  const Attend a = p.call();
  attention_function<DotScore, PlainSoftmax>(GetParam())(a, {}, {}, p.scratch.data());
  const std::vector<float> found = p.out;
  kernels.attend(a, p.scratch.data());
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], p.out[i], 1e-6);
}

// ---- whole rows ----

TEST_P(AttentionPolicy, SoftmaxByRowsIsTheOnlineOne) {
  Problem p({300, 20, 3, 2, 16, 20}, kernels);
  const float sinks[6] = {0.5f, 1, 2, -3, 0, 4}, slopes[6] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f};
  AlignedBuffer<float> rows(6 * 320);
  Attend a = p.call();
  a.sink = sinks, a.alibi = slopes, a.soft_cap = 2.0f;
  double sum = 0;
  int looked = 0;
  const auto look = [&](const ScoreRows& r) {
    ASSERT_EQ(r.heads, 6);
    ASSERT_EQ(r.begin, 0);
    ++looked;
    for (index_t h = 0; h < 6; ++h) {
      sum = 0;
      for (index_t e = 0; e < r.count; ++e) {
        sum += r.row(h)[e];
        ASSERT_TRUE(e <= r.entry || r.row(h)[e] == 0.0f);
      }
      ASSERT_GT(sum, 0.01);
      ASSERT_LT(sum, 1.0);  // the sink has the rest
    }
  };
  using Watched = WatchedSoftmaxRows<decltype(look)>;
  row_attention_function<DotScore, Watched>(GetParam())(a, 2, {}, Watched{look}, rows.data(), p.scratch.data());
  EXPECT_EQ(looked, 20);
  const std::vector<float> by_rows = p.out;
  for (index_t g = 0; g < 2; ++g) {
    Attend b = p.call(g);
    b.sink = sinks + 3 * g, b.alibi = slopes + 3 * g, b.soft_cap = 2.0f;
    kernels.attend(b, p.scratch.data());
  }
  for (std::size_t i = 0; i < by_rows.size(); ++i) ASSERT_NEAR(by_rows[i], p.out[i], 2e-6) << i;
}

// The k largest scores of a row, then softmax.
struct TopKeys {
  index_t k;
  void rows(const ScoreRows& r) const {
    for (index_t h = 0; h < r.heads; ++h) {
      std::vector<float> sorted(r.row(h), r.row(h) + r.count);
      std::sort(sorted.rbegin(), sorted.rend());
      const float least = sorted[static_cast<std::size_t>(std::min(k, r.count) - 1)], most = sorted[0];
      float sum = 0;
      for (index_t e = 0; e < r.count; ++e) sum += r.row(h)[e] = r.row(h)[e] < least ? 0 : std::exp(r.row(h)[e] - most);
      for (index_t e = 0; e < r.count; ++e) r.row(h)[e] /= sum;
    }
  }
};

// Talking heads (arXiv:2003.02436): scores mix across all heads of the model, between and after softmax.
struct TalkingHeads {
  const float* mix;
  void rows(const ScoreRows& r) const {
    const auto n = static_cast<std::size_t>(r.heads);
    for (index_t e = 0; e < r.count; ++e) {
      const bool unseen = r.row(0)[e] == -std::numeric_limits<float>::infinity();
      std::vector<float> column(n, 0.0f);
      for (std::size_t h = 0; h < n; ++h)
        for (std::size_t g = 0; g < n; ++g) column[h] += mix[h * n + g] * r.row(static_cast<index_t>(g))[e];
      for (std::size_t h = 0; h < n; ++h) r.row(static_cast<index_t>(h))[e] = unseen ? -1e9f : column[h];
    }
    for (index_t h = 0; h < r.heads; ++h) {
      float sum = 0;
      for (index_t e = 0; e < r.count; ++e) sum += r.row(h)[e] = r.row(h)[e] < -1e8f ? 0 : std::exp(r.row(h)[e]);
      for (index_t e = 0; e < r.count; ++e) r.row(h)[e] /= sum;
    }
  }
};
static_assert(RowNormaliser<TopKeys> && RowNormaliser<SoftmaxRows> && !RowNormaliser<Softmax>);

TEST_P(AttentionPolicy, TopKeysAndTalkingHeads) {
  Problem p({200, 9, 3, 2, 16, 12}, kernels);
  AlignedBuffer<float> rows(6 * 256);
  for (std::size_t i = 0; i < p.visible.size(); ++i) p.visible[i].begin = 40 + static_cast<index_t>(i) * 9;
  const Attend a = p.call();
  row_attention_function<DotScore, TopKeys>(GetParam())(a, 2, {}, TopKeys{5}, rows.data(), p.scratch.data());
  expect_weights(p, a, 2e-6, [](Rows& s, index_t) {
    for (auto& row : s) {
      auto sorted = row;
      std::sort(sorted.rbegin(), sorted.rend());
      for (double& x : row)
        if (x < sorted[4]) x = -std::numeric_limits<double>::infinity();
      ref::softmax_with_sink(row, nullptr);
    }
  });
  std::vector<float> mix(36);
  for (std::size_t i = 0; i < 36; ++i) mix[i] = std::sin(static_cast<float>(i) + 1.0f) * 0.5f;
  row_attention_function<DotScore, TalkingHeads>(GetParam())(a, 2, {}, TalkingHeads{mix.data()}, rows.data(), p.scratch.data());
  expect_weights(p, a, 5e-6, [&](Rows& s, index_t) {
    const Rows before = s;
    for (std::size_t h = 0; h < 6; ++h) {
      for (std::size_t e = 0; e < s[h].size(); ++e) {
        if (std::isinf(before[0][e])) continue;
        s[h][e] = 0;
        for (std::size_t g = 0; g < 6; ++g) s[h][e] += double(mix[h * 6 + g]) * before[g][e];
      }
      ref::softmax_with_sink(s[h], nullptr);
    }
  });
}

TEST_P(AttentionPolicy, RowsThatSeeNothing) {
  Problem p({80, 2, 3, 1, 16, 16}, kernels);
  p.visible[0] = {70, 70};
  AlignedBuffer<float> rows(3 * 128);
  const Attend a = p.call();
  row_attention_function<DotScore, SoftmaxRows>(GetParam())(a, 1, {}, {}, rows.data(), p.scratch.data());
  for (int j = 0; j < 48; ++j) EXPECT_EQ(p.out[static_cast<std::size_t>(j)], 0.0f);
  EXPECT_NE(p.out[48], 0.0f);
}

INSTANTIATE_TEST_SUITE_P(Targets, AttentionPolicy, testing::ValuesIn(supported_targets()),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
