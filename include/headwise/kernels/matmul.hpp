#pragma once
#include "headwise/core/config.hpp"
namespace hw::kernels { struct MatmulKernels {}; }
