#pragma once
#include "headwise/families/moe_common.hpp"

#if defined(HEADWISE_COMPILED)
template class hw::Stack<hw::families::DecoderParts<hw::RmsNorm, hw::GatedMlp>::PreNormBlock, hw::families::MoeParts<>::SparseBlock>;
#endif
