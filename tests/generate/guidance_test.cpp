#include "headwise/generate/guidance.hpp"

#include <cstring>

#include "headwise/generate/contrastive_search.hpp"
#include "headwise/io/safetensors.hpp"
#include "tests/generate/toy_models.hpp"

namespace {

using hw::index_t;
using toy::error_of;
using toy::Ids;

std::vector<float> values(const hw::WeightSource& source, std::string_view name) {
  const hw::RawTensor* tensor = source.find(name);
  if (!tensor) throw hw::Error("no such tensor");
  std::vector<float> out(tensor->bytes.size() / sizeof(float));
  std::memcpy(out.data(), tensor->bytes.data(), tensor->bytes.size());
  return out;
}

TEST(Guidance, IsThatOfTheEquations) {
  const hw::WeightSource golden = hw::open_safetensors(std::string(HEADWISE_TEST_DATA) + "/decoding/contrastive_family/golden.safetensors");
  const auto expert = values(golden, "le"), amateur = values(golden, "la"), cfg = values(golden, "p_cfg"), cd = values(golden, "p_cd");
  ASSERT_EQ(expert.size(), 40u);
  for (std::size_t row = 0; row < 4; ++row) {
    const auto part = [&](const std::vector<float>& v) { return std::vector<float>(v.begin() + row * 10, v.begin() + row * 10 + 10); };
    auto guided = part(expert), contrasted = part(expert);
    hw::detail::guide(guided, part(amateur), 1.5f);
    hw::detail::contrast(contrasted, part(amateur), 0.1f);
    const auto p = toy::log_softmax(guided), q = toy::log_softmax(contrasted);
    for (std::size_t i = 0; i < 10; ++i) {
      EXPECT_NEAR(std::exp(p[i]), part(cfg)[i], 2e-5) << row << " " << i;
      EXPECT_NEAR(std::exp(q[i]), part(cd)[i], 2e-5) << row << " " << i;
    }
  }
}

// Greedy decoding under a filter, held to forwards of whole texts without states.
TEST(Guidance, FollowsTheText) {
  const auto model = toy::decoder(30), weak = toy::decoder(30, 0, 8);
  const Ids prompt = {1, 2, 3};
  for (const Ids& negative : {Ids{7, 8}, Ids{}}) {
    hw::GenerateOptions o{.max_new_tokens = 12};
    o.sampling.processors.add(hw::Guidance{hw::FollowingModel(*model), negative, 3, 2.5f});
    hw::StateSet state = model->make_state();
    const Ids found = hw::generate(*model, state, prompt, o).ids;
    Ids made, plain = prompt;
    for (int i = 0; i < 12; ++i) {
      Ids with = prompt, without = negative.empty() ? Ids{3} : negative;
      with.insert(with.end(), made.begin(), made.end());
      without.insert(without.end(), made.begin(), made.end());
      const auto c = toy::log_softmax(toy::logits(*model, with)), u = toy::log_softmax(toy::logits(*model, without));
      std::size_t best = 0;
      const auto score = [&](std::size_t j) { return u[j] + 2.5 * (c[j] - u[j]); };
      for (std::size_t j = 1; j < 30; ++j)
        if (score(j) > score(best)) best = j;
      made.push_back(static_cast<std::int32_t>(best));
    }
    EXPECT_EQ(found, made);
  }
  hw::GenerateOptions o{.max_new_tokens = 12};
  o.sampling.processors.add(hw::ContrastiveDecoding{hw::FollowingModel(*weak), 0.3f});
  hw::StateSet state = model->make_state();
  const Ids found = hw::generate(*model, state, prompt, o).ids;
  Ids all = prompt;
  for (const std::int32_t id : found) {
    const auto c = toy::log_softmax(toy::logits(*model, all)), u = toy::log_softmax(toy::logits(*weak, all));
    const double max = *std::max_element(c.begin(), c.end());
    std::size_t best = 30;
    for (std::size_t j = 0; j < 30; ++j)
      if (c[j] >= max + std::log(0.3) && (best == 30 || c[j] - u[j] > c[best] - u[best])) best = j;
    ASSERT_EQ(id, static_cast<std::int32_t>(best));
    all.push_back(id);
  }
}

TEST(Guidance, BadInput) {
  const auto model = toy::decoder(30), other = toy::decoder(20);
  const auto message = [&](const auto& filter) {
    hw::GenerateOptions o{.max_new_tokens = 4};
    o.sampling.processors.add(filter);
    hw::StateSet state = model->make_state();
    return error_of([&] { hw::generate(*model, state, {1, 2}, o); });
  };
  EXPECT_EQ(message(hw::Guidance{hw::FollowingModel(*other), {1}, 2, 2}),
            "guidance: expected a second model with 30 tokens in its vocabulary, found 20");
  EXPECT_EQ(message(hw::Guidance{hw::FollowingModel(*model), {1}, 3, 2}), "guidance: expected new tokens from 1 to 2, found 3");
  EXPECT_EQ(message(hw::ContrastiveDecoding{hw::FollowingModel(*other)}),
            "guidance: expected a second model with 30 tokens in its vocabulary, found 20");
}

std::vector<double> hidden(const hw::Model& model, const Ids& ids, index_t row) {
  hw::Output out;
  model.forward(hw::Sequence{ids}, out, {.hidden = true});
  const hw::ConstView h = out.hidden();
  return {h.row(row), h.row(row) + h.cols};
}

double cosine(const std::vector<double>& a, const std::vector<double>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
  return ab / std::sqrt(aa * bb);
}

TEST(ContrastiveSearch, IsTheEquation) {
  for (const float alpha : {0.6f, 0.2f, 1.0f}) {
    const auto model = toy::decoder(30, 5);
    const Ids prompt = {1, 2, 3, 1, 2};
    hw::StateSet state = model->make_state();
    const auto found =
        hw::contrastive_search(*model, state, prompt, {.top_k = 5, .penalty_alpha = alpha, .max_new_tokens = 10, .prefill_chunk = 2});
    Ids all = prompt;
    ASSERT_EQ(found.ids.size(), 10u);
    for (const std::int32_t id : found.ids) {
      const auto log_p = toy::log_softmax(toy::logits(*model, all));
      std::vector<std::size_t> order(30);
      for (std::size_t i = 0; i < 30; ++i) order[i] = i;
      std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return log_p[a] > log_p[b]; });
      double best = -3;
      std::int32_t expected = -1;
      for (std::size_t c = 0; c < 5; ++c) {
        Ids longer = all;
        longer.push_back(static_cast<std::int32_t>(order[c]));
        double nearest = -1;
        for (std::size_t j = 0; j < all.size(); ++j)
          nearest = std::max(nearest, cosine(hidden(*model, longer, std::ssize(all)), hidden(*model, longer, static_cast<index_t>(j))));
        const double score = (1 - double{alpha}) * std::exp(log_p[order[c]]) - double{alpha} * nearest;
        if (score > best) best = score, expected = longer.back();
      }
      ASSERT_EQ(id, expected);
      all.push_back(id);
    }
    EXPECT_EQ(Ids(state.ids().begin(), state.ids().end()), all);
  }
}

