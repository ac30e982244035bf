// The same bits whatever the batch, the chunking, the threads, the state's history: on attention alone and on a hybrid.

#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "tests/models/toy.hpp"

namespace {

using hw::index_t;
using hw::StateSet;

class Laws : public testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<hw::Model> model = toy::hybrid(2, GetParam());
};
INSTANTIATE_TEST_SUITE_P(Toy, Laws, testing::Bool(), [](const auto& info) { return info.param ? "hybrid" : "attention"; });

TEST_P(Laws, PrefillIsSteps) {
  const auto x = toy::ids(150);  // more than two pages of keys
  const auto whole = toy::feed(*model, nullptr, x);
  for (const std::size_t chunk : {1, 7, 64, 100, 150}) {
    StateSet state = model->make_state();
    EXPECT_EQ(toy::feed(*model, &state, x, chunk), whole) << "steps of " << chunk;
  }
}

TEST_P(Laws, BatchIsSingle) {
  std::vector<std::vector<std::int32_t>> prompts;
  for (const index_t n : {5, 80, 1, 33}) prompts.push_back(toy::ids(n, static_cast<int>(n)));
  std::vector<hw::Sequence> batch;
  std::vector<StateSet> states;
  for (std::size_t i = 0; i < prompts.size(); ++i) states.push_back(model->make_state());
  for (std::size_t i = 0; i < prompts.size(); ++i) batch.push_back({.ids = prompts[i], .state = &states[i], .wanted = hw::Wanted::all});
  hw::Output out;
  for (int round = 0; round < 3; ++round) {  // the second and third continue with the same rows again
    model->forward(batch, out);
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      std::vector<std::int32_t> history;
      for (int r = 0; r <= round; ++r) history.insert(history.end(), prompts[i].begin(), prompts[i].end());
      const auto alone = toy::feed(*model, nullptr, history);
      const hw::ConstView v = out.logits(static_cast<index_t>(i));
      EXPECT_TRUE(std::equal(v.data, v.row(v.rows), alone.end() - v.rows * v.cols)) << "sequence " << i << ", round " << round;
    }
  }
}

TEST_P(Laws, ThreadsChangeNothing) {
  const auto x = toy::ids(120);
  const auto expected = toy::feed(*model, nullptr, x);
  for (const int threads : {1, 3, 5}) EXPECT_EQ(toy::feed(*toy::hybrid(threads, GetParam()), nullptr, x), expected);
}

// With few rows, several threads split a long context into segments; one thread does not.
TEST(LongContext, DecodeHasTheSameBitsOnSeveralThreads) {
  const auto x = toy::ids(2100);
  std::vector<std::vector<float>> decoded;
  for (const int threads : {1, 2, 4}) {
    const auto model = toy::hybrid(threads, false);
    hw::StateSet state = model->make_state();
    toy::feed(*model, &state, std::span(x).first(2096));
    decoded.push_back(toy::feed(*model, &state, std::span(x).subspan(2096), 1));
  }
  EXPECT_EQ(decoded[1], decoded[0]);
  EXPECT_EQ(decoded[2], decoded[0]);
}

TEST_P(Laws, ForkRewindAndContinue) {
  const auto x = toy::ids(100), y = toy::ids(40, 2);
  StateSet straight = model->make_state();
  toy::feed(*model, &straight, x);
  const auto expected = toy::feed(*model, &straight, y);

  StateSet parent = model->make_state();
  toy::feed(*model, &parent, x, 30);
  StateSet child = parent.fork();
  toy::feed(*model, &parent, toy::ids(70, 3), 9);
  EXPECT_EQ(toy::feed(*model, &child, y), expected);
  const index_t replayed = model->rewind(parent, 100);
  EXPECT_EQ(replayed > 0, GetParam()) << "attention truncates, a recurrence replays";
  EXPECT_EQ(toy::feed(*model, &parent, y, 3), expected);

  model->rewind(parent, 0);
  EXPECT_EQ(parent.size(), 0);
  toy::feed(*model, &parent, x, 1);
  EXPECT_EQ(toy::feed(*model, &parent, y), expected);
}

