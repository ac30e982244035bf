// Experts' matrices in one pass beside one dense matrix of the same work: 32 experts of 1792 x 2048, four for each of 512 tokens.
// The grouped rows are checked against each expert alone, bit for bit, before anything is timed. Times are the best of many, in turns.
//
//   bench_experts [--seconds 1] [--threads 1] [--types f32,q8_0,q4_0,q4_k]
//
// "even": 64 rows an expert; "uneven": the k-th expert has about twice the rows of the 2k-th. Decode: one token, whose four experts are
// others each time, as a share of reading memory.

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include "bench/kernels/peaks.hpp"
#include "headwise/core/error.hpp"
#include "headwise/core/thread_pool.hpp"
#include "headwise/layers/linear.hpp"
#include "tests/kernels/weights.hpp"

namespace {

using namespace hw;

constexpr index_t kExperts = 32, kTop = 4, kTokens = 512, kIn = 2048, kOut = 1792;

// Rows of each expert, in all kTokens * kTop.
std::vector<index_t> rows_of(bool even) {
  std::vector<double> share;
  double all = 0;
  for (index_t e = 0; e < kExperts; ++e) all += share.emplace_back(even ? 1.0 : 1.0 / static_cast<double>(e + 1));
  std::vector<index_t> begin{0};
  double sum = 0;
  for (const double s : share) begin.push_back(static_cast<index_t>((sum += s) / all * static_cast<double>(kTokens * kTop) + 0.5));
  return begin;
}

struct Bench {
  Bench(DType type, int threads) : pool(threads), build(RandomWeights{.seed = 1}, kernels::table(), pool, {.weights = type}) {
    experts.reserve(kExperts);
    for (index_t e = 0; e < kExperts; ++e) experts.emplace_back(kIn, kOut, false, build.scope(concat(e)));
    for (const Linear& e : experts) all.push_back(&e);
    x.resize(static_cast<std::size_t>(kTokens * kTop * kIn));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(static_cast<int>(i * 2654435761u >> 16 & 0xFF) - 128) / 128.0f;
    y.resize(static_cast<std::size_t>(kTokens * kTop * kOut));
  }
  ConstView in(index_t begin, index_t end) const { return ConstView(x.data() + begin * kIn, end - begin, kIn); }
  View out(index_t begin, index_t end) { return View(y.data() + begin * kOut, end - begin, kOut); }
  template <class Run>
  double time(Run run) {
    Step step{pool, kernels::table(), arena};
    TokenSet tokens;
    tokens.index = index;
    const Frame frame(step, tokens, {});
    const ArenaScope scope(arena);
    const double start = bench::now();
    run(frame);
    return bench::now() - start;
  }

  ThreadPool pool;
  Build build;
  std::vector<Linear> experts;
  std::vector<const Linear*> all;
  std::vector<float> x, y;
  Arena arena;
  std::vector<index_t> index = std::vector<index_t>(kTokens * kTop);
};

void check(Bench& b, const std::vector<index_t>& begin) {
  b.time([&](const Frame& f) { Linear::forward_groups(b.all, begin, b.in(0, kTokens * kTop), b.out(0, kTokens * kTop), f); });
  const std::vector<float> grouped = b.y;
  for (std::size_t e = 0; e < b.all.size(); e += 5)
    if (begin[e] < begin[e + 1])
      b.time([&](const Frame& f) { b.all[e]->forward(b.in(begin[e], begin[e + 1]), b.out(begin[e], begin[e + 1]), f); });
  if (grouped != b.y) fail("bench_experts", "the same bits grouped and alone", "others");
}

void run(DType type, int threads, double seconds) {
  Bench b(type, threads);
  const auto even = rows_of(true), uneven = rows_of(false);
  check(b, even);
  check(b, uneven);
  double dense = 1e9, best[2] = {1e9, 1e9};
  for (const double end = bench::now() + seconds; bench::now() < end;) {
    dense = std::min(dense, b.time([&](const Frame& f) { b.all[0]->forward(b.in(0, kTokens * kTop), b.out(0, kTokens * kTop), f); }));
    for (int i = 0; i < 2; ++i)
      best[i] = std::min(best[i], b.time([&](const Frame& f) {
        Linear::forward_groups(b.all, i == 0 ? even : uneven, b.in(0, kTokens * kTop), b.out(0, kTokens * kTop), f);
      }));
  }
  double one = 1e9;
  std::vector<index_t> begin(kExperts + 1);
  for (const double end = bench::now() + seconds / 2; bench::now() < end;) {
    double sum = 0;
    for (index_t first = 0; first < kExperts / kTop; ++first) {  // all experts once
      for (index_t e = 0; e < kExperts; ++e)
        begin[static_cast<std::size_t>(e + 1)] = begin[static_cast<std::size_t>(e)] + (e % (kExperts / kTop) == first ? 1 : 0);
      sum += b.time([&](const Frame& f) { Linear::forward_groups(b.all, begin, b.in(0, kTop), b.out(0, kTop), f); });
    }
    one = std::min(one, sum);
  }
  double bytes = 0;
  for (const MatrixReport& m : b.build.report()) bytes += static_cast<double>(m.bytes);
  const double flops = 2.0 * kTokens * kTop * kIn * kOut;
  std::printf("| %-5s | %8.1f | %6.1f %% | %6.1f %% | %6.1f %% |\n", std::string(name_of(type)).c_str(), flops / dense / 1e9,
              100 * dense / best[0], 100 * dense / best[1], 100 * bytes / one / bench::read_bandwidth());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    double seconds = 1;
    int threads = 1;
    std::string types = "f32,q8_0,q4_0,q4_k";
    for (int i = 1; i + 1 < argc; i += 2) {
      const std::string key = argv[i];
      if (key == "--seconds")
        seconds = std::stod(argv[i + 1]);
      else if (key == "--threads")
        threads = std::stoi(argv[i + 1]);
      else if (key == "--types")
        types = argv[i + 1];
      else
        fail("bench_experts", "--seconds, --threads or --types", quoted(key));
    }
    std::printf(
        "%d thread(s)\n| type | dense, GFLOP/s | even, of dense | uneven, of dense | decode, of reading memory |\n|---|---|---|---|---|\n",
        threads);
    std::stringstream list(types);
    for (std::string name; std::getline(list, name, ',');) {
      const auto* const end = std::end(test::kWeightTypes);
      const auto* const found = std::find_if(std::begin(test::kWeightTypes), end, [&](DType t) { return name_of(t) == name; });
      if (found == end) fail("bench_experts", "a weight type", quoted(name));
      run(*found, threads, seconds);
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
