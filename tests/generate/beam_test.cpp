#include "headwise/generate/beam.hpp"

#include "headwise/generate/generate.hpp"
#include "tests/generate/toy_models.hpp"

namespace {

using hw::Beam;
using hw::beam_search;
using hw::BeamOptions;
using hw::EarlyStopping;
using hw::index_t;
using toy::error_of;
using toy::Ids;

constexpr double kOut = -std::numeric_limits<double>::infinity();

// The search as tables: every step scores all (beam, token) pairs of whole sequences, computed without states.
struct Row {
  Ids ids;  // new tokens
  double sum = 0, score = 0;
};

std::vector<double> processed(const hw::Model& model, const Ids& prompt, const Ids& made, const BeamOptions& o, const Ids& chosen) {
  Ids all = prompt;
  all.insert(all.end(), made.begin(), made.end());
  std::vector<double> p = toy::log_softmax(toy::logits(model, all));
  const auto at = [&](std::int32_t id) -> double& { return p[static_cast<std::size_t>(id)]; };
  for (const auto id : chosen) at(id) -= double{o.diversity_penalty};
  for (std::int32_t id = 0; id < static_cast<std::int32_t>(p.size()); ++id)
    if (std::find(all.begin(), all.end(), id) != all.end()) at(id) *= double{o.repetition_penalty};  // log probabilities are below 0
  const auto n = static_cast<std::size_t>(o.no_repeat_ngram_size);
  for (std::int32_t id = 0; id < static_cast<std::int32_t>(p.size()) && n > 0; ++id) {
    Ids longer = all;
    longer.push_back(id);
    for (std::size_t i = 0; i + n < longer.size() && longer.size() > n; ++i)
      if (std::equal(longer.end() - static_cast<std::ptrdiff_t>(n), longer.end(), longer.begin() + static_cast<std::ptrdiff_t>(i)))
        at(id) = kOut;
  }
  for (const Ids& word : o.bad_words) {
    Ids longer = all;
    longer.push_back(word.back());
    if (longer.size() >= word.size() && std::equal(word.rbegin(), word.rend(), longer.rbegin())) at(word.back()) = kOut;
  }
  if (static_cast<index_t>(all.size()) < o.min_length || static_cast<index_t>(made.size()) < o.min_new_tokens)
    for (const auto id : o.eos_ids) at(id) = kOut;
  const auto force = [&](std::int32_t id) {
    std::fill(p.begin(), p.end(), kOut);
    at(id) = 0;
  };
  if (o.forced_bos_id && all.size() == 1) force(*o.forced_bos_id);
  if (o.forced_eos_id && static_cast<index_t>(made.size()) == o.max_new_tokens - 1) force(*o.forced_eos_id);
  if (made.size() == (o.forced_bos_id && prompt.size() == 1 ? 1u : 0u))
    for (const auto id : o.begin_suppress_ids) at(id) = kOut;
  return p;
}

std::vector<Row> reference(const hw::Model& model, const Ids& prompt, const BeamOptions& o) {
  const auto groups = static_cast<std::size_t>(o.num_beam_groups), width = static_cast<std::size_t>(o.num_beams) / groups;
  const std::size_t keep = std::max<std::size_t>(2, 1 + o.eos_ids.size()) * width;
  std::vector<std::vector<Row>> running(groups, {Row{}}), finished(groups);
  std::vector<bool> done(groups, false);
  for (index_t length = 1; length <= o.max_new_tokens; ++length) {
    Ids chosen;
    for (std::size_t g = 0; g < groups; ++g) {
      if (done[g]) continue;
      std::vector<Row> all;
      for (const Row& beam : running[g]) {
        const auto p = processed(model, prompt, beam.ids, o, chosen);
        for (std::size_t id = 0; id < p.size(); ++id) {
          Row row = beam;
          row.ids.push_back(static_cast<std::int32_t>(id));
          row.sum += p[id];
          if (p[id] != kOut) all.push_back(row);
        }
      }
      std::stable_sort(all.begin(), all.end(), [](const Row& a, const Row& b) { return a.sum > b.sum; });
      if (all.size() > keep) all.resize(keep);
      running[g].clear();
      for (std::size_t rank = 0; rank < all.size(); ++rank) {
        Row& row = all[rank];
        row.score = row.sum / std::pow(length, double{o.length_penalty});
        const bool eos = std::find(o.eos_ids.begin(), o.eos_ids.end(), row.ids.back()) != o.eos_ids.end();
        if (!eos && length < o.max_new_tokens) {
          if (running[g].size() < width) running[g].push_back(row);
        } else if (rank < width) {
          finished[g].push_back(row);
        }
      }
      for (const Row& row : running[g]) chosen.push_back(row.ids.back());
      std::stable_sort(finished[g].begin(), finished[g].end(), [](const Row& a, const Row& b) { return a.score > b.score; });
      if (finished[g].size() > width) finished[g].resize(width);
      if (running[g].empty()) {
        done[g] = true;
      } else if (finished[g].size() == width) {
        const double attainable_length = o.early_stopping == EarlyStopping::never && o.length_penalty > 0
                                             ? static_cast<double>(o.max_new_tokens)
                                             : static_cast<double>(length);
        const double attainable = running[g][0].sum / std::pow(attainable_length, double{o.length_penalty});
        done[g] = o.early_stopping == EarlyStopping::yes || attainable <= finished[g].back().score;
      }
    }
    if (std::all_of(done.begin(), done.end(), [](bool d) { return d; })) break;
  }
  std::vector<Row> best;
  for (auto& g : finished) best.insert(best.end(), g.begin(), g.end());
  std::stable_sort(best.begin(), best.end(), [](const Row& a, const Row& b) { return a.score > b.score; });
  if (best.size() > static_cast<std::size_t>(o.num_return_sequences)) best.resize(static_cast<std::size_t>(o.num_return_sequences));
  return best;
}

void expect_same(const std::vector<Beam>& found, const std::vector<Row>& expected, const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].ids, expected[i].ids) << what << " sequence " << i;
    EXPECT_NEAR(found[i].score, expected[i].score, 2e-5) << what << " sequence " << i;
  }
}

