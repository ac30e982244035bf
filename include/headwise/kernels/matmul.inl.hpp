#pragma once
#include "headwise/kernels/matmul.hpp"
#include "headwise/kernels/targets/avx512.hpp"
#include "headwise/kernels/targets/avx2.hpp"
#include "headwise/kernels/targets/scalar.hpp"
namespace hw::kernels::scalar { inline constexpr MatmulKernels kMatmul{}; }
#if HEADWISE_X86
namespace hw::kernels::avx2 { inline constexpr MatmulKernels kMatmul{}; }
namespace hw::kernels::avx512 { inline constexpr MatmulKernels kMatmul{}; }
#endif
