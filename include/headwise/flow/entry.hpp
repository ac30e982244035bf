#pragma once
// One executed step of a model's schedule.

#include "headwise/core/config.hpp"

namespace hw {

/// Runs block number `block` with state slot `state`, `repeat` times. Block, state and peer are three numbers, so that shared
/// weights (one block in many entries), loops, and layers that read another layer's keys (`peer`) are tables, not code.
struct Entry {
  int block = 0;
  int state = -1;
  int peer = -1;
  int repeat = 1;
};

}  // namespace hw
