// expect: std::is_trivially_copyable_v
// Buffers hold numbers.
#include <string>

#include "headwise/core/view.hpp"

#ifdef HEADWISE_CORRECT
hw::AlignedBuffer<float> buffer(4);
#else
hw::AlignedBuffer<std::string> buffer(4);
#endif
