#include "headwise/generate/sampling.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "headwise/io/json.hpp"
#include "headwise/io/safetensors.hpp"

namespace {

using hw::Candidates;
using hw::index_t;
using hw::Rng;
using hw::Sampler;
using hw::SamplingChain;
using hw::SamplingOptions;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

template <class T>
std::vector<T> values(const hw::WeightSource& source, std::string_view name) {
  const hw::RawTensor* tensor = source.find(name);
  if (!tensor) throw hw::Error("no such tensor");
  std::vector<T> out(tensor->bytes.size() / sizeof(T));
  std::memcpy(out.data(), tensor->bytes.data(), tensor->bytes.size());
  return out;
}

// The distribution over the vocabulary that a chain leaves, 0 for what it dropped.
std::vector<double> distribution(SamplingChain chain, std::vector<float> logits, std::span<const std::int32_t> ids = {}) {
  Candidates candidates(static_cast<index_t>(logits.size()));
  Rng rng(0);
  candidates.reset(logits);
  chain.apply(candidates, {ids, rng});
  std::vector<double> out(logits.size());
  const auto p = candidates.probabilities();
  for (std::size_t i = 0; i < p.size(); ++i) out[static_cast<std::size_t>(candidates.ids()[i])] = p[i];
  return out;
}

std::vector<double> softmax(const std::vector<float>& logits) {
  const double max = *std::max_element(logits.begin(), logits.end());
  std::vector<double> p;
  for (const float l : logits) p.push_back(std::exp(double{l} - max));
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& x : p) x /= sum;
  return p;
}

std::vector<float> random_logits(Rng& rng, std::size_t size, double spread) {
  std::vector<float> out(size);
  for (float& l : out) l = static_cast<float>((rng.uniform() + rng.uniform() + rng.uniform() - 1.5) * spread);
  return out;
}

std::string error_of(const auto& call) {
  try {
    call();
  } catch (const hw::Error& e) {
    return e.what();
  }
  return "no error";
}

// Distributions of Hugging Face's logits warpers.
TEST(Sampling, FiltersAreThoseOfTransformers) {
  const std::string folder = std::string(HEADWISE_TEST_DATA) + "/samplers/";
  const hw::WeightSource golden = hw::open_safetensors(folder + "golden.safetensors");
  const auto all = values<float>(golden, "l");
  const auto previous = values<std::int64_t>(golden, "prev");
  constexpr std::size_t kVocabulary = 16;
  const std::vector<std::pair<std::string, SamplingChain>> cases = {
      {"temp", SamplingChain().add(hw::Temperature{0.7f})},
      {"topk", SamplingChain().add(hw::TopK{5})},
      {"topp", SamplingChain().add(hw::TopP{0.8f})},
      {"minp", SamplingChain().add(hw::MinP{0.1f})},
      {"typical", SamplingChain().add(hw::TypicalP{0.7f})},
      {"epsilon", SamplingChain().add(hw::EpsilonCutoff{0.05f})},
      {"eta", SamplingChain().add(hw::EtaCutoff{0.05f})},
      {"nsigma", SamplingChain().add(hw::TopNSigma{1.0f})},
      {"rep", SamplingChain().add(hw::RepetitionPenalty{1.3f})},
  };
  for (const auto& [name, chain] : cases) {
    const auto expected = values<float>(golden, name);
    ASSERT_EQ(expected.size(), all.size()) << name;
    for (std::size_t row = 0; row < all.size() / kVocabulary; ++row) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(row * kVocabulary);
      std::vector<std::int32_t> ids;
      for (std::size_t i = 0; i < 5; ++i) ids.push_back(static_cast<std::int32_t>(previous[row * 5 + i]));
      const auto p = distribution(chain, {begin, begin + kVocabulary}, ids);
      for (std::size_t i = 0; i < kVocabulary; ++i) {
        EXPECT_NEAR(p[i], double{expected[row * kVocabulary + i]}, 2e-5) << name << " row " << row << " token " << i;
        EXPECT_EQ(p[i] == 0, expected[row * kVocabulary + i] == 0) << name << " row " << row << " token " << i;
      }
    }
  }
}

