#pragma once
// Attention kernels: one function a target, reached through `Table::attention`.

#include "headwise/core/config.hpp"

namespace hw::kernels {

struct AttentionKernels {};

}  // namespace hw::kernels
