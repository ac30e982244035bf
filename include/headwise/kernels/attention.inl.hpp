#pragma once
// The attention kernels of every target: hw::kernels::<target>::kAttention, and the templates behind them.

#include "headwise/kernels/attention.hpp"
#include "headwise/kernels/attention_policy.hpp"
#include "headwise/kernels/elementwise_math.inl.hpp"

HEADWISE_BEGIN_SCALAR
#include "headwise/kernels/attention_page.inc.hpp"
#include "headwise/kernels/attention_tile.inc.hpp"
#include "headwise/kernels/attention.inc.hpp"
HEADWISE_END_SCALAR

#if HEADWISE_X86
HEADWISE_BEGIN_AVX2
#include "headwise/kernels/attention_page.inc.hpp"
#include "headwise/kernels/attention_tile.inc.hpp"
#include "headwise/kernels/attention.inc.hpp"
HEADWISE_END_TARGET

HEADWISE_BEGIN_AVX512
#include "headwise/kernels/attention_page.inc.hpp"
#include "headwise/kernels/attention_tile.inc.hpp"
#include "headwise/kernels/attention.inc.hpp"
HEADWISE_END_TARGET
#endif