// Against full sorts, on rows larger than any bucket or heap.
TEST(Sampling, SelectionAgreesWithSorting) {
  Rng rng(1);
  for (int round = 0; round < 60; ++round) {
    const std::size_t size = 1 + rng.below(3000);
    std::vector<float> logits = random_logits(rng, size, round % 3 == 0 ? 2 : 20);
    if (round % 4 == 1) logits[rng.below(size)] = -1e9f;  // masked with a number: the rest must not fall into one bucket
    if (round % 5 == 2) std::fill(logits.begin(), logits.end(), 0.5f);
    const std::vector<double> p = softmax(logits);
    std::vector<std::size_t> order(size);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });

    const std::size_t k = 1 + rng.below(size);
    const auto top_k = distribution(SamplingChain().add(hw::TopK{static_cast<index_t>(k)}), logits);
    for (std::size_t i = 0; i < size; ++i)
      ASSERT_EQ(top_k[i] > 0, logits[i] >= logits[order[k - 1]] && p[i] > 1e-300) << k << " of " << size;

    const float mass = static_cast<float>(rng.uniform());
    const auto top_p = distribution(SamplingChain().add(hw::TopP{mass}), logits);
    double before = 0;
    for (const std::size_t i : order) {
      const bool close = std::fabs(before - double{mass}) <= 1e-9;
      ASSERT_TRUE(close || (top_p[i] > 0) == (before < double{mass} && p[i] > 1e-300)) << mass << " of " << size;
      before += p[i];
    }
  }
}

TEST(Sampling, ExponentialIsExact) {
  for (double x = 0; x > -699; x -= 0.37) EXPECT_NEAR(hw::detail::exp_nonpositive(x) / std::exp(x), 1, 6e-16) << x;
  EXPECT_EQ(hw::detail::exp_nonpositive(0), 1);
  EXPECT_EQ(hw::detail::exp_nonpositive(-1e300), 0);
  EXPECT_EQ(hw::detail::exp_nonpositive(-double{kInfinity}), 0);
}

TEST(Sampling, TopKKeepsWhatEqualsTheLast) {
  const auto p = distribution(SamplingChain().add(hw::TopK{2}), {1, 3, 2, 2, 0});
  EXPECT_GT(p[2], 0);
  EXPECT_EQ(p[2], p[3]);
  EXPECT_EQ(p[0], 0);
}

TEST(Sampling, OrderIsData) {
  const std::vector<float> logits = {2, 1.5, 1, 0.5, 0};
  const auto first = distribution(SamplingChain().add(hw::Temperature{10.0f}).add(hw::TopP{0.5f}), logits);
  const auto second = distribution(SamplingChain().add(hw::TopP{0.5f}).add(hw::Temperature{10.0f}), logits);
  EXPECT_EQ(std::count(first.begin(), first.end(), 0.0), 2);
  EXPECT_EQ(std::count(second.begin(), second.end(), 0.0), 3);
  EXPECT_EQ(SamplingChain().add(hw::Temperature{2}).add(hw::TopK{3}).names(), (std::vector<std::string>{"temperature", "top_k"}));
}

TEST(Sampling, PenaltiesCountOccurrencesInTheWindow) {
  const std::vector<float> logits = {1, 1, -1, 1, 1};
  const std::vector<std::int32_t> ids = {3, 0, 2, 0, -1, 77};  // ids without a token do not count
  auto apply = [&](SamplingChain chain) {
    std::vector<float> row = logits;
    Candidates candidates(5);
    Rng rng;
    candidates.reset(row);
    chain.apply(candidates, {ids, rng});
    return row;
  };
  EXPECT_EQ(apply(SamplingChain().add(hw::OccurrencePenalty{0.25f, 0.5f})), (std::vector<float>{0, 1, -1.75f, 0.25f, 1}));
  EXPECT_EQ(apply(SamplingChain().add(hw::OccurrencePenalty{0.25f, 0.5f, 3})), (std::vector<float>{0.25f, 1, -1, 1, 1}));
  EXPECT_EQ(apply(SamplingChain().add(hw::RepetitionPenalty{2})), (std::vector<float>{0.5f, 1, -2, 0.5f, 1}));
  EXPECT_EQ(apply(SamplingChain().add(hw::RepetitionPenalty{2, 0})), logits);
  EXPECT_EQ(apply(SamplingChain().add(hw::LogitBias{{{1, 2.0f}, {4, -kInfinity}}})), (std::vector<float>{1, 3, -1, 1, -kInfinity}));
}

