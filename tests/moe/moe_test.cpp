// Routers and experts against plain loops, through a model that a user would compose.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "headwise/headwise.hpp"
#include "headwise/moe/moe.hpp"
#include "headwise/moe/router_variants.hpp"

namespace {

using hw::index_t;

constexpr index_t kWidth = 32;

// An expert that a user wrote: y = factor x.
struct Times {
  struct Config {
    float factor = 1;
  };
  Times(const Config& c, const hw::Build&) : factor(c.factor) {}
  void forward(hw::In in, hw::View delta) const {
    for (index_t r = 0; r < delta.rows; ++r)
      for (index_t i = 0; i < delta.cols; ++i) delta(r, i) = factor * in.x(r, i);
  }
  float factor;
};

// GatedMlp as an expert that knows nothing of groups.
struct OneByOne {
  using Config = hw::GatedMlp::Config;
  OneByOne(const Config& c, const hw::Build& b) : mlp(c, b) {}
  void forward(hw::In in, hw::View delta) const { mlp.forward(in, delta); }
  hw::GatedMlp mlp;
};

// A router that a user wrote: row r goes to the items and weights of a table, by its number.
struct Fixed {
  struct Config {
    index_t hidden_size = 0, num_experts = 0;
    std::vector<std::vector<std::pair<int, float>>> table{};
    bool before = false;  // the weights multiply the input
  };
  Fixed(const Config& c, const hw::Build&) : config(c) {}
  hw::Plan route(hw::In in) const {
    hw::Arena& arena = in.frame.step.arena;
    const index_t rows = in.x.rows;
    index_t items = 0;
    for (index_t r = 0; r < rows; ++r) items += static_cast<index_t>(row(r).size());
    const auto begin = arena.take<int>(rows + 1), item = arena.take<int>(items);
    const auto weight = arena.take<float>(items);
    int at = 0;
    for (index_t r = 0; r < rows; ++r) {
      begin[static_cast<std::size_t>(r)] = at;
      for (const auto& [e, w] : row(r)) {
        item[static_cast<std::size_t>(at)] = e;
        weight[static_cast<std::size_t>(at++)] = w;
      }
    }
    begin.back() = at;
    if (config.before) return {begin, item, weight, {}};
    return {begin, item, {}, weight};
  }
  index_t experts() const { return config.num_experts; }
  const std::vector<std::pair<int, float>>& row(index_t r) const { return config.table[static_cast<std::size_t>(r) % config.table.size()]; }
  Config config;
};

// Runs one part on rows of its own.
template <class Part>
std::vector<float> run(const typename Part::Config& config, const std::vector<float>& x, int threads = 1,
                       std::span<const hw::RowRange> sequences = {}) {
  hw::ThreadPool pool(threads);
  const hw::Build build(hw::RandomWeights{.seed = 3}, hw::kernels::table(), pool);
  const Part part(config, build);
  hw::Arena arena;
  hw::Step step{pool, hw::kernels::table(), arena};
  const auto rows = static_cast<index_t>(x.size()) / kWidth;
  hw::TokenSet tokens;
  const std::vector<index_t> index(static_cast<std::size_t>(rows));
  tokens.index = index;
  tokens.sequences = sequences;
  const hw::Frame frame(step, tokens, {});
  std::vector<float> out(x.size());
  part.forward({hw::ConstView(x.data(), rows, kWidth), frame}, hw::View(out.data(), rows, kWidth));
  return out;
}

std::vector<float> rows_of(index_t n) {
  std::vector<float> x(static_cast<std::size_t>(n * kWidth));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(0.37f * static_cast<float>(i) + 0.01f * static_cast<float>(i % 13));
  return x;
}

std::string message(const std::function<void()>& act) {
  try {
    act();
  } catch (const hw::Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Moe, SumsItsExpertsWithIdentitiesAndNulls) {
  using Part = hw::Moe<Fixed, Times>;
  // Experts 0 and 1, then an identity (2), then one that gives nothing (3); a row without items.
  const Part::Config c{.router = {kWidth, 4, {{{0, 0.5f}, {1, 2.0f}}, {{2, 3.0f}}, {{3, 1.0f}, {1, 1.0f}}, {}}, false},
                       .experts = {.experts = {{10.0f}, {100.0f}}, .identities = 1}};
  const auto x = rows_of(9);
  const auto y = run<Part>(c, x);
  const float factor[] = {205, 3, 100, 0};
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_FLOAT_EQ(y[i], factor[i / kWidth % 4] * x[i]) << i;
  auto before = c;
  before.router.before = true;
  ASSERT_EQ(run<Part>(before, x).size(), y.size());
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(run<Part>(before, x)[i], y[i], 1e-4f * std::fabs(y[i]));
}

TEST(Moe, ExpertsInOnePassAreThoseOneByOne) {
  using Part = hw::Moe<Fixed, hw::GatedMlp>;
  Part::Config c{.router = {kWidth, 3, {{{0, 0.5f}, {2, 0.25f}}, {{1, 1.0f}}, {{0, 0.1f}, {1, 0.7f}, {2, 0.2f}}}, false}};
  c.experts.experts.assign(3, hw::GatedMlp::Config{kWidth, 48});
  c.shared = hw::GatedMlp::Config{kWidth, 16};
  c.shared_gate = true;
  const auto x = rows_of(17);
  const auto one_by_one = [&] { return run<hw::Moe<Fixed, OneByOne>>({c.router, {c.experts.experts}, c.shared, c.shared_gate}, x); };
  const auto together = run<Part>(c, x);
  EXPECT_EQ(run<Part>(c, x, 2), together);
  EXPECT_EQ(one_by_one(), together);
  // A row's bits are those that it has alone.
  for (index_t r = 0; r < 17; r += 3) {  // these have the first plan of the table
    const std::vector<float> one(x.begin() + r * kWidth, x.begin() + (r + 1) * kWidth);
    const auto alone = run<Part>(c, one);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + r * kWidth)) << r;
  }
  c.experts.experts[1].intermediate_size = 80;  // unequal widths
  const auto unequal = run<Part>(c, x);
  EXPECT_EQ(one_by_one(), unequal);
  EXPECT_NE(unequal, together);
}