TEST(Beam, IsTheSearchAsTables) {
  hw::Rng rng(11);
  int ended = 0, cut = 0;
  for (int round = 0; round < 150; ++round) {
    const auto pick = [&](std::uint64_t n) { return static_cast<index_t>(rng.below(n)); };
    const auto model = toy::decoder(24, pick(3) == 0 ? 4 : 0, 100 + static_cast<std::uint64_t>(round % 10));
    BeamOptions o;
    o.num_beams = 1 + pick(4);
    o.max_new_tokens = 1 + pick(8);
    o.length_penalty = std::array{1.0f, 0.6f, 2.0f, 0.0f, -0.5f}[rng.below(5)];
    o.early_stopping = static_cast<EarlyStopping>(pick(3));
    o.eos_ids = {3};
    if (pick(3) == 0) o.eos_ids = {3, 5, 9, 17};
    if (pick(3) == 0) o.num_beams *= 2, o.num_beam_groups = 2, o.diversity_penalty = 0.7f;
    o.num_return_sequences = 1 + pick(static_cast<std::uint64_t>(o.num_beams));
    if (pick(3) == 0) o.repetition_penalty = 1.3f;
    if (pick(3) == 0) o.no_repeat_ngram_size = 1 + pick(3);
    if (pick(3) == 0) o.bad_words = {{4}, {2, 6}, {1, 2, 3}};
    if (pick(3) == 0) o.min_length = pick(8);
    if (pick(3) == 0) o.min_new_tokens = pick(static_cast<std::uint64_t>(o.max_new_tokens) + 1);
    if (pick(3) == 0) o.forced_bos_id = 7;
    if (pick(3) == 0) o.forced_eos_id = 3;
    if (pick(3) == 0) o.begin_suppress_ids = {8, 9};
    o.prefill_chunk = 1 + pick(4);
    const Ids prompt = toy::random_ids(rng, 1 + rng.below(5), 24);
    const auto found = beam_search(*model, model->make_state(), prompt, o);
    expect_same(found, reference(*model, prompt, o), hw::concat("round ", round));
    for (const Beam& b : found) (b.finish == hw::FinishReason::stop_id ? ended : cut) += 1;
  }
  EXPECT_GT(ended, 50);
  EXPECT_GT(cut, 50);
}