TEST(Sampling, NoNgramComesTwice) {
  const std::vector<std::int32_t> ids = {1, 2, 3, 1, 2};
  const std::vector<float> logits(5, 0.0f);
  EXPECT_EQ(distribution(SamplingChain().add(hw::NoRepeatNgram{3}), logits, ids)[3], 0);
  const auto bigram = distribution(SamplingChain().add(hw::NoRepeatNgram{2}), logits, ids);
  EXPECT_EQ(bigram[3], 0);
  EXPECT_GT(bigram[2], 0);
  const auto unigram = distribution(SamplingChain().add(hw::NoRepeatNgram{1}), logits, ids);
  EXPECT_EQ(std::count(unigram.begin(), unigram.end(), 0.0), 3);
  const auto longer = distribution(SamplingChain().add(hw::NoRepeatNgram{60}), logits, ids);
  EXPECT_EQ(std::count(longer.begin(), longer.end(), 0.0), 0);
}

// A filter of a user's own.
struct OnlyEven {
  static constexpr const char* kName = "only_even";
  void apply(Candidates& candidates, const hw::SamplingContext&) const {
    candidates.keep([](std::int32_t id, float) { return id % 2 == 0; });
  }
};
struct Nothing {
  static constexpr const char* kName = "nothing";
  void apply(Candidates& candidates, const hw::SamplingContext&) const {
    for (float& l : candidates.logits()) l = Candidates::kOut;
  }
};

TEST(Sampling, UsersFilters) {
  Sampler sampler(SamplingChain().add(OnlyEven{}), 6, 1);
  for (int i = 0; i < 200; ++i) {
    std::vector<float> row(6, 1.0f);
    EXPECT_EQ(sampler.sample(row, {}) % 2, 0);
    EXPECT_EQ(row[1], -kInfinity);
  }
  Sampler banned(SamplingChain().add(hw::TopK{3}).add(Nothing{}), 6, 1);
  std::vector<float> row(6, 1.0f);
  EXPECT_EQ(error_of([&] { banned.sample(row, {}); }), "sampling: the filter 'nothing' leaves no token to choose from");
}

TEST(Sampling, FrequenciesFollowTheDistribution) {
  const std::vector<float> logits = {0.3f, 2.0f, -1.0f, 1.2f, 0.0f, 1.9f, -0.5f, 0.7f};
  SamplingOptions options;
  options.temperature = 0.8f;
  options.seed = 2024;
  std::vector<float> scaled;
  for (const float l : logits) scaled.push_back(l / 0.8f);
  const std::vector<double> p = softmax(scaled);
  Sampler sampler(options, 8);
  constexpr int kDraws = 100'000;
  std::vector<int> counts(8);
  for (int i = 0; i < kDraws; ++i) {
    std::vector<float> row = logits;
    const std::int32_t id = sampler.sample(row, {});
    ++counts[static_cast<std::size_t>(id)];
    ASSERT_NEAR(sampler.probability(), p[static_cast<std::size_t>(id)], 1e-6);
  }
  double chi = 0;
  for (std::size_t i = 0; i < 8; ++i) chi += std::pow(counts[i] - kDraws * p[i], 2) / (kDraws * p[i]);
  EXPECT_LT(chi, 24.3);  // 7 degrees of freedom, one in a thousand
}

// The draws are those of a plain walk over the probabilities with Rng's numbers.
TEST(Sampling, DrawsAreThoseOfThePlainComputation) {
  Rng rows(5), numbers(99);
  SamplingOptions options;
  options.temperature = 1;
  options.seed = 99;
  Sampler sampler(options, 50);
  for (int i = 0; i < 500; ++i) {
    std::vector<float> logits = random_logits(rows, 50, 6);
    const std::vector<double> p = softmax(logits);
    const double u = numbers.uniform();
    std::int32_t expected = 0;
    for (double sum = p[0]; sum <= u && expected < 49; sum += p[static_cast<std::size_t>(expected)]) ++expected;
    ASSERT_EQ(sampler.sample(logits, {}), expected) << i;
  }
}

