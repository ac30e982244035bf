#pragma once
#include "headwise/families/decoder.hpp"

#if defined(HEADWISE_COMPILED)
template class hw::Stack<hw::families::DecoderParts<hw::RmsNorm, hw::GatedMlp>::PreNormBlock>;
template class hw::Stack<hw::families::DecoderParts<hw::RmsNorm, hw::GatedMlp>::SandwichBlock>;
template class hw::Stack<hw::families::DecoderParts<hw::LayerNorm, hw::Mlp>::PreNormBlock>;
template class hw::Stack<hw::families::DecoderParts<hw::LayerNorm, hw::Mlp>::ParallelBlock>;
template class hw::Stack<hw::families::DecoderParts<hw::LayerNorm, hw::GatedMlp>::ParallelBlock>;
#endif
