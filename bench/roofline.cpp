// What this machine can do at most: multiply-adds in f32, bf16 and int8, and reading L2, L3 and memory, with 1 to N threads. Every other
// benchmark's share is a share of these. A few seconds.
//
//   roofline [--threads N] [--json]

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "bench/kernels/peaks.hpp"
#include "headwise/core/cpu.hpp"
#include "headwise/core/error.hpp"
#include "headwise/core/view.hpp"
#include "headwise/kernels/target.hpp"

namespace {

using hw::index_t;
using hw::kernels::Target;

double wall() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// Work a second that `threads` threads do together: each calls work() over and over for the same tenth of a second; the best of three.
template <class MakeWork>
double together(int threads, MakeWork make_work) {
  double best = 0;
  for (int attempt = 0; attempt < 3; ++attempt) {
    std::atomic<int> ready{0};
    std::vector<double> rates(static_cast<std::size_t>(threads));
    const auto run = [&](int i) {
      auto work = make_work(i);
      work();
      ++ready;
      while (ready < threads) std::this_thread::yield();
      double done = 0;
      const double start = wall();
      while (wall() < start + 0.1) done += work();
      rates[static_cast<std::size_t>(i)] = done / (wall() - start);
    };
    std::vector<std::thread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(run, i);
    run(0);
    for (std::thread& t : others) t.join();
    double sum = 0;
    for (const double rate : rates) sum += rate;
    best = std::max(best, sum);
  }
  return best;
}

// Reads its own bytes again and again.
struct Reader {
  hw::AlignedBuffer<std::uint64_t> memory;
  double operator()() const {
    const hw::bench::PeakLoops loops = hw::bench::peak_loops(hw::kernels::default_target());
    volatile float sink = loops.read(reinterpret_cast<const float*>(memory.data()), memory.size() * 2);
    (void)sink;
    return static_cast<double>(memory.size()) * 8;
  }
};

double read_rate(int threads, index_t bytes) {
  return together(threads, [&](int) { return Reader{hw::AlignedBuffer<std::uint64_t>(bytes / 8)}; });
}

template <class Loop, class Seed>
double compute_rate(int threads, Loop loop, Seed seed, double operations) {
  return together(threads, [&](int) {
    return [=] {
      constexpr long kRounds = 20000;
      volatile Seed sink = loop(kRounds, seed);
      (void)sink;
      return operations * kRounds;
    };
  });
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App app{"What this machine can do at most."};
  int most = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  bool json = false;
  app.add_option("--threads", most, "measure 1, 2, 4 ... up to this many threads")->check(CLI::Range(1, 1024));
  app.add_flag("--json", json, "one JSON line a thread count");
  CLI11_PARSE(app, argc, argv);

  const Target target = hw::kernels::default_target();
  const hw::bench::PeakLoops loops = hw::bench::peak_loops(target);
  const double lanes = hw::kernels::scalar::kPeakChains * loops.lanes;
  if (!json)
    std::printf("target %s\n%7s %12s %12s %12s %10s %10s %10s   (read, GB/s)\n", hw::kernels::name_of(target).data(), "threads",
                "f32 GFLOP/s", "bf16 GFLOP/s", "int8 GOP/s", "L2", "L3", "memory");
  for (int threads = 1;; threads = std::min(2 * threads, most)) {
    const double f32 = compute_rate(threads, loops.multiply_add, 0.0f, lanes * 2) * 1e-9;
    const double bf16 = loops.bf16_dot ? compute_rate(threads, loops.bf16_dot, 0.0f, lanes * 4) * 1e-9 : 0;
    const double int8 = compute_rate(threads, loops.dot, 0, lanes * 8) * 1e-9;
    const double l2 = read_rate(threads, index_t{256} << 10) * 1e-9;
    const double l3 = read_rate(threads, (index_t{8} << 20) / threads) * 1e-9;  // of a cache that all of them share
    const double memory = read_rate(threads, index_t{256} << 20) * 1e-9;
    if (json)
      std::printf("{\"target\": \"%s\", \"threads\": %d, \"f32_gflops\": %.1f, \"bf16_gflops\": %.1f, \"int8_gops\": %.1f, \"l2_gb_s\": %.1f, "
                  "\"l3_gb_s\": %.1f, \"memory_gb_s\": %.1f}\n",
                  hw::kernels::name_of(target).data(), threads, f32, bf16, int8, l2, l3, memory);
    else
      std::printf("%7d %12.1f %12s %12.1f %10.1f %10.1f %10.1f\n", threads, f32, bf16 > 0 ? std::to_string(bf16).substr(0, 6).c_str() : "-",
                  int8, l2, l3, memory);
    std::fflush(stdout);
    if (threads == most) return 0;
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "roofline: %s\n", error.what());
  return 1;
}
