#pragma once
// Tokens that have a role.

#include <cstdint>

namespace hw {

/// Ids of the tokens that have a role; -1 where the checkpoint does not say.
struct SpecialTokenIds {
  std::int32_t bos = -1, eos = -1, unk = -1, pad = -1, sep = -1, cls = -1, mask = -1;
};

}  // namespace hw
