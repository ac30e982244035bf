#pragma once
// All kernels of one target. A model keeps a `const Table*` and calls through it; nothing else chooses an instruction set.

#include "headwise/kernels/attention.hpp"
#include "headwise/kernels/elementwise.hpp"
#include "headwise/kernels/matmul.hpp"
#include "headwise/kernels/target.hpp"

namespace hw::kernels {

struct Table {
  Target target;
  MatmulKernels matmul;
  ElementwiseKernels elementwise;
  AttentionKernels attention;
};

/// The kernels of `target`; throws Error if this CPU lacks it.
const Table& table(Target target);

/// The kernels of default_target().
const Table& table();

}  // namespace hw::kernels

#if HEADWISE_DEFINITIONS
#include "headwise/kernels/table.inl.hpp"
#endif
