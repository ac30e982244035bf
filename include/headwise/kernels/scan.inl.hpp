#pragma once
// The scan kernels of every target.

#include "headwise/kernels/elementwise_math.inl.hpp"
#include "headwise/kernels/scan.hpp"
#include "headwise/kernels/targets/avx2.hpp"
#include "headwise/kernels/targets/avx512.hpp"
#include "headwise/kernels/targets/scalar.hpp"

HEADWISE_BEGIN_SCALAR
#include "headwise/kernels/scan.inc.hpp"
HEADWISE_END_SCALAR

#if HEADWISE_X86
HEADWISE_BEGIN_AVX2
#include "headwise/kernels/scan.inc.hpp"
HEADWISE_END_TARGET

HEADWISE_BEGIN_AVX512
#include "headwise/kernels/scan.inc.hpp"
HEADWISE_END_TARGET
#endif

namespace hw::kernels {

HEADWISE_INLINE const ScanKernels& scan_kernels(Target target) {
#if HEADWISE_X86
  if (target >= Target::avx512) return avx512::kScan;
  if (target == Target::avx2) return avx2::kScan;
#endif
  static_cast<void>(target);
  return scalar::kScan;
}

}  // namespace hw::kernels
