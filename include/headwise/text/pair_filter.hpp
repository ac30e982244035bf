#pragma once
// Which neighbours can never be in one token: where a long text may be cut before byte pair encoding, without another result.

#include <cstdint>
#include <vector>

namespace hw::text {

/// A set of pairs that may say yes to one that was not added (a Bloom filter with one hash), never no to one that was.
class PairFilter {
 public:
  void add(std::uint32_t left, std::uint32_t right) {
    if (bits_.empty()) bits_.assign(kBits / 64, 0);
    const std::uint32_t bit = hash(left, right);
    bits_[bit / 64] |= std::uint64_t{1} << bit % 64;
  }
  bool may_contain(std::uint32_t left, std::uint32_t right) const noexcept {
    if (bits_.empty()) return false;
    const std::uint32_t bit = hash(left, right);
    return (bits_[bit / 64] >> bit % 64 & 1) != 0;
  }

 private:
  static constexpr std::uint32_t kBits = 1u << 20;
  static std::uint32_t hash(std::uint32_t left, std::uint32_t right) noexcept {
    const std::uint64_t pair = std::uint64_t{left} << 32 | right;
    return static_cast<std::uint32_t>(pair * 0x9E3779B97F4A7C15u >> 44);
  }
  std::vector<std::uint64_t> bits_;
};

}  // namespace hw::text
