// Samplers held to plain double loops over their definitions.

#include "headwise/generate/samplers.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "headwise/generate/sampling.hpp"

namespace {

using hw::Candidates;
using hw::index_t;
using hw::Rng;

using Logits = std::vector<float>;
using Ids = std::vector<std::int32_t>;

Logits random_logits(Rng& rng, std::size_t n, double spread = 4) {
  Logits out(n);
  for (float& l : out) l = static_cast<float>((rng.uniform() + rng.uniform() - 1) * spread);
  return out;
}

std::vector<double> softmax(const Logits& l) {
  double max = -1e300, sum = 0;
  for (const float x : l) max = std::max(max, double{x});
  std::vector<double> p;
  for (const float x : l) sum += p.emplace_back(std::exp(double{x} - max));
  for (double& x : p) x /= sum;
  return p;
}

// The logits that a filter leaves.
template <class Filter>
Logits apply(Filter& filter, Logits l, const Ids& ids = {}, std::uint64_t seed = 0) {
  Candidates candidates(static_cast<index_t>(l.size()));
  Rng rng(seed);
  candidates.reset(l);
  filter.apply(candidates, {ids, rng});
  return l;
}

bool left(float l) { return l != Candidates::kOut; }

TEST(Samplers, TopA) {
  Rng rng(1);
  for (int round = 0; round < 50; ++round) {
    const Logits l = random_logits(rng, 40);
    const auto p = softmax(l);
    const double a = rng.uniform(), best = *std::max_element(p.begin(), p.end());
    hw::TopA filter{static_cast<float>(a)};
    const Logits found = apply(filter, l);
    for (std::size_t i = 0; i < 40; ++i) ASSERT_EQ(left(found[i]), p[i] >= double{static_cast<float>(a)} * best * best || p[i] == best);
  }
}

TEST(Samplers, XtcExcludesTheTopChoicesAsOftenAsItShould) {
  Rng rng(2);
  int excluded = 0;
  for (std::uint64_t round = 0; round < 2000; ++round) {
    const Logits l = random_logits(rng, 12);
    const auto p = softmax(l);
    hw::Xtc filter{0.1f, 0.3f};
    const Logits found = apply(filter, l, {}, round);
    std::vector<std::size_t> top;
    for (std::size_t i = 0; i < 12; ++i)
      if (p[i] >= double{0.1f}) top.push_back(i);
    if (found == l) {
      excluded += top.size() < 2 && Rng(round).uniform() < 0.3;
      continue;
    }
    ++excluded;
    ASSERT_GE(top.size(), 2u);
    const std::size_t least = *std::min_element(top.begin(), top.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
    for (std::size_t i = 0; i < 12; ++i) ASSERT_EQ(left(found[i]), p[i] < double{0.1f} || i == least);
  }
  EXPECT_NEAR(excluded, 600, 75);
}

TEST(Samplers, DryAgainstComparingEverySuffix) {
  Rng rng(3);
  int penalised = 0;
  for (int round = 0; round < 300; ++round) {
    const std::size_t vocabulary = 3 + rng.below(4);
    Ids ids(rng.below(60));
    for (auto& id : ids) id = static_cast<std::int32_t>(rng.below(vocabulary));
    if (!ids.empty() && round % 5 == 0) ids[rng.below(ids.size())] = -1;  // a row given as a vector
    hw::Dry filter{0.8f, 1.5f, static_cast<index_t>(rng.below(4)), round % 3 == 0 ? 20 : -1};
    if (round % 2 == 0) filter.breakers = {0};
    const Logits l = random_logits(rng, vocabulary);
    const Logits found = apply(filter, l, ids);
    const Ids seen(filter.window >= 0 && ids.size() > 20 ? ids.end() - 20 : ids.begin(), ids.end());
    for (std::size_t t = 0; t < vocabulary; ++t) {
      const auto token = static_cast<std::int32_t>(t);
      const auto breaks = [&](std::int32_t id) { return id < 0 || (round % 2 == 0 && id == 0); };
      std::size_t longest = 0;
      for (std::size_t at = 1; at < seen.size(); ++at) {
        std::size_t n = 0;
        while (n < at && seen[at - 1 - n] == seen[seen.size() - 1 - n] && !breaks(seen[at - 1 - n])) ++n;
        if (seen[at] == token && !breaks(token)) longest = std::max(longest, n);
      }
      const bool costs = longest > 0 && static_cast<index_t>(longest) >= filter.allowed_length;
      penalised += costs;
      const double expected =
          double{l[t]} - (costs ? 0.8 * std::pow(1.5, static_cast<double>(longest) - double(filter.allowed_length)) : 0);
      ASSERT_NEAR(found[t], expected, 1e-5 * std::max(1.0, std::fabs(expected))) << round;
    }
  }
  EXPECT_GT(penalised, 300);
}

// A text of 4096 equal tokens: linear, and no infinity.
TEST(Samplers, DryOnAVeryLongRepetition) {
  hw::Dry filter{1, 8, 2};
  const Logits found = apply(filter, {0, 0, 0}, Ids(4096, 1));
  EXPECT_EQ(found[0], 0);
  EXPECT_EQ(found[1], -1e30f);
}

// mu and the kept tokens, step by step, beside a plain computation.
template <class Filter>
void check_mirostat(int version) {
  Rng rng(4), choice(5);
  Filter filter{hw::Surprise{3, 0.2}};
  double mu = 6;
  Ids ids = {1};
  for (int step = 0; step < 200; ++step) {
    const Logits l = random_logits(rng, 60, 5);
    const Logits found = apply(filter, l, ids);
    ASSERT_NEAR(filter.surprise.mu, mu, 1e-9) << step;
    const auto p = softmax(l);
    std::vector<double> sorted = p;
    std::sort(sorted.rbegin(), sorted.rend());
    double least = std::exp2(-mu);
    if (version == 1) {
      double tb = 0, tt = 0;
      for (std::size_t i = 1; i < 60; ++i) {
        const double t = std::log((static_cast<double>(i) + 1) / static_cast<double>(i));
        tb += t * std::log(sorted[i - 1] / sorted[i]), tt += t * t;
      }
      const double s = tb / tt, e = s - 1;
      const double k = std::round(std::pow(e * std::exp2(mu) / (1 - std::pow(60, -e)), 1 / s));
      least = k >= 60 ? 0 : sorted[static_cast<std::size_t>(std::max(k, 1.0)) - 1];
    }
    double kept = 0;
    std::vector<std::size_t> tokens;
    for (std::size_t i = 0; i < 60; ++i) {
      const bool expected = p[i] >= least - 1e-15 || p[i] == sorted[0];
      ASSERT_EQ(left(found[i]), expected) << step << " " << i;
      if (expected) kept += p[i], tokens.push_back(i);
    }
    const std::size_t chosen = tokens[choice.below(tokens.size())];
    ids.push_back(static_cast<std::int32_t>(chosen));
    mu -= 0.2 * (-std::log2(p[chosen] / kept) - 3);
    mu = step % 7 == 0 ? (ids.push_back(2), mu + 0.2 * (-std::log2(p[chosen] / kept) - 3)) : mu;  // two tokens at once teach nothing
  }
}
TEST(Samplers, Mirostat1) { check_mirostat<hw::Mirostat>(1); }
TEST(Samplers, Mirostat2) { check_mirostat<hw::MirostatV2>(2); }

// What it is for: the mean surprise of a long text is tau, whatever the model's own entropy is.
TEST(Samplers, MirostatHoldsTheSurprise) {
  for (const int version : {1, 2}) {
    Rng rows(6);
    hw::SamplingOptions options;
    options.temperature = 1;
    options.mirostat = version;
    options.mirostat_tau = 2.5f;
    hw::Sampler sampler(options, 200);
    Ids ids = {0};
    double surprise = 0;
    for (int i = 0; i < 2000; ++i) {
      Logits l = random_logits(rows, 200, 6);
      ids.push_back(sampler.sample(l, ids));
      surprise -= std::log2(sampler.probability());
    }
    EXPECT_NEAR(surprise / 2000, 2.5, 0.15) << version;
  }
}

TEST(Samplers, OptionsOfTheseSamplers) {
  hw::SamplingOptions o;
  o.temperature = 1;
  o.dry_multiplier = o.top_a = o.xtc_probability = 0.5f;
  o.mirostat = 2;
  EXPECT_EQ(o.chain().names(), (std::vector<std::string>{"dry", "top_a", "xtc", "mirostat"}));
  const auto message = [](auto change) -> std::string {
    hw::SamplingOptions options;
    change(options);
    try {
      options.validate(10);
    } catch (const hw::Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(message([](auto& c) { c.dry_multiplier = -1; }), "dry_multiplier: expected a finite number of at least 0, found -1");
  EXPECT_EQ(message([](auto& c) { c.dry_base = 0.5f; }), "dry_base: expected a finite number of at least 1, found 0.5");
  EXPECT_EQ(message([](auto& c) { c.dry_allowed_length = -1; }), "dry_allowed_length: expected a count of at least 0, found -1");
  EXPECT_EQ(message([](auto& c) { c.dry_breakers = {10}; }), "dry_breakers: expected ids from 0 to 9, found 10");
  EXPECT_EQ(message([](auto& c) { c.top_a = -1; }), "top_a: expected a finite number of at least 0, found -1");
  EXPECT_EQ(message([](auto& c) { c.xtc_probability = 2; }), "xtc_probability: expected a number from 0 to 1, found 2");
  EXPECT_EQ(message([](auto& c) { c.xtc_threshold = NAN; }), "xtc_threshold: expected a number from 0 to 1, found NaN");
  EXPECT_EQ(message([](auto& c) { c.mirostat = 3; }), "mirostat: expected 0, 1 or 2, found 3");
  EXPECT_EQ(message([](auto& c) { c.mirostat_tau = -1; }), "mirostat_tau: expected a finite number of at least 0, found -1");
  EXPECT_EQ(message([](auto& c) { c.mirostat_eta = INFINITY; }), "mirostat_eta: expected a finite number of at least 0, found inf");
}

}  // namespace
