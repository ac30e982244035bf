#pragma once
// What the CPU that runs this program can do.

#include "headwise/core/config.hpp"

#if defined(__x86_64__) || defined(__i386__)
#define HEADWISE_X86 1
#include <cpuid.h>
#else
#define HEADWISE_X86 0
#endif

namespace hw {

/// Instruction sets that both the CPU has and the operating system saves on a context switch.
struct CpuFeatures {
  bool avx2 = false;         // AVX2, FMA and F16C
  bool avx512 = false;       // AVX-512 F, BW, DQ and VL, on top of avx2
  bool avx512_vnni = false;  // int8 dot products
  bool avx512_bf16 = false;  // bf16 dot products
};

/// Asks the CPU (a few microseconds). Everything is false on other architectures than x86.
inline CpuFeatures cpu_features() noexcept {
  CpuFeatures out;
#if HEADWISE_X86
  unsigned a = 0, b = 0, c = 0, d = 0;
  const auto bit = [](unsigned word, int i) { return (word >> i & 1u) != 0; };
  if (!__get_cpuid(1, &a, &b, &c, &d)) return out;
  const bool fma = bit(c, 12), osxsave = bit(c, 27), avx = bit(c, 28), f16c = bit(c, 29);
  if (!osxsave || !avx) return out;
  unsigned saved = 0, saved_high = 0;  // XCR0: which registers the system saves
  __asm__ volatile("xgetbv" : "=a"(saved), "=d"(saved_high) : "c"(0));
  const bool ymm = (saved & 0x06u) == 0x06u, zmm = (saved & 0xE6u) == 0xE6u;
  if (!ymm || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return out;
  out.avx2 = bit(b, 5) && fma && f16c;
  out.avx512 = out.avx2 && zmm && bit(b, 16) && bit(b, 17) && bit(b, 30) && bit(b, 31);
  out.avx512_vnni = out.avx512 && bit(c, 11);
  if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) out.avx512_bf16 = out.avx512_vnni && bit(a, 5);
#endif
  return out;
}

}  // namespace hw