TEST_P(Laws, HoldMakesAPositionReachable) {
  const auto x = toy::ids(50), y = toy::ids(30, 2);
  StateSet state = model->make_state();
  toy::feed(*model, &state, x);
  state.hold();
  const auto expected = toy::feed(*model, &state, y, 4);
  toy::feed(*model, &state, y, 4);
  EXPECT_EQ(state.reach(50), 50);
  EXPECT_EQ(model->rewind(state, 50), 0);
  EXPECT_EQ(toy::feed(*model, &state, y), expected);
  state.release(50);
}

TEST_P(Laws, SavedStatesComeBack) {
  const auto x = toy::ids(70), y = toy::ids(10, 2);
  StateSet state = model->make_state();
  toy::feed(*model, &state, x);
  const auto bytes = state.save();
  const auto expected = toy::feed(*model, &state, y);
  StateSet loaded = toy::hybrid(1, GetParam())->load_state(bytes);
  EXPECT_EQ(toy::feed(*model, &loaded, y), expected);
  EXPECT_THROW(toy::hybrid(1, !GetParam())->load_state(bytes), hw::Error);
  for (std::size_t n = 0; n < bytes.size(); n += 1 + bytes.size() / 50) EXPECT_THROW(model->load_state(std::span(bytes).first(n)), hw::Error);
  for (std::size_t i = 0; i < bytes.size(); i += 1 + bytes.size() / 200) {
    auto flipped = bytes;
    flipped[i] ^= std::byte{1};
    EXPECT_THROW(model->load_state(flipped), hw::Error) << "byte " << i;
  }
}

TEST_P(Laws, AFailedStepChangesNothing) {
  const auto x = toy::ids(40), y = toy::ids(20, 2);
  StateSet state = model->make_state();
  toy::feed(*model, &state, x);
  StateSet undisturbed = state.fork();
  const auto expected = toy::feed(*model, &undisturbed, y);
  for (int entry = 0; entry < (GetParam() ? 4 : 2); ++entry) {
    const auto thrower = [&](const hw::TapPoint& at, hw::View) {
      if (at.kind == hw::TapPoint::after_sublayer && at.entry == entry) throw std::runtime_error("a tap");
    };
    const hw::Tap tap(thrower);
    hw::Output out;
    EXPECT_THROW(model->forward({.ids = y, .state = &state}, out, {.tap = &tap}), std::runtime_error);
    EXPECT_EQ(state.size(), 40);
    EXPECT_TRUE(out.names().empty());
  }
  EXPECT_EQ(toy::feed(*model, &state, y), expected);
}

TEST_P(Laws, TwoThreadsShareAModel) {
  const auto x = toy::ids(60);
  const auto expected = toy::feed(*model, nullptr, x);
  std::vector<std::thread> threads;
  std::array<std::vector<float>, 4> results;
  for (auto& result : results)
    threads.emplace_back([&] {
      StateSet state = model->make_state();
      result = toy::feed(*model, &state, x, 11);
    });
  for (auto& t : threads) t.join();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

TEST_P(Laws, VectorsInsteadOfIds) {
  // A tap that copies the embedding gives the vectors that ids would have become.
  const auto x = toy::ids(30);
  hw::Tensor<float> vectors({30, toy::kWidth});
  const auto copy = [&](const hw::TapPoint& at, hw::View v) {
    if (at.kind == hw::TapPoint::after_embedding)
      for (index_t i = 0; i < v.rows; ++i) std::copy_n(v.row(i), v.cols, vectors.view().row(i));
  };
  const hw::Tap tap(copy);
  hw::Output out;
  model->forward({.ids = x, .wanted = hw::Wanted::all}, out, {.tap = &tap});
  const std::vector<float> expected(out.logits().data, out.logits().row(30));
  auto mixed = x;
  hw::Tensor<float> some({10, toy::kWidth});
  for (index_t i = 0; i < 10; ++i) {
    mixed[static_cast<std::size_t>(3 * i)] = -1;
    std::copy_n(vectors.view().row(3 * i), toy::kWidth, some.view().row(i));
  }
  model->forward({.ids = mixed, .wanted = hw::Wanted::all, .vectors = some.view()}, out);
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), out.logits().data));
}

}  // namespace