// With as many beams as tokens, two steps look at every pair.
TEST(Beam, FindsTheBestOfAll) {
  const auto model = toy::decoder(12);
  const Ids prompt = {1, 2, 3};
  std::vector<Row> all;
  const auto first = toy::log_softmax(toy::logits(*model, prompt));
  for (std::int32_t a = 0; a < 12; ++a) {
    const auto second = toy::log_softmax(toy::logits(*model, {1, 2, 3, a}));
    for (std::int32_t b = 0; b < 12; ++b) {
      const double sum = first[static_cast<std::size_t>(a)] + second[static_cast<std::size_t>(b)];
      all.push_back({{a, b}, sum, sum / 2});
    }
  }
  std::sort(all.begin(), all.end(), [](const Row& a, const Row& b) { return a.score > b.score; });
  all.resize(12);
  expect_same(beam_search(*model, model->make_state(), prompt, {.num_beams = 12, .num_return_sequences = 12, .max_new_tokens = 2}), all,
              "");
}

TEST(Beam, OneBeamIsGreedy) {
  for (const index_t window : {0, 3}) {
    const auto model = toy::decoder(40, window);
    hw::StateSet state = model->make_state();
    const auto greedy = hw::generate(*model, state, {5, 6, 7, 8}, {.max_new_tokens = 12});
    const auto found = beam_search(*model, model->make_state(), Ids{5, 6, 7, 8}, {.num_beams = 1, .max_new_tokens = 12});
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].ids, greedy.ids);
    EXPECT_EQ(found[0].finish, hw::FinishReason::length);
  }
}

TEST(Beam, ScoresAreThoseOfTheTokens) {
  const auto model = toy::decoder(30);
  const auto found =
      beam_search(*model, model->make_state(), Ids{4, 9},
                  {.num_beams = 5, .num_return_sequences = 5, .max_new_tokens = 7, .length_penalty = 0.8f, .eos_ids = {2, 11}});
  ASSERT_EQ(found.size(), 5u);
  for (const Beam& beam : found) {
    ASSERT_EQ(beam.ids.size(), beam.log_probs.size());
    double sum = 0;
    Ids all = {4, 9};
    for (std::size_t i = 0; i < beam.ids.size(); ++i) {
      const double expected = toy::log_softmax(toy::logits(*model, all))[static_cast<std::size_t>(beam.ids[i])];
      EXPECT_NEAR(beam.log_probs[i], expected, 1e-5);
      sum += expected;
      all.push_back(beam.ids[i]);
    }
    EXPECT_NEAR(beam.score, sum / std::pow(beam.ids.size(), 0.8), 1e-5);
    EXPECT_EQ(beam.finish == hw::FinishReason::stop_id, beam.ids.back() == 2 || beam.ids.back() == 11);
  }
}

TEST(Beam, SourcesTogetherHaveTheBitsOfEachAlone) {
  const auto model = toy::decoder(30, 5);
  const BeamOptions o{
      .num_beams = 4, .num_return_sequences = 4, .max_new_tokens = 9, .early_stopping = EarlyStopping::yes, .eos_ids = {3, 4}};
  hw::Rng rng(3);
  std::vector<hw::StateSet> states;
  std::vector<Ids> prompts;
  std::vector<hw::BeamSource> sources;
  hw::Output unused;
  for (std::size_t i = 0; i < 5; ++i) {
    prompts.push_back(toy::random_ids(rng, 1 + 3 * i, 30));
    states.push_back(model->make_state());
    if (i % 2 == 1) model->forward(hw::Sequence{toy::random_ids(rng, 4, 30), &states.back(), hw::Wanted::none}, unused);
  }
  for (std::size_t i = 0; i < 5; ++i) sources.push_back({&states[i], prompts[i]});
  const auto together = beam_search(*model, sources, o);
  for (std::size_t i = 0; i < 5; ++i) {
    const index_t before = states[i].size();
    const auto alone = beam_search(*model, states[i], prompts[i], o);
    EXPECT_EQ(states[i].size(), before);
    ASSERT_EQ(alone.size(), together[i].size());
    for (std::size_t b = 0; b < alone.size(); ++b) {
      EXPECT_EQ(alone[b].ids, together[i][b].ids);
      EXPECT_EQ(alone[b].log_probs, together[i][b].log_probs);
      EXPECT_EQ(alone[b].score, together[i][b].score);
    }
  }
}

