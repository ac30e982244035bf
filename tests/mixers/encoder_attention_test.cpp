// What encoders add to scores and masks, against the formulas in double.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "headwise/blocks/marked.hpp"
#include "headwise/headwise.hpp"
#include "headwise/mixers/attention/disentangled.hpp"
#include "headwise/mixers/attention/segment_relative.hpp"
#include "headwise/mixers/attention/transient_global.hpp"
#include "headwise/mixers/conv.hpp"

namespace {

using hw::index_t;
using Rows = std::vector<std::vector<double>>;

constexpr index_t kWidth = 12, kHeads = 2, kDim = 4, kInner = kHeads * kDim;

// Two sequences of which one is longer than a block of keys, with marks, and random weights that the reference reads as well.
class EncoderAttention : public testing::TestWithParam<int> {
 protected:
  EncoderAttention() {
    for (index_t t = 0; t < kRows; ++t) {
      const bool second = t >= kFirst;
      index.push_back(second ? t - kFirst : t);
      coord.push_back(static_cast<float>(index.back()));
      mark.push_back(t % 29 == 3 ? 1 : 0);
      for (index_t i = 0; i < kWidth; ++i) x.view()(t, i) = std::sin(1.3f * static_cast<float>(t * kWidth + i) + 0.1f * static_cast<float>(t));
    }
    tokens.sequences = sequences;
    tokens.index = index;
    tokens.coord = coord;
    tokens.mark = mark;
    tokens.total = total;
  }

  template <class Part>
  Rows run(const Part& part) {
    hw::Step step{pool, hw::kernels::table(), arena};
    const hw::Frame frame(step, tokens, {});
    hw::Tensor<float> y({kRows, kWidth});
    hw::run_sublayer(part, hw::In{x.view(), frame}, y.view(), {});
    return rows(y.view());
  }
  static Rows rows(hw::ConstView v) {
    Rows out(static_cast<std::size_t>(v.rows));
    for (index_t i = 0; i < v.rows; ++i) out[static_cast<std::size_t>(i)].assign(v.row(i), v.row(i) + v.cols);
    return out;
  }
  Rows matrix(const std::string& name, index_t n, index_t cols) const {
    const auto source = build.matrix(name, n, cols);
    hw::Tensor<float> out({n, cols});
    for (index_t i = 0; i < n; ++i) source.read_row(i, out.view().row(i));
    return rows(out.view());
  }
  std::vector<double> bias(const std::string& name, index_t n) const {
    const auto v = build.vector(name, n);
    return {v.begin(), v.end()};
  }
  // W x + b of every row
  static Rows map(const Rows& x, const Rows& w, const std::vector<double>& b = {}) {
    Rows out;
    for (const auto& row : x) {
      out.push_back(b.empty() ? std::vector<double>(w.size()) : b);
      for (std::size_t o = 0; o < w.size(); ++o)
        for (std::size_t i = 0; i < row.size(); ++i) out.back()[o] += w[o][i] * row[i];
    }
    return out;
  }
  // Of two rows' columns of a head.
  static double dot(const std::vector<double>& a, const std::vector<double>& b, index_t head) {
    double sum = 0;
    for (index_t i = head * kDim; i < (head + 1) * kDim; ++i) sum += a[static_cast<std::size_t>(i)] * b[static_cast<std::size_t>(i)];
    return sum;
  }
  // softmax over the weights weight(i, e) exp(score(i, e, head)) of the sequence's rows, times v, times Wo
  Rows attend(const Rows& v, const Rows& o, const std::function<double(index_t, index_t, index_t)>& score,
              const std::function<double(index_t, index_t)>& weight = [](index_t, index_t) { return 1.0; }) const {
    Rows out(static_cast<std::size_t>(kRows), std::vector<double>(kInner));
    for (const hw::RowRange s : sequences)
      for (index_t i = s.begin; i < s.end; ++i)
        for (index_t h = 0; h < kHeads; ++h) {
          double sum = 0;
          for (index_t e = s.begin; e < s.end; ++e) {
            const double p = weight(i, e) == 0 ? 0 : weight(i, e) * std::exp(score(i, e, h));
            sum += p;
            for (index_t k = h * kDim; k < (h + 1) * kDim; ++k) out[at(i)][at(k)] += p * v[at(e)][at(k)];
          }
          for (index_t k = h * kDim; sum > 0 && k < (h + 1) * kDim; ++k) out[at(i)][at(k)] /= sum;
        }
    return map(out, o);
  }
  static std::size_t at(index_t i) { return static_cast<std::size_t>(i); }
  static void expect_near(const Rows& got, const Rows& want) {
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i)
      for (std::size_t j = 0; j < got[i].size(); ++j) ASSERT_NEAR(got[i][j], want[i][j], 2e-5) << "row " << i << ", column " << j;
  }
  Rows input() const { return rows(x.view()); }