TEST(Sampling, SeedsReproduceAndCopiesGoOn) {
  SamplingOptions options;
  options.temperature = 1.5f;
  options.top_p = 0.9f;
  options.seed = 7;
  Sampler a(options, 40), b(options, 40);
  options.seed = 8;
  Sampler other(options, 40);
  Rng rows(1);
  std::vector<std::int32_t> ids_a, ids_b, ids_other;
  for (int i = 0; i < 100; ++i) {
    const std::vector<float> logits = random_logits(rows, 40, 4);
    const auto draw = [&](Sampler& s) {
      std::vector<float> row = logits;
      return s.sample(row, {});
    };
    if (i == 50) b = a;
    ids_a.push_back(draw(a));
    ids_b.push_back(draw(b));
    ids_other.push_back(draw(other));
  }
  EXPECT_EQ(ids_a, ids_b);
  EXPECT_NE(ids_a, ids_other);
}

TEST(Sampling, GreedyTakesTheFirstOfTheBest) {
  Sampler sampler(SamplingOptions{}, 5);
  std::vector<float> row = {1, 4, 2, 4, -kInfinity};
  EXPECT_EQ(sampler.sample(row, {}), 1);
  EXPECT_EQ(sampler.probability(), 1);
  SamplingOptions penalised;
  penalised.repetition_penalty = 3;
  penalised.top_k = 1;  // has no effect without a temperature
  std::vector<float> again = {1, 4, 2, 3, -kInfinity};
  const std::vector<std::int32_t> ids = {1};
  EXPECT_EQ(Sampler(penalised, 5).sample(again, ids), 3);
}

TEST(Sampling, ExtremeTemperatures) {
  const std::vector<float> logits = {-300, 5, 4.9999f, 300, 299.999f, 0};
  SamplingOptions options;
  options.temperature = 1e-30f;
  Sampler cold(options, 6);
  for (int i = 0; i < 100; ++i) {
    std::vector<float> row = logits;
    EXPECT_EQ(cold.sample(row, {}), 3);
  }
  options.temperature = std::numeric_limits<float>::denorm_min();
  std::vector<float> row = logits;
  EXPECT_EQ(Sampler(options, 6).sample(row, {}), 3);
  options.temperature = 1e30f;
  Sampler hot(options, 6);
  std::vector<int> counts(6);
  for (int i = 0; i < 6000; ++i) {
    row = logits;
    ++counts[static_cast<std::size_t>(hot.sample(row, {}))];
    EXPECT_NEAR(hot.probability(), 1.0 / 6, 1e-12);
  }
  for (const int n : counts) EXPECT_NEAR(n, 1000, 150);
}

TEST(Sampling, TopPOfZeroAndFiltersThatAreOff) {
  SamplingOptions options;
  options.temperature = 1;
  options.top_p = 0;
  std::vector<float> row = {1, 2, 3, 2};
  for (int i = 0; i < 50; ++i) {
    row = {1, 2, 3, 2};
    EXPECT_EQ(Sampler(options, 4).sample(row, {}), 2);
  }
  options = {};
  options.temperature = 1;
  options.top_k = 1000;  // more than there are
  Sampler sampler(options, 4);
  row = {1, 2, 3, 2};
  sampler.sample(row, {});
  EXPECT_EQ(row, (std::vector<float>{1, 2, 3, 2}));
  options.top_k = 0;
  EXPECT_TRUE(options.chain().names().empty());
}

TEST(Sampling, LogitsThatCannotBeChosenFrom) {
  Sampler sampler(SamplingOptions{}, 4);
  std::vector<float> row = {1, kNaN, 3, kNaN};
  EXPECT_EQ(error_of([&] { sampler.sample(row, {}); }), "sampling: the logits hold 2 NaN (the first is at token 1 of 4)");
  row = {1, 2, kInfinity, 2};
  EXPECT_EQ(error_of([&] { sampler.sample(row, {}); }), "sampling: the logits hold 1 NaN or +inf (the first is at token 2 of 4)");
  row.assign(4, -kInfinity);
  EXPECT_EQ(error_of([&] { sampler.sample(row, {}); }), "sampling: all 4 logits are -inf");
  row.assign(3, 0);
  EXPECT_EQ(error_of([&] { sampler.sample(row, {}); }), "sampling: expected 4 logits, found 3");
  SamplingOptions options;
  options.logit_bias = {{0, -kInfinity}, {1, -kInfinity}, {2, -kInfinity}};
  row = {1, 2, 3, -kInfinity};
  EXPECT_EQ(error_of([&] { Sampler(options, 4).sample(row, {}); }), "sampling: the filter 'logit_bias' leaves no token to choose from");
  row = {1, 2, 3, 4};
  EXPECT_EQ(sampler.sample(row, {}), 3);  // the sampler itself is none the worse
}

