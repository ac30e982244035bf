#pragma once
// What this machine can do at most, measured in the minute of asking: multiply-adds from registers, and reading memory.

#include <ctime>

#include "headwise/core/view.hpp"
#include "headwise/kernels/target.hpp"
#include "headwise/kernels/targets/avx2.hpp"
#include "headwise/kernels/targets/avx512.hpp"
#include "headwise/kernels/targets/avx512_vnni.hpp"
#include "headwise/kernels/targets/scalar.hpp"

namespace hw::bench {

/// Seconds that this thread has run: what other programs take meanwhile does not count.
inline double now() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

}  // namespace hw::bench

HEADWISE_BEGIN_SCALAR
#include "bench/kernels/peaks.inc.hpp"
HEADWISE_END_SCALAR
#if HEADWISE_X86
HEADWISE_BEGIN_AVX2
#include "bench/kernels/peaks.inc.hpp"
HEADWISE_END_TARGET
HEADWISE_BEGIN_AVX512
#include "bench/kernels/peaks.inc.hpp"
HEADWISE_END_TARGET
HEADWISE_BEGIN_AVX512_VNNI
#include "bench/kernels/peaks.inc.hpp"
HEADWISE_END_TARGET
#endif

namespace hw::bench {

struct PeakLoops {
  float (*multiply_add)(long rounds, float seed);  // kPeakChains * lanes * 2 flops a round
  int (*dot)(long rounds, int seed);               // kPeakChains * lanes * 8 operations a round
  int lanes;
};

inline PeakLoops peak_loops(kernels::Target target) {
#if HEADWISE_X86
  if (target == kernels::Target::avx2) return {kernels::avx2::multiply_add_loop, kernels::avx2::dot_loop, kernels::avx2::kLanes};
  if (target == kernels::Target::avx512) return {kernels::avx512::multiply_add_loop, kernels::avx512::dot_loop, kernels::avx512::kLanes};
  if (target != kernels::Target::scalar)
    return {kernels::avx512::multiply_add_loop, kernels::avx512_vnni::dot_loop, kernels::avx512::kLanes};
#endif
  (void)target;
  return {kernels::scalar::multiply_add_loop, kernels::scalar::dot_loop, kernels::scalar::kLanes};
}

// Best of a few short runs.
template <class Loop, class Seed>
double best_rate(Loop loop, Seed seed, double operations) {
  constexpr long kRounds = 20000;
  double best = 0;
  volatile Seed sink = seed;
  for (int i = 0; i < 8; ++i) {
    const double start = now();
    sink = loop(kRounds, sink);
    best = std::max(best, operations * kRounds / (now() - start));
  }
  return best;
}

/// Floating-point operations a second of one thread.
inline double f32_peak(kernels::Target target) {
  const PeakLoops loops = peak_loops(target);
  return best_rate(loops.multiply_add, 0.0f, kernels::scalar::kPeakChains * loops.lanes * 2.0);
}

/// int8 multiplications and additions a second of one thread.
inline double int8_peak(kernels::Target target) {
  const PeakLoops loops = peak_loops(target);
  return best_rate(loops.dot, 0, kernels::scalar::kPeakChains * loops.lanes * 8.0);
}

/// Bytes a second that one thread reads from 256 MiB, the best of a few passes.
inline double read_bandwidth() {
  static const AlignedBuffer<std::uint64_t> memory(index_t{32} << 20);
  double best = 0;
  volatile std::uint64_t sink = 0;
  for (int pass = 0; pass < 4; ++pass) {
    const double start = now();
    std::uint64_t a = 0, b = 0, c = 0, d = 0;
    const std::uint64_t* p = memory.data();
    for (index_t i = 0; i < memory.size(); i += 8) {  // one number of each half of a line: the line is read
      a += p[i], b += p[i + 4];
      __builtin_prefetch(p + i + 512, 0, 3);
      c ^= a, d ^= b;
    }
    sink = a ^ b ^ c ^ d;
    best = std::max(best, static_cast<double>(memory.size()) * 8 / (now() - start));
  }
  (void)sink;
  return best;
}

}  // namespace hw::bench
