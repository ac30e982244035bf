// The front door, against the library.
#include <cstdio>

#if __has_include("headwise/auto.hpp")
#include "headwise/auto.hpp"
#else
#include "headwise/core/error.hpp"
#endif

#ifndef HEADWISE_COMPILED
#error "headwise::compiled defines HEADWISE_COMPILED"
#endif

int main() {
  try {
#if __has_include("headwise/auto.hpp")
    hw::load("no such model");
    return 1;
#else
    hw::fail("consumer", "an error", "none");
#endif
  } catch (const hw::Error& error) {
    std::puts(error.what());
    return 0;
  }
}
