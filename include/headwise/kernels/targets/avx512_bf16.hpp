#pragma once
// AVX-512 with VNNI and BF16: so far the kernels of avx512_vnni.

#include "headwise/kernels/targets/avx512_vnni.hpp"

#if HEADWISE_X86
namespace hw::kernels::avx512_bf16 {
using namespace hw::kernels::avx512_vnni;
}
#endif
