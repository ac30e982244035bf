#pragma once
// AVX-512 with VNNI and BF16: the kernels of avx512_vnni, and dot products of bf16 where a caller asks for bf16 activations.

#include "headwise/kernels/targets/avx512_vnni.hpp"

#if HEADWISE_X86
namespace hw::kernels::avx512_bf16 {
using namespace hw::kernels::avx512_vnni;
}
#endif