TEST(Moe, AnExpertHasRoomForSoManyRowsOfASequence) {
  using Part = hw::Moe<hw::SequenceCapacity<Fixed>, Times>;
  Part::Config c{.router = {kWidth, 2, {kWidth, 2, {{{0, 1.0f}}, {{0, 1.0f}, {1, 1.0f}}}, false}},
                 .experts = {.experts = {{1.0f}, {10.0f}}}};
  const auto x = rows_of(9);
  const hw::RowRange sequences[] = {{0, 6}, {6, 9}};
  // Expert 0 has the first two rows of each sequence, expert 1 the first two odd ones.
  const float factor[] = {1, 11, 0, 10, 0, 0, 1, 11, 0};
  for (const bool before : {false, true}) {
    c.router.router.before = before;
    const auto y = run<Part>(c, x, 1, sequences);
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_FLOAT_EQ(y[i], factor[i / kWidth] * x[i]) << i;
  }
  c.router.capacity = 9;
  const auto whole = run<Part>(c, x, 1, sequences);
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_FLOAT_EQ(whole[i], (i / kWidth % 2 == 0 ? 1.0f : 11.0f) * x[i]) << i;
  c.router.capacity = 0;
  EXPECT_NE(message([&] { run<Part>(c, x, 1, sequences); }).find("expected at least 1, found 0"), std::string::npos);
}

TEST(Moe, ARouterKeepsItsTypeWhereWeightsAreQuantised) {
  hw::ThreadPool pool(1);
  const hw::Build build(hw::RandomWeights{}, hw::kernels::table(), pool, {.weights = hw::DType::q8_0});
  hw::Moe<hw::TopKRouter>::Config c{.router = {.hidden_size = kWidth, .num_experts = 2, .top_k = 1}};
  c.experts.experts.assign(2, hw::GatedMlp::Config{kWidth, 64});
  const hw::Moe<hw::TopKRouter> moe(c, build);
  ASSERT_EQ(build.report().size(), 7u);
  for (const hw::MatrixReport& m : build.report())
    EXPECT_EQ(m.type, m.name.find("router") != std::string::npos ? hw::DType::f32 : hw::DType::q8_0) << m.name;
}

