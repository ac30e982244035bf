#pragma once
// Build-wide definitions: the index type and the switch between the two deliveries of this library.
//
// Header-only (default): a header `x.hpp` declares, and includes `x.inl.hpp`, which defines with HEADWISE_INLINE.
// Against headwise::compiled (HEADWISE_COMPILED defined by its target): declarations only; the library's own sources,
// which CMake generates, include each `.inl.hpp` once.

#include <cstddef>
#include <cstdint>

#if defined(HEADWISE_COMPILED)
#define HEADWISE_INLINE
#define HEADWISE_DEFINITIONS 0
#else
#define HEADWISE_INLINE inline
#define HEADWISE_DEFINITIONS 1
#endif

// HEADWISE_INLINE for what runs once, at load: compiled for size, which takes a compiler about half the time.
#define HEADWISE_LOAD_TIME __attribute__((cold)) HEADWISE_INLINE

#define HEADWISE_VERSION_MAJOR 0
#define HEADWISE_VERSION_MINOR 1
#define HEADWISE_VERSION_PATCH 0

namespace hw {

/// Signed size and index type of every shape, position and count in the library.
using index_t = std::int64_t;

}  // namespace hw