TEST(ContrastiveSearch, WithoutPenaltyIsGreedyAndEnds) {
  const auto model = toy::decoder(30, 0, 3, 12);
  hw::StateSet a = model->make_state(), b = model->make_state();
  const Ids greedy = hw::generate(*model, a, {1, 2}, {.max_new_tokens = 10}).ids;
  const auto found = hw::contrastive_search(*model, b, Ids{1, 2}, {.penalty_alpha = 0, .max_new_tokens = 50});
  EXPECT_EQ(found.ids, greedy);
  EXPECT_EQ(found.finish, hw::FinishReason::context);
  hw::StateSet c = model->make_state();
  const auto stopped = hw::contrastive_search(*model, c, Ids{1, 2}, {.penalty_alpha = 0, .stop_ids = {greedy[3]}});
  EXPECT_EQ(stopped.finish, hw::FinishReason::stop_id);
  EXPECT_LE(stopped.ids.size(), 3u);
  hw::StateSet d = model->make_state();
  const auto message = [&](hw::ContrastiveSearchOptions o, Ids prompt = {1}) {
    return error_of([&] { hw::contrastive_search(*model, d, prompt, o); });
  };
  EXPECT_EQ(message({.top_k = 0}), "top_k: expected a count from 1 to 30, found 0");
  EXPECT_EQ(message({.top_k = 31}), "top_k: expected a count from 1 to 30, found 31");
  EXPECT_EQ(message({.penalty_alpha = 2}), "penalty_alpha: expected a number from 0 to 1, found 2");
  EXPECT_EQ(message({.max_new_tokens = -1}), "max_new_tokens: expected a count of at least 0, found -1");
  EXPECT_EQ(message({.stop_ids = {30}}), "stop_ids: expected ids from 0 to 29, found 30");
  EXPECT_NE(message({}, {}).find("prompt: empty"), std::string::npos);
  EXPECT_EQ(d.size(), 0);
}

}  // namespace
