#pragma once
// What this program's operator new (allocation_test.cpp) counts, and where it fails.

#include <atomic>

namespace allocations {

inline std::atomic<long> made{0};      // since the program began
inline std::atomic<long> live{0};      // of these, not yet freed
inline std::atomic<long> fail_in{-1};  // so many more succeed, and then one fails; -1: none fails

}  // namespace allocations
