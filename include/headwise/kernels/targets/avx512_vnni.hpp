#pragma once
// AVX-512 with VNNI: the vocabulary of avx512 with another dot(). Float kernels are those of avx512, seen through the using-directive.

#include "headwise/kernels/targets/avx512.hpp"

#if HEADWISE_X86
namespace hw::kernels::avx512_vnni {
using namespace hw::kernels::avx512;
}

HEADWISE_BEGIN_AVX512_VNNI

#include "headwise/kernels/targets/avx512_bytes.inc.hpp"

inline constexpr bool kLargeIsSigned = false;
template <bool Small>
HEADWISE_HOT Vi dot(Vi acc, Vb w, Vb x) {
  return {_mm512_dpbusd_epi32(acc.v, w.v, x.v)};
}

// (A deduced type of the array would land in .data.)
inline constexpr std::array<DType, 10> kFusedTypes{DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q2_k, DType::q3_k,
                                                   DType::q4_k, DType::q5_k, DType::q6_k, DType::mxfp4};

HEADWISE_END_TARGET
#endif