TEST(Beam, PrefixesAreForced) {
  const auto model = toy::decoder(30);
  const Ids prompt = {1, 2}, prefix = {9, 8, 7};
  BeamOptions o{.num_beams = 4, .num_return_sequences = 4, .max_new_tokens = 6, .length_penalty = 0};
  BeamOptions plain = o;
  plain.max_new_tokens = 3;
  o.prefix_allowed_ids = [&](std::span<const std::int32_t> ids) {
    if (ids.size() < 5) return Ids{prefix[ids.size() - 2]};
    Ids all(30);
    for (std::int32_t i = 0; i < 30; ++i) all[static_cast<std::size_t>(i)] = 29 - i;
    return all;
  };
  const auto found = beam_search(*model, model->make_state(), prompt, o);
  const auto expected = beam_search(*model, model->make_state(), Ids{1, 2, 9, 8, 7}, plain);
  ASSERT_EQ(found.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(Ids(found[i].ids.begin(), found[i].ids.begin() + 3), prefix);
    EXPECT_EQ(Ids(found[i].ids.begin() + 3, found[i].ids.end()), expected[i].ids);
  }
}

// Three sentences are allowed: all of them come out, whatever the beams; beams without a way on are dropped.
TEST(Beam, OnlyWhatATrieAllows) {
  const auto model = toy::decoder(30);
  const std::vector<Ids> sentences = {{5, 6, 0}, {5, 7, 8, 0}, {9, 0}};
  BeamOptions o{.num_beams = 4, .num_return_sequences = 4, .max_new_tokens = 8, .eos_ids = {0}};
  o.prefix_allowed_ids = [&](std::span<const std::int32_t> ids) {
    Ids next;
    const auto made = ids.subspan(1);
    for (const Ids& s : sentences)
      if (s.size() > made.size() && std::equal(made.begin(), made.end(), s.begin())) next.push_back(s[made.size()]);
    return next;
  };
  std::vector<Ids> found;
  for (const Beam& b : beam_search(*model, model->make_state(), Ids{1}, o)) found.push_back(b.ids);
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, (std::vector<Ids>{{5, 6, 0}, {5, 7, 8, 0}, {9, 0}}));
  o.prefix_allowed_ids = [](std::span<const std::int32_t> ids) { return ids.size() < 3 ? Ids{4} : Ids{}; };
  EXPECT_EQ(error_of([&] { beam_search(*model, model->make_state(), Ids{1}, o); }),
            "beam_search: the filter 'prefix_allowed_ids' leaves no sequence");
  o.prefix_allowed_ids = [](std::span<const std::int32_t>) { return Ids{4, 30}; };
  EXPECT_EQ(error_of([&] { beam_search(*model, model->make_state(), Ids{1}, o); }),
            "sampling: expected allowed ids from 0 to 29, found 30");
}

TEST(Beam, GroupsDiffer) {
  const auto model = toy::decoder(30);
  BeamOptions o{.num_beams = 6, .num_return_sequences = 6, .max_new_tokens = 5, .num_beam_groups = 3};
  const auto distinct_first = [&] {
    Ids first;
    for (const Beam& b : beam_search(*model, model->make_state(), Ids{1, 2}, o)) first.push_back(b.ids[0]);
    std::sort(first.begin(), first.end());
    return std::unique(first.begin(), first.end()) - first.begin();
  };
  const auto same = distinct_first();
  o.diversity_penalty = 20;
  EXPECT_GT(distinct_first(), same);
}

struct OnlyEven {
  static constexpr const char* kName = "only_even";
  void apply(hw::Candidates& candidates, const hw::SamplingContext&) const {
    candidates.keep([](std::int32_t id, float) { return id % 2 == 0; });
  }
};

TEST(Beam, ProcessorsOfYourOwn) {
  const auto model = toy::decoder(30);
  BeamOptions o{.num_beams = 3, .num_return_sequences = 3, .max_new_tokens = 5};
  o.processors.add(OnlyEven{});
  for (const Beam& b : beam_search(*model, model->make_state(), Ids{1}, o))
    for (const auto id : b.ids) EXPECT_EQ(id % 2, 0);
}

TEST(Beam, EndsAtTheModelsPositions) {
  const auto model = toy::decoder(30, 0, 3, 6);
  const auto found = beam_search(*model, model->make_state(), Ids{1, 2, 3}, {.num_beams = 2, .max_new_tokens = 50});
  EXPECT_EQ(found[0].ids.size(), 4u);  // the last is not fed
  EXPECT_NE(error_of([&] { beam_search(*model, model->make_state(), Ids(7, 1), {}); }).find("at most 6 positions"), std::string::npos);
}

