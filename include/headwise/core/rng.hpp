#pragma once
// Random numbers that are the same everywhere: no std distribution, no state beyond a seed and a counter.

#include <cstdint>

namespace hw {

/// The sequence mix(key + i g), i = 1, 2, ... with SplitMix64's mixing function and increment (Steele, Lea, Flood: "Fast splittable
/// pseudorandom number generators", OOPSLA 2014). Number i depends on the seed and i alone, so a copy continues like the original and
/// `discard` costs nothing. Integer arithmetic only: the same numbers on every platform. Not for cryptography.
class Rng {
 public:
  explicit Rng(std::uint64_t seed = 0) noexcept : key_(mix(seed)) {}

  /// 64 uniform bits.
  std::uint64_t next() noexcept { return mix(key_ + ++counter_ * 0x9E3779B97F4A7C15u); }

  /// Uniform in [0, 1): a multiple of 2^-53.
  double uniform() noexcept { return static_cast<double>(next() >> 11) * 0x1p-53; }

  /// Uniform in 0 .. n - 1 for n > 0, without the bias of a remainder. May take more than one number of the sequence.
  std::uint64_t below(std::uint64_t n) noexcept {
    const std::uint64_t excess = (0 - n) % n;  // 2^64 mod n: numbers below this would come up once too often
    while (true)
      if (const std::uint64_t x = next(); x >= excess) return x % n;
  }

  /// Skips the next `count` numbers.
  void discard(std::uint64_t count) noexcept { counter_ += count; }

  /// Numbers taken so far.
  std::uint64_t position() const noexcept { return counter_; }

 private:
  static std::uint64_t mix(std::uint64_t z) noexcept {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  std::uint64_t key_;
  std::uint64_t counter_ = 0;
};

}  // namespace hw