  static constexpr index_t kFirst = 70, kRows = 85;
  hw::ThreadPool pool{GetParam()};
  hw::Build build{hw::RandomWeights{.seed = 5}, hw::kernels::table(), pool};
  hw::Arena arena;
  std::vector<hw::RowRange> sequences{{0, kFirst}, {kFirst, kRows}};
  std::vector<index_t> index, total{kFirst, kRows - kFirst};
  std::vector<float> coord;
  std::vector<std::int32_t> mark;
  hw::Tensor<float> x{{kRows, kWidth}};
  hw::TokenSet tokens;
  const hw::QkvProjection::Config plain{.hidden_size = kWidth, .num_attention_heads = kHeads, .num_key_value_heads = kHeads, .head_dim = kDim};
};

INSTANTIATE_TEST_SUITE_P(Threads, EncoderAttention, testing::Values(1, 3));

TEST(RelativeBias, Buckets) {
  const hw::RelativeBias::Config both{.num_buckets = 32, .max_distance = 128}, past{.num_buckets = 32, .max_distance = 128, .bidirectional = false};
  for (index_t n = 0; n < 8; ++n) EXPECT_EQ(hw::RelativeBias::bucket(both, -n), n);
  for (const auto& [distance, bucket] : {std::pair<index_t, index_t>{8, 8}, {11, 8}, {12, 9}, {16, 10}, {32, 12}, {64, 14}, {127, 15}, {5000, 15}}) {
    EXPECT_EQ(hw::RelativeBias::bucket(both, -distance), bucket) << distance;
    EXPECT_EQ(hw::RelativeBias::bucket(both, distance), 16 + bucket) << distance;
  }
  EXPECT_EQ(hw::RelativeBias::bucket(past, 9), 0);
  EXPECT_EQ(hw::RelativeBias::bucket(past, -15), 15);
  EXPECT_EQ(hw::RelativeBias::bucket(past, -128), 31);
}

TEST_P(EncoderAttention, RelativeBias) {
  using Attention = hw::Attention<hw::Full>;
  Attention::Config c{.project = plain};
  c.options.relative = {.num_buckets = 8, .max_distance = 20};
  const Attention part(c, build);
  const Rows q = map(input(), matrix("q.weight", kInner, kWidth)), k = map(input(), matrix("k.weight", kInner, kWidth)),
             v = map(input(), matrix("v.weight", kInner, kWidth)), table = matrix("relative_bias.weight", 8, kHeads);
  expect_near(run(part), attend(v, matrix("o.weight", kWidth, kInner), [&](index_t i, index_t e, index_t h) {
                return dot(q[at(i)], k[at(e)], h) / 2 + table[at(hw::RelativeBias::bucket(c.options.relative, e - i))][at(h)];
              }));
}

TEST_P(EncoderAttention, Disentangled) {
  using Attention = hw::Attention<hw::Full, hw::DisentangledProjection>;
  for (const bool logs : {false, true}) {
    Attention::Config c{.project = {kWidth, kHeads, kDim}};
    c.project.span = logs ? 6 : 9;
    c.project.log_buckets = logs;
    c.project.max_distance = 40;
    c.project.position_keys = c.project.position_queries = c.project.pos_query_bias = true;
    c.project.scale = 0.3f;
    c.options.scale = 0.3f;
    const Attention part(c, build);
    const Rows q = map(input(), matrix("q.weight", kInner, kWidth)), k = map(input(), matrix("k.weight", kInner, kWidth)),
               v = map(input(), matrix("v.weight", kInner, kWidth)), relative = matrix("relative.weight", 2 * c.project.span, kWidth);
    const Rows p = map(relative, matrix("pos_key.weight", kInner, kWidth)),
               r = map(relative, matrix("pos_query.weight", kInner, kWidth), bias("pos_query.bias", kInner));
    const auto place = [&](index_t distance) {
      double n = static_cast<double>(distance);
      if (logs && std::abs(distance) > 3) n = std::copysign(3 + std::ceil(std::log(std::abs(n) / 3) / std::log(39.0 / 3) * 2), n);
      return at(std::clamp<index_t>(static_cast<index_t>(n) + c.project.span, 0, 2 * c.project.span - 1));
    };
    expect_near(run(part), attend(v, matrix("o.weight", kWidth, kInner), [&](index_t i, index_t e, index_t h) {
                  return 0.3 * (dot(q[at(i)], k[at(e)], h) + dot(q[at(i)], p[place(i - e)], h) + dot(k[at(e)], r[place(i - e)], h));
                }));
  }
}

