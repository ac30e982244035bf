#pragma once
// Regions of code that is compiled for one instruction set, whatever flags the program is built with.
//
//   HEADWISE_BEGIN_AVX2            // opens the region and namespace hw::kernels::avx2
//   #include "headwise/kernels/elementwise.inc.hpp"
//   HEADWISE_END_TARGET            // closes both
//
// Rules for a body (*.inc.hpp, no include guard; the same text for every target):
// - it includes nothing: a standard template first seen inside a region would leave AVX-512 code in functions that the linker may
//   pick for the whole program. Everything a body may use is included below, outside of any region;
// - helpers are HEADWISE_HOT (always inlined), entry points HEADWISE_KERNEL (never inlined); no lambdas;
// - floats go through the vocabulary (add, mul, fma): `a * b + c` on plain floats is contracted by some compilers and not by others;
// - every loop over an array of registers is HEADWISE_UNROLL;
// - public signatures have no type of a region.

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

#include "headwise/core/config.hpp"
#include "headwise/core/cpu.hpp"
#include "headwise/core/dtype.hpp"
#include "headwise/core/half.hpp"

#if HEADWISE_X86
#include <immintrin.h>
#endif

#define HEADWISE_HOT inline __attribute__((always_inline))
#define HEADWISE_KERNEL inline __attribute__((noinline))
#define HEADWISE_PRAGMA(text) _Pragma(#text)

#if defined(__clang__)
#define HEADWISE_UNROLL _Pragma("clang loop unroll(full)")
#define HEADWISE_OPEN_PLAIN HEADWISE_PRAGMA(float_control(push)) HEADWISE_PRAGMA(clang fp contract(off))
#define HEADWISE_OPEN(features) \
  HEADWISE_OPEN_PLAIN HEADWISE_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define HEADWISE_CLOSE_PLAIN HEADWISE_PRAGMA(float_control(pop))
#define HEADWISE_CLOSE HEADWISE_PRAGMA(clang attribute pop) HEADWISE_CLOSE_PLAIN
#else
#define HEADWISE_UNROLL _Pragma("GCC unroll kUnroll")  // of the region
#define HEADWISE_OPEN_PLAIN HEADWISE_PRAGMA(GCC push_options) HEADWISE_PRAGMA(GCC optimize("fp-contract=off"))
// GCC 12 takes the undefined lanes inside its own AVX-512 intrinsics for a mistake of ours.
#define HEADWISE_OPEN(features)                                                                                                 \
  HEADWISE_PRAGMA(GCC push_options) HEADWISE_PRAGMA(GCC target(features)) HEADWISE_PRAGMA(GCC optimize("fp-contract=off"))      \
  HEADWISE_PRAGMA(GCC diagnostic push) HEADWISE_PRAGMA(GCC diagnostic ignored "-Wmaybe-uninitialized")                          \
  HEADWISE_PRAGMA(GCC diagnostic ignored "-Wuninitialized")
#define HEADWISE_CLOSE_PLAIN HEADWISE_PRAGMA(GCC pop_options)
#define HEADWISE_CLOSE HEADWISE_PRAGMA(GCC diagnostic pop) HEADWISE_PRAGMA(GCC pop_options)
#endif

#define HEADWISE_BEGIN_SCALAR HEADWISE_OPEN_PLAIN namespace hw::kernels::scalar {
#define HEADWISE_END_SCALAR } HEADWISE_CLOSE_PLAIN

#define HEADWISE_BEGIN_AVX2 HEADWISE_OPEN("avx2,fma,f16c") namespace hw::kernels::avx2 {
#define HEADWISE_BEGIN_AVX512 HEADWISE_OPEN("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl") namespace hw::kernels::avx512 {
#define HEADWISE_BEGIN_AVX512_VNNI \
  HEADWISE_OPEN("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni") namespace hw::kernels::avx512_vnni {
#define HEADWISE_BEGIN_AVX512_BF16 \
  HEADWISE_OPEN("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512bf16") namespace hw::kernels::avx512_bf16 {
#define HEADWISE_END_TARGET } HEADWISE_CLOSE
