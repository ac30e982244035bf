#pragma once
// The attention kernels of every target: hw::kernels::<target>::kAttention.

#include "headwise/kernels/attention.hpp"
#include "headwise/kernels/targets/avx2.hpp"
#include "headwise/kernels/targets/avx512.hpp"
#include "headwise/kernels/targets/scalar.hpp"

HEADWISE_BEGIN_SCALAR
#include "headwise/kernels/attention.inc.hpp"
HEADWISE_END_SCALAR

#if HEADWISE_X86
HEADWISE_BEGIN_AVX2
#include "headwise/kernels/attention.inc.hpp"
HEADWISE_END_TARGET

HEADWISE_BEGIN_AVX512
#include "headwise/kernels/attention.inc.hpp"
HEADWISE_END_TARGET
#endif