TEST_P(EncoderAttention, SegmentRelative) {
  using Attention = hw::Attention<hw::Full, hw::SegmentRelativeProjection>;
  Attention::Config c{.project = {kWidth, kHeads, kDim, 0.5f}};
  const Attention part(c, build);
  const Rows q = map(input(), matrix("q.weight", kInner, kWidth)), k = map(input(), matrix("k.weight", kInner, kWidth)),
             v = map(input(), matrix("v.weight", kInner, kWidth)), segments = matrix("segments", 2, kInner);
  const auto with = [&](const std::vector<double>& row, const char* name) {
    auto out = bias(name, kInner);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += row[i];
    return out;
  };
  Rows angles;
  for (index_t n = -kFirst; n <= kFirst; ++n) {
    angles.emplace_back();
    for (const bool cosine : {false, true})
      for (index_t j = 0; j < kWidth / 2; ++j) {
        const double a = static_cast<double>(n) * std::pow(10000.0, -2.0 * static_cast<double>(j) / kWidth);
        angles.back().push_back(cosine ? std::cos(a) : std::sin(a));
      }
  }
  const Rows places = map(angles, matrix("r.weight", kInner, kWidth));
  expect_near(run(part), attend(v, matrix("o.weight", kWidth, kInner), [&](index_t i, index_t e, index_t h) {
                return 0.5 * (dot(with(q[at(i)], "content_bias"), k[at(e)], h) + dot(with(q[at(i)], "position_bias"), places[at(i - e + kFirst)], h) +
                              dot(with(q[at(i)], "segment_bias"), segments[mark[at(i)] == mark[at(e)] ? 0 : 1], h));
              }));
}

TEST_P(EncoderAttention, NearOrMarkedAndOfMarked) {
  using Part = hw::Marked<hw::Attention<hw::NearOrMarked>, hw::Attention<hw::OfMarked>>;
  for (const bool first : {false, true}) {
    const Part part({{.project = plain, .mask = {3, first}}, {.project = plain, .mask = {first}}, first}, build);
    const auto marked = [&](index_t t) { return mark[at(t)] != 0 || (first && index[at(t)] == 0); };
    const auto of = [&](const std::string& scope, const std::function<double(index_t, index_t)>& weight) {
      const Rows q = map(input(), matrix(scope + "q.weight", kInner, kWidth)), k = map(input(), matrix(scope + "k.weight", kInner, kWidth)),
                 v = map(input(), matrix(scope + "v.weight", kInner, kWidth));
      return attend(v, matrix(scope + "o.weight", kWidth, kInner), [&](index_t i, index_t e, index_t h) { return dot(q[at(i)], k[at(e)], h) / 2; }, weight);
    };
    Rows want = of("", [&](index_t i, index_t e) { return std::abs(i - e) <= 3 || marked(e) ? 1.0 : 0.0; });
    const Rows all = of("marked.", [&](index_t, index_t) { return 1.0; });
    for (index_t t = 0; t < kRows; ++t)
      if (marked(t)) want[at(t)] = all[at(t)];
    expect_near(run(part), want);
  }
}

TEST_P(EncoderAttention, BlockSparse) {
  using Attention = hw::Attention<hw::BlockSparse>;
  const Attention part({.project = plain, .mask = {5, 2}}, build);  // up to 45 entries everything is seen: the second sequence is short
  const Rows q = map(input(), matrix("q.weight", kInner, kWidth)), k = map(input(), matrix("k.weight", kInner, kWidth)),
             v = map(input(), matrix("v.weight", kInner, kWidth));
  expect_near(run(part), attend(v, matrix("o.weight", kWidth, kInner), [&](index_t i, index_t e, index_t h) { return dot(q[at(i)], k[at(e)], h) / 2; },
                                [&](index_t i, index_t e) {
                                  const index_t last = kFirst / 5 - 1, a = i / 5, b = e / 5;
                                  if (i >= kFirst || a == 0 || a == last) return 1.0;
                                  if (b == 0) return 3.0;
                                  return b == last || std::abs(a - b) <= 1 ? 1.0 : 0.0;
                                }));
}