TEST(Sampling, AnErrorLeavesTheRandomNumbersWhereTheyWere) {
  SamplingOptions options;
  options.temperature = 1;
  Sampler disturbed(options, 30), calm(options, 30);
  Rng rows(2);
  for (int i = 0; i < 50; ++i) {
    std::vector<float> a = random_logits(rows, 30, 3), b = a, wrong(30, kNaN);
    EXPECT_THROW(disturbed.sample(wrong, {}), hw::Error);
    ASSERT_EQ(disturbed.sample(a, {}), calm.sample(b, {}));
  }
}

TEST(SamplingOptions, ErrorsNameArgumentValueAndRange) {
  const auto message = [](auto change) {
    SamplingOptions options;
    change(options);
    return error_of([&] { Sampler(options, 64); });
  };
  EXPECT_EQ(message([](auto& o) { o.temperature = kNaN; }), "temperature: expected a finite number of at least 0, found NaN");
  EXPECT_EQ(message([](auto& o) { o.temperature = kInfinity; }), "temperature: expected a finite number of at least 0, found inf");
  EXPECT_EQ(message([](auto& o) { o.temperature = -1; }), "temperature: expected a finite number of at least 0, found -1");
  EXPECT_EQ(message([](auto& o) { o.top_k = -1; }), "top_k: expected a count of at least 0, found -1");
  EXPECT_EQ(message([](auto& o) { o.top_p = -0.1f; }), "top_p: expected a number from 0 to 1, found -0.1");
  EXPECT_EQ(message([](auto& o) { o.top_p = 1.5f; }), "top_p: expected a number from 0 to 1, found 1.5");
  EXPECT_EQ(message([](auto& o) { o.top_p = kNaN; }), "top_p: expected a number from 0 to 1, found NaN");
  EXPECT_EQ(message([](auto& o) { o.min_p = 2; }), "min_p: expected a number from 0 to 1, found 2");
  EXPECT_EQ(message([](auto& o) { o.typical_p = -1; }), "typical_p: expected a number from 0 to 1, found -1");
  EXPECT_EQ(message([](auto& o) { o.epsilon_cutoff = kNaN; }), "epsilon_cutoff: expected a number from 0 to 1, found NaN");
  EXPECT_EQ(message([](auto& o) { o.eta_cutoff = 1.01f; }), "eta_cutoff: expected a number from 0 to 1, found 1.01");
  EXPECT_EQ(message([](auto& o) { o.top_n_sigma = -2; }), "top_n_sigma: expected a finite number of at least 0, found -2");
  for (const float bad : {0.0f, -1.0f, kNaN, kInfinity})
    EXPECT_NE(message([&](auto& o) { o.repetition_penalty = bad; }).find("repetition_penalty: expected a finite number above 0"),
              std::string::npos);
  EXPECT_EQ(message([](auto& o) { o.frequency_penalty = kNaN; }), "frequency_penalty: expected a finite number, found NaN");
  EXPECT_EQ(message([](auto& o) { o.presence_penalty = kInfinity; }), "presence_penalty: expected a finite number, found inf");
  EXPECT_EQ(message([](auto& o) { o.penalty_window = -2; }), "penalty_window: expected a count of at least 0, or -1 for all, found -2");
  EXPECT_EQ(message([](auto& o) { o.no_repeat_ngram_size = -1; }), "no_repeat_ngram_size: expected a count of at least 0, found -1");
  EXPECT_EQ(message([](auto& o) { o.logit_bias = {{64, 1.0f}}; }), "logit_bias: expected ids from 0 to 63, found 64");
  EXPECT_EQ(message([](auto& o) { o.logit_bias = {{-1, 1.0f}}; }), "logit_bias: expected ids from 0 to 63, found -1");
  EXPECT_EQ(message([](auto& o) { o.logit_bias = {{3, kNaN}}; }), "logit_bias of token 3: expected a finite number or -inf, found NaN");
  EXPECT_EQ(message([](auto& o) { o.logit_bias = {{3, -kInfinity}}; }), "no error");
  EXPECT_EQ(error_of([] { Sampler(SamplingOptions{}, 0); }), "sampling: expected a vocabulary of at least 1, found 0");
}

}  // namespace