TEST(Beam, BadInput) {
  const auto model = toy::decoder(30);
  const auto message = [&](auto change) {
    BeamOptions o;
    change(o);
    hw::StateSet state = model->make_state();
    hw::Output unused;
    model->forward(hw::Sequence{Ids{1, 2}, &state, hw::Wanted::none}, unused);
    const std::string what = error_of([&] { beam_search(*model, state, Ids{3}, o); });
    EXPECT_EQ(state.size(), 2);
    return what;
  };
  EXPECT_EQ(message([](auto& o) { o.num_beams = 0; }), "num_beams: expected a count of at least 1, found 0");
  EXPECT_EQ(message([](auto& o) { o.num_beams = 31; }), "num_beams: expected at most the 30 tokens of the vocabulary, found 31");
  EXPECT_EQ(message([](auto& o) { o.num_return_sequences = 0; }), "num_return_sequences: expected a count of at least 1, found 0");
  EXPECT_EQ(message([](auto& o) { o.num_return_sequences = 5; }), "num_return_sequences: expected at most num_beams, 4, found 5");
  EXPECT_EQ(message([](auto& o) { o.max_new_tokens = 0; }), "max_new_tokens: expected a count of at least 1, found 0");
  EXPECT_EQ(message([](auto& o) { o.length_penalty = NAN; }), "length_penalty: expected a finite number, found NaN");
  EXPECT_EQ(message([](auto& o) { o.num_beam_groups = 3; }), "num_beam_groups: expected a divisor of num_beams, 4, found 3");
  EXPECT_EQ(message([](auto& o) { o.num_beam_groups = 0; }), "num_beam_groups: expected a count of at least 1, found 0");
  EXPECT_EQ(message([](auto& o) { o.diversity_penalty = -1; }), "diversity_penalty: expected a finite number of at least 0, found -1");
  EXPECT_EQ(message([](auto& o) { o.diversity_penalty = 1; }), "diversity_penalty: expected 0 with a single group, found 1");
  EXPECT_EQ(message([](auto& o) { o.repetition_penalty = -1; }), "repetition_penalty: expected a finite number above 0, found -1");
  EXPECT_EQ(message([](auto& o) { o.no_repeat_ngram_size = -1; }), "no_repeat_ngram_size: expected a count of at least 0, found -1");
  EXPECT_EQ(message([](auto& o) { o.bad_words = {{}}; }), "bad_words: expected sequences of at least one id, found an empty one");
  EXPECT_EQ(message([](auto& o) { o.bad_words = {{1, 30}}; }), "bad_words: expected ids from 0 to 29, found 30");
  EXPECT_EQ(message([](auto& o) { o.min_length = -1; }), "min_length: expected a count of at least 0, found -1");
  EXPECT_EQ(message([](auto& o) { o.min_new_tokens = 300; }), "min_new_tokens: expected at most max_new_tokens, 256, found 300");
  EXPECT_EQ(message([](auto& o) { o.eos_ids = {-1}; }), "eos_ids: expected ids from 0 to 29, found -1");
  EXPECT_EQ(message([](auto& o) { o.forced_bos_id = 30; }), "forced_bos_id: expected ids from 0 to 29, found 30");
  EXPECT_EQ(message([](auto& o) { o.forced_eos_id = -2; }), "forced_eos_id: expected ids from 0 to 29, found -2");
  EXPECT_EQ(message([](auto& o) { o.begin_suppress_ids = {99}; }), "begin_suppress_ids: expected ids from 0 to 29, found 99");
  EXPECT_EQ(message([](auto& o) { o.logit_bias = {{30, 1.0f}}; }), "logit_bias: expected ids from 0 to 29, found 30");
  EXPECT_EQ(message([](auto& o) { o.prefill_chunk = 0; }), "prefill_chunk: expected a count of at least 1, found 0");
  EXPECT_NE(error_of([&] { beam_search(*model, model->make_state(), Ids{}, {}); }).find("prompt: empty"), std::string::npos);
  EXPECT_NE(error_of([&] { beam_search(*model, model->make_state(), Ids{30}, {}); }).find("id below the vocabulary size"),
            std::string::npos);
  EXPECT_NE(error_of([&] { beam_search(*model, std::vector<hw::BeamSource>{}, {}); }).find("at least one prompt"), std::string::npos);
  EXPECT_NE(error_of([&] { beam_search(*model, hw::StateSet(), Ids{1}, {}); }).find("belongs to no model"), std::string::npos);
}

}  // namespace
