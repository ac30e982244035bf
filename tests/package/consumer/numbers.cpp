// The umbrella, header-only.
#include <cstdio>

#if __has_include("headwise/headwise.hpp")
#include "headwise/headwise.hpp"
#else
#include "headwise/core/error.hpp"
#include "headwise/core/view.hpp"
#endif

#ifdef HEADWISE_COMPILED
#error "headwise::headwise is header-only"
#endif
#if __cplusplus < 202002L
#error "headwise::headwise asks for C++20"
#endif

int main() {
  hw::Tensor<float> x{2, 3};
  x.view()(1, 2) = 6;
  if (x.values()[5] != 6) return 1;
  try {
    hw::fail("consumer", "an error", "none");
  } catch (const hw::Error& error) {
    std::puts(error.what());
    return 0;
  }
}
