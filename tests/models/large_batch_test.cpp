// A batch of more rows than go through the blocks at once has the bits of its sequences one by one.

#include "tests/models/toy.hpp"

namespace {

using hw::index_t;

// 40 sequences of 1 to 118 tokens and one of 700, more than 512 rows by itself.
std::vector<std::vector<std::int32_t>> unequal() {
  std::vector<std::vector<std::int32_t>> out;
  for (int s = 0; s < 40; ++s) out.push_back(toy::ids(1 + s * 3, s + 1));
  out.insert(out.begin() + 7, toy::ids(700, 99));
  return out;
}

void expect_same_rows(hw::ConstView found, hw::ConstView expected) {
  ASSERT_EQ(found.rows, expected.rows);
  for (index_t r = 0; r < found.rows; ++r) ASSERT_TRUE(std::equal(found.row(r), found.row(r) + found.cols, expected.row(r))) << "row " << r;
}

TEST(LargeBatch, OfStatesHasTheBitsOfSingleSequences) {
  const auto model = toy::hybrid();
  const auto ids = unequal();
  std::vector<hw::StateSet> states;
  std::vector<hw::Sequence> batch;
  for (std::size_t s = 0; s < ids.size(); ++s) states.push_back(model->make_state());
  for (std::size_t s = 0; s < ids.size(); ++s) batch.push_back({.ids = ids[s], .state = &states[s], .wanted = hw::Wanted::all});
  hw::Output all, one;
  for (int step = 0; step < 2; ++step) {  // the second step: behind what the first left in the states
    model->forward(batch, all);
    for (std::size_t s = 0; s < ids.size(); ++s) {
      hw::StateSet alone = model->make_state();
      for (int i = 0; i <= step; ++i) model->forward({.ids = ids[s], .state = &alone, .wanted = hw::Wanted::all}, one);
      expect_same_rows(all.logits(static_cast<index_t>(s)), one.logits());
    }
  }
}

TEST(LargeBatch, WithATapHasTheSameBits) {
  const auto model = toy::hybrid();
  const auto ids = unequal();
  std::vector<hw::Sequence> batch;
  for (const auto& x : ids) batch.push_back({.ids = x, .wanted = hw::Wanted::all});
  hw::Output plain, tapped;
  model->forward(batch, plain);
  index_t rows = 0;
  for (const auto& x : ids) rows += std::ssize(x);
  index_t least = rows;
  const auto look = [&](const hw::TapPoint&, hw::View x) { least = std::min(least, x.rows); };
  const hw::Tap tap(look);
  model->forward(batch, tapped, {.tap = &tap});
  EXPECT_EQ(least, rows) << "a tap sees all rows of a layer at once";
  for (std::size_t s = 0; s < ids.size(); ++s) expect_same_rows(tapped.logits(static_cast<index_t>(s)), plain.logits(static_cast<index_t>(s)));
}

}  // namespace
