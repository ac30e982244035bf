#pragma once
// How BART and the encoder-decoders that came from it call their tensors.

#include <string>

#include "headwise/families/seq2seq_common.hpp"

namespace hw::families {

/// BART's names; names in the file may begin with "model".
WeightMap seq2seq_names(const HfConfig& c, const Seq2SeqTraits& t);

}  // namespace hw::families

#if HEADWISE_DEFINITIONS
#include "headwise/families/seq2seq_names.inl.hpp"
#endif
