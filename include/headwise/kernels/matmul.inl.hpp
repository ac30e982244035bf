#pragma once
// The matrix kernels of every target: hw::kernels::<target>::kMatmul.

#include "headwise/kernels/matmul.hpp"
#include "headwise/kernels/targets/avx2.hpp"
#include "headwise/kernels/targets/avx512.hpp"
#include "headwise/kernels/targets/avx512_bf16.hpp"
#include "headwise/kernels/targets/avx512_vnni.hpp"
#include "headwise/kernels/targets/scalar.hpp"

HEADWISE_BEGIN_SCALAR
#include "headwise/kernels/matmul_plain.inc.hpp"
#include "headwise/kernels/matmul_int8.inc.hpp"
HEADWISE_END_SCALAR

#if HEADWISE_X86
HEADWISE_BEGIN_AVX2
#include "headwise/kernels/matmul_plain.inc.hpp"
#include "headwise/kernels/matmul_int8.inc.hpp"
HEADWISE_END_TARGET

HEADWISE_BEGIN_AVX512
#include "headwise/kernels/matmul_plain.inc.hpp"
#include "headwise/kernels/matmul_int8.inc.hpp"
HEADWISE_END_TARGET

HEADWISE_BEGIN_AVX512_VNNI
#include "headwise/kernels/matmul_int8.inc.hpp"
HEADWISE_END_TARGET

HEADWISE_BEGIN_AVX512_BF16
#include "headwise/kernels/matmul_plain.inc.hpp"
#include "headwise/kernels/matmul_bf16.inc.hpp"
HEADWISE_END_TARGET
#endif
