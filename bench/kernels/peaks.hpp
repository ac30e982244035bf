#pragma once
// What this machine can do at most, measured in the minute of asking: multiply-adds from registers, and reading memory.

#include <chrono>

#include "headwise/core/view.hpp"
#include "headwise/kernels/target.hpp"
#include "headwise/kernels/targets/avx2.hpp"
#include "headwise/kernels/targets/avx512.hpp"
#include "headwise/kernels/targets/avx512_bf16.hpp"
#include "headwise/kernels/targets/avx512_vnni.hpp"
#include "headwise/kernels/targets/scalar.hpp"

namespace hw::bench {

/// Seconds by the wall: on virtual machines the clock of a thread's own time loses some of it. Best-of-many leaves out what other
/// programs take.
inline double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace hw::bench

HEADWISE_BEGIN_SCALAR
#include "bench/kernels/peaks.inc.hpp"
#include "bench/kernels/peaks_int8.inc.hpp"
HEADWISE_END_SCALAR
#if HEADWISE_X86
HEADWISE_BEGIN_AVX2
#include "bench/kernels/peaks.inc.hpp"
#include "bench/kernels/peaks_int8.inc.hpp"
HEADWISE_END_TARGET
HEADWISE_BEGIN_AVX512
#include "bench/kernels/peaks.inc.hpp"
#include "bench/kernels/peaks_int8.inc.hpp"
HEADWISE_END_TARGET
HEADWISE_BEGIN_AVX512_VNNI
#include "bench/kernels/peaks_int8.inc.hpp"
HEADWISE_END_TARGET
HEADWISE_BEGIN_AVX512_BF16
HEADWISE_KERNEL float bf16_dot_loop(long rounds, float seed) {
  __m512 acc[kPeakChains];
  HEADWISE_UNROLL
  for (int i = 0; i < kPeakChains; ++i) acc[i] = _mm512_set1_ps(seed + static_cast<float>(i));
  const __m512bh a = (__m512bh)_mm512_set1_epi16(0x3E80);
  for (long r = 0; r < rounds; ++r)
    HEADWISE_UNROLL
    for (int i = 0; i < kPeakChains; ++i) acc[i] = _mm512_dpbf16_ps(acc[i], a, a);
  float out = 0;
  HEADWISE_UNROLL
  for (int i = 0; i < kPeakChains; ++i) out += sum(Vf{acc[i]});
  return out;
}
HEADWISE_END_TARGET
#endif

namespace hw::bench {

struct PeakLoops {
  int lanes;
  float (*read)(const float* p, index_t n);
  float (*multiply_add)(long rounds, float seed);              // kPeakChains * lanes * 2 flops a round
  int (*dot)(long rounds, int seed);                           // kPeakChains * lanes * 8 operations a round
  float (*bf16_dot)(long rounds, float seed) = nullptr;        // kPeakChains * lanes * 4 flops a round; null: no such instruction
};

inline PeakLoops peak_loops(kernels::Target target) {
  using kernels::Target;
#if HEADWISE_X86
  namespace avx2 = kernels::avx2;
  namespace avx512 = kernels::avx512;
  switch (target) {
    case Target::scalar: break;
    case Target::avx2: return {avx2::kLanes, avx2::read_loop, avx2::multiply_add_loop, avx2::dot_loop};
    case Target::avx512: return {avx512::kLanes, avx512::read_loop, avx512::multiply_add_loop, avx512::dot_loop};
    case Target::avx512_vnni: return {avx512::kLanes, avx512::read_loop, avx512::multiply_add_loop, kernels::avx512_vnni::dot_loop};
    case Target::avx512_bf16:
      return {avx512::kLanes, avx512::read_loop, avx512::multiply_add_loop, kernels::avx512_vnni::dot_loop,
              kernels::avx512_bf16::bf16_dot_loop};
  }
#endif
  (void)target;
  return {kernels::scalar::kLanes, kernels::scalar::read_loop, kernels::scalar::multiply_add_loop, kernels::scalar::dot_loop};
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

/// Floating-point operations a second of dot products of bf16 (avx512_bf16 only).
inline double bf16_peak() {
  return best_rate(peak_loops(kernels::Target::avx512_bf16).bf16_dot, 0.0f, kernels::scalar::kPeakChains * 16 * 4.0);
}

/// Bytes a second that one thread reads from 256 MiB, the best of a few passes.
inline double read_bandwidth() {
  static const AlignedBuffer<float> memory(index_t{64} << 20);
  const PeakLoops loops = peak_loops(kernels::default_target());
  double best = 0;
  for (int pass = 0; pass < 4; ++pass) {
    const double start = now();
    volatile float sink = loops.read(memory.data(), memory.size());
    (void)sink;
    best = std::max(best, static_cast<double>(memory.size()) * 4 / (now() - start));
  }
  return best;
}

}  // namespace hw::bench