TEST(Moe, APlanOfOtherItemsIsRefused) {
  using Part = hw::Moe<Fixed, Times>;
  const Part::Config c{.router = {kWidth, 2, {{{-1, 1.0f}}}, false}, .experts = {.experts = {{1.0f}, {2.0f}}}};
  EXPECT_NE(message([&] { run<Part>(c, rows_of(2)); }).find("items from 0 on, found -1"), std::string::npos);
}

TEST(Moe, ATapSeesWhatEachExpertWeighs) {
  using Layer = hw::Block<hw::PreNorm<hw::RmsNorm, hw::Moe<Fixed, Times>>>;
  const std::vector<std::vector<std::pair<int, float>>> table{{{0, 0.5f}, {2, 0.25f}}, {{1, 2.0f}}, {{3, 1.0f}, {0, 0.125f}}};
  hw::Decoder<Layer>::Config c;
  c.embedding = {.vocab_size = 9, .hidden_size = kWidth};
  const Layer::Config layer{
      {{.pre = {.size = kWidth}}, {.router = {kWidth, 4, table, false}, .experts = {.experts = {{1.0f}, {2.0f}, {3.0f}}}}}};
  c.blocks = {layer, layer};
  const hw::Decoder<Layer> model(c, hw::RandomWeights{.seed = 3});
  int seen = 0;
  const auto look = [&](const hw::TapPoint& at, hw::View w) {
    if (at.kind != hw::TapPoint::routing) return;
    EXPECT_EQ(at.entry, seen++);
    EXPECT_EQ(at.sublayer_index, 0);
    ASSERT_EQ(w.rows, 3);
    ASSERT_EQ(w.cols, 3);  // item 3 is no expert
    const std::vector<std::vector<float>> expected{{0.5f, 0, 0.25f}, {0, 2, 0}, {0.125f, 0, 0}};
    for (index_t r = 0; r < 3; ++r) EXPECT_EQ(std::vector<float>(w.row(r), w.row(r) + 3), expected[static_cast<std::size_t>(r)]);
  };
  const hw::Tap tap(look);
  hw::Output out;
  const std::vector<std::int32_t> ids{1, 2, 3};
  model.forward({.ids = ids}, out, {.tap = &tap});
  EXPECT_EQ(seen, 2);
}

TEST(Moe, BadRoutersAreRefused) {
  using Part = hw::Moe<hw::TopKRouter>;
  const auto with = [](auto change) {
    Part::Config c{.router = {.hidden_size = kWidth, .num_experts = 8, .top_k = 2}};
    c.experts.experts.assign(8, hw::GatedMlp::Config{kWidth, 32});
    change(c);
    return message([&] { run<Part>(c, rows_of(3)); });
  };
  const auto expect = [](const std::string& found, const char* part) { EXPECT_NE(found.find(part), std::string::npos) << found; };
  EXPECT_EQ(with([](auto&) {}), "no error");
  expect(with([](auto& c) { c.router.top_k = 9; }), "1 to 8 experts for each token, found 9");
  expect(with([](auto& c) { c.router.top_k = 0; }), "found 0");
  expect(with([](auto& c) { c.router.groups = 3; }), "divides 8 experts");
  expect(with([](auto& c) { c.router.groups = 4, c.router.top_groups = 5; }), "1 to 4 groups");
  expect(with([](auto& c) { c.router.groups = 8, c.router.top_groups = 1; }), "at least 2 experts");
  expect(with([](auto& c) { c.router.num_experts = 7; }), "a router over 8 experts");
  auto bad = rows_of(3);
  bad[kWidth + 1] = std::nanf("");
  Part::Config c{.router = {.hidden_size = kWidth, .num_experts = 8, .top_k = 2}};
  c.experts.experts.assign(8, hw::GatedMlp::Config{kWidth, 32});
  expect(message([&] { run<Part>(c, bad); }), "for row 1");
}

}  // namespace
