// Attention next to what the machine can do. Checks every case against kernels/ref first, then times it as the best of many
// repetitions on one thread, in turns with a loop of multiply-adds (its peak), and beside a loop that reads memory.
//
// By the wall clock: other work can only make a repetition longer, so that the least one is sound. A thread's CPU clock is not: on a
// virtual machine it was seen to leave out part of a repetition, and the least one then showed more than the peak.
//
//   attention_bench [--target avx512] [--seconds 0.3]
//
// "useful" counts 2 (key_dim + value_dim) flops for each row and entry that it sees. Decode "from memory" rotates through 256 MiB.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "bench/kernels/peaks.hpp"
#include "headwise/core/error.hpp"
#include "tests/kernels/attention_cases.hpp"

namespace {

using namespace headwise_test;

struct Options {
  std::string target;
  double seconds = 0.3;
};

Options parse(int argc, char** argv) {
  Options out;
  for (int i = 1; i < argc; i += 2) {
    const std::string key = argv[i];
    if (i + 1 == argc) fail("attention_bench", "a value after each option", quoted(key));
    if (key == "--target")
      out.target = argv[i + 1];
    else if (key == "--seconds")
      out.seconds = std::stod(argv[i + 1]);
    else
      fail("attention_bench", "--target or --seconds", quoted(key));
  }
  return out;
}

// Compares some rows with the oracle; a benchmark of wrong numbers is worth nothing.
void check(const Attend& a, const ref::KeysValues& kv, DType type = DType::f32) {
  const double tolerance = type == DType::f32 ? 1e-5 : type == DType::f16 ? 1e-3 : 2e-2;  // smaller types are rounded
  for (const index_t token : {index_t{0}, a.tokens / 2, a.tokens - 1}) {
    for (index_t h = 0; h < a.heads; ++h) {
      const std::vector<double> expected = ref::attend(a, kv, token, h);
      for (index_t j = 0; j < a.layout.value_dim; ++j) {
        const float found = a.out[token * a.out_token_stride + h * a.out_head_stride + j];
        if (std::fabs(found - expected[static_cast<std::size_t>(j)]) > tolerance)
          fail("attention_bench", concat(expected[static_cast<std::size_t>(j)]), concat(found, " at token ", token, " head ", h));
      }
    }
  }
}

double wall() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct Timing {
  double seconds;  // of one call, the least
  double peak;     // flops a second of the multiply-add loop, the most, between the same calls
};

// Repeats for `seconds`; some calls at a time, because reading the clock takes as long as a short one.
template <class Call>
Timing least(Target target, double seconds, Call call) {
  const bench::PeakLoops loops = bench::peak_loops(target);
  constexpr long kRounds = 20000;
  const double loop_flops = 2.0 * kRounds * scalar::kPeakChains * loops.lanes;
  double begin = wall();
  call();
  const int calls = static_cast<int>(std::clamp(50e-6 / (wall() - begin), 1.0, 1000.0));
  Timing out{1e9, 0};
  volatile float sink = 0;
  const double end = wall() + seconds;
  for (int i = 0; i < 5 || wall() < end; ++i) {
    begin = wall();
    for (int j = 0; j < calls; ++j) call();
    const double middle = wall();
    sink = loops.multiply_add(kRounds, sink);
    out.seconds = std::min(out.seconds, (middle - begin) / calls);
    out.peak = std::max(out.peak, loop_flops / (wall() - middle));
  }
  return out;
}

double pairs(const Attend& a) {
  double sum = 0;
  for (index_t i = 0; i < a.tokens; ++i) sum += static_cast<double>(a.visible[i].end - a.visible[i].begin);
  return sum * static_cast<double>(a.heads);
}

struct Case {
  const char* name;
  index_t entries, tokens, heads, dim;
  bool causal;
};

void prefill(const AttentionKernels& kernels, Target target, const Case& c, double seconds) {
  Problem p({c.entries, c.tokens, c.heads, 1, c.dim, c.dim}, kernels);
  if (!c.causal)
    for (EntryRange& r : p.visible) r = {0, c.entries};
  const Attend a = p.call();
  kernels.attend(a, p.scratch.data());
  check(a, p.plain());
  const auto [s, peak] = least(target, seconds, [&] { kernels.attend(a, p.scratch.data()); });
  const double flops = pairs(a) * 4.0 * static_cast<double>(c.dim) / s;
  std::printf("  %-28s t %4lld x %lld heads, %5lld entries, k %3lld: %7.1f us, %6.1f GFLOP/s useful, %5.1f %% of peak\n", c.name,
              static_cast<long long>(c.tokens), static_cast<long long>(c.heads), static_cast<long long>(c.entries),
              static_cast<long long>(c.dim), s * 1e6, flops / 1e9, 100 * flops / peak);
}

void decode(const AttentionKernels& kernels, Target target, DType type, index_t entries, index_t heads, index_t dim, bool from_memory,
            double seconds, double bandwidth) {
  const KvLayout layout{1, dim, dim, type};
  const double bytes = static_cast<double>(entries / kKeyBlock * layout.bytes());
  const index_t copies = from_memory ? static_cast<index_t>(256e6 / bytes) + 1 : 1;
  std::vector<std::unique_ptr<Problem>> problems;
  std::vector<Attend> calls;
  for (index_t i = 0; i < copies; ++i) {
    problems.push_back(std::make_unique<Problem>(Shape{entries, 1, heads, 1, dim, dim}, kernels, 1, 1.0f, type));
    Problem& p = *problems.back();
    if (i > 0) p.k = {}, p.v = {};
    calls.push_back(p.call());
  }
  kernels.attend(calls[0], problems[0]->scratch.data());
  check(calls[0], problems[0]->plain(), type);
  const auto [all, peak] = least(target, seconds, [&] {
    for (index_t i = 0; i < copies; ++i) kernels.attend(calls[static_cast<std::size_t>(i)], problems[0]->scratch.data());
  });
  const double s = all / static_cast<double>(copies);
  const double flops = static_cast<double>(entries * heads) * 4.0 * static_cast<double>(dim) / s;
  std::printf("  %-28s %-4s 1 x %lld heads, %5lld entries, k %3lld: %7.1f us, %6.1f GB/s (%5.1f %% of reading memory), %5.1f %% of f32 peak\n",
              from_memory ? "decode from memory" : "decode from cache", name_of(type).data(), static_cast<long long>(heads), static_cast<long long>(entries),
              static_cast<long long>(dim), s * 1e6, bytes / s / 1e9, 100 * bytes / s / bandwidth, 100 * flops / peak);
}

void run(const Options& options) {
  const Target target = options.target.empty() ? default_target() : parse_target(options.target);
  const AttentionKernels& kernels = table(target).attention;
  const Case cases[] = {
      {"full tile, cached", 512, 64, 1, 64, false},
      {"full tile, cached", 512, 64, 1, 128, false},
      {"full tile, cached", 512, 64, 1, 256, false},
      {"causal prefill", 512, 512, 1, 64, true},
      {"causal prefill, groups of 3", 512, 512, 3, 64, true},
      {"causal prefill, groups of 8", 512, 512, 8, 64, true},
      {"causal prefill", 4096, 512, 1, 128, true},
      {"encoder", 128, 128, 1, 32, false},
      {"encoder", 16, 16, 1, 32, false},
  };
  const double bandwidth = bench::read_bandwidth();
  std::printf("target %s, one thread, reading memory %.1f GB/s\n", std::string(name_of(target)).c_str(), bandwidth / 1e9);
  for (const Case& c : cases) prefill(kernels, target, c, options.seconds);
  for (const bool from_memory : {false, true})
    for (const auto& [dim, type] : {std::pair{64, DType::f32}, {128, DType::f32}, {64, DType::f16}, {128, DType::f16}, {128, DType::q8_0}})
      for (const index_t heads : {1, 3, 8})
        decode(kernels, target, type, from_memory ? 4096 : 512, heads, index_t{dim}, from_memory, options.seconds, bandwidth);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(parse(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
