#pragma once
// Vector functions of every target: hw::kernels::<target>::exp and so on.

#include "headwise/kernels/activation.hpp"
#include "headwise/kernels/targets/avx2.hpp"
#include "headwise/kernels/targets/avx512.hpp"
#include "headwise/kernels/targets/scalar.hpp"

HEADWISE_BEGIN_SCALAR
#include "headwise/kernels/elementwise_math.inc.hpp"
HEADWISE_END_SCALAR

#if HEADWISE_X86
HEADWISE_BEGIN_AVX2
#include "headwise/kernels/elementwise_math.inc.hpp"
HEADWISE_END_TARGET

HEADWISE_BEGIN_AVX512
#include "headwise/kernels/elementwise_math.inc.hpp"
HEADWISE_END_TARGET
#endif