TEST_P(EncoderAttention, TransientGlobal) {
  constexpr index_t kBlock = 16, kBlocks = kFirst / kBlock;  // the second sequence is shorter than a block, and has none
  const hw::TransientGlobalAttention::Config c{.project = plain, .radius = 5, .block_size = kBlock, .scale = 0.5f,
                                               .relative = {.num_buckets = 8, .max_distance = 20}, .global_norm = {kWidth}};
  const hw::TransientGlobalAttention part(c, build);
  const Rows x = input(), wk = matrix("k.weight", kInner, kWidth), wv = matrix("v.weight", kInner, kWidth);
  const Rows q = map(x, matrix("q.weight", kInner, kWidth)), near = matrix("relative_bias.weight", 8, kHeads),
             far = matrix("global_bias.weight", 8, kHeads);
  const auto weight = bias("global_norm.weight", kWidth);
  Rows sums(at(kBlocks), std::vector<double>(at(kWidth)));
  const auto block_of = [](index_t i) { return std::min(i / kBlock, kBlocks - 1); };
  for (index_t i = 0; i < kFirst; ++i)
    for (index_t j = 0; j < kWidth; ++j) sums[at(block_of(i))][at(j)] += x[at(i)][at(j)];
  for (auto& row : sums) {
    double squares = 1e-6 * kWidth;
    for (const double v : row) squares += v * v;
    for (index_t j = 0; j < kWidth; ++j) row[at(j)] *= weight[at(j)] / std::sqrt(squares / kWidth);
  }
  const Rows k = map(x, wk), v = map(x, wv), block_k = map(sums, wk), block_v = map(sums, wv);
  Rows out(at(kRows), std::vector<double>(at(kInner)));
  for (const hw::RowRange s : sequences)
    for (index_t i = s.begin; i < s.end; ++i)
      for (index_t h = 0; h < kHeads; ++h) {
        double sum = 0;
        const auto add = [&](double score, const std::vector<double>& value) {
          sum += std::exp(score);
          for (index_t j = h * kDim; j < (h + 1) * kDim; ++j) out[at(i)][at(j)] += std::exp(score) * value[at(j)];
        };
        const auto bucket = [&](index_t distance) { return at(hw::RelativeBias::bucket(c.relative, distance)); };
        for (index_t e = std::max(s.begin, i - 5); e < std::min(s.end, i + 6); ++e)
          add(dot(q[at(i)], k[at(e)], h) / 2 + near[bucket(e - i)][at(h)], v[at(e)]);
        for (index_t g = 0; g < kBlocks && i < kFirst; ++g)
          add(dot(q[at(i)], block_k[at(g)], h) / 2 + far[bucket(g - block_of(i))][at(h)], block_v[at(g)]);
        for (index_t j = h * kDim; j < (h + 1) * kDim; ++j) out[at(i)][at(j)] /= sum;
      }
  expect_near(run(part), map(out, matrix("o.weight", kWidth, kInner)));
  auto bad = c;
  bad.block_size = 0;
  EXPECT_THROW(hw::TransientGlobalAttention(bad, build), hw::Error);
}

TEST_P(EncoderAttention, Conv) {
  const hw::Conv part({kWidth, 3, hw::Activation::tanh}, build);
  const Rows w = matrix("weight", kWidth, 3 * kWidth), in = input();
  const auto b = bias("bias", kWidth);
  Rows want(at(kRows), b);
  for (const hw::RowRange s : sequences)
    for (index_t t = s.begin; t < s.end; ++t)
      for (index_t o = 0; o < kWidth; ++o) {
        for (index_t j = -1; j <= 1; ++j)
          for (index_t i = 0; t + j >= s.begin && t + j < s.end && i < kWidth; ++i) want[at(t)][at(o)] += w[at(o)][at(3 * i + j + 1)] * in[at(t + j)][at(i)];
        want[at(t)][at(o)] = std::tanh(want[at(t)][at(o)]);
      }
  expect_near(run(part), want);
}

}  // namespace
