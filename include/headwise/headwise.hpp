#pragma once
// headwise for composing models: parts, stacks, states and the generation loop. For loading checkpoints: headwise/auto.hpp.

#include "headwise/blocks/block.hpp"
#include "headwise/blocks/parallel.hpp"
#include "headwise/core/thread_pool.hpp"
#include "headwise/flow/recurrent_state.hpp"
#include "headwise/generate/generate.hpp"
#include "headwise/layers/head.hpp"
#include "headwise/layers/mlp.hpp"
#include "headwise/mixers/attention/attention.hpp"
#include "headwise/models/encoder_decoder.hpp"
#include "headwise/models/stack.hpp"
