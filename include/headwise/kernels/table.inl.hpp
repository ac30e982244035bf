#pragma once
#include <algorithm>
#include <string>

#include "headwise/core/error.hpp"
#include "headwise/kernels/attention.inl.hpp"
#include "headwise/kernels/elementwise.inl.hpp"
#include "headwise/kernels/matmul.inl.hpp"
#include "headwise/kernels/table.hpp"

namespace hw::kernels {
namespace detail {

// In the order of Target. avx512_vnni and avx512_bf16 share what they do not name themselves with the target before them.
inline constexpr Table kTables[] = {
    {Target::scalar, scalar::kMatmul, scalar::kElementwise, scalar::kAttention},
#if HEADWISE_X86
    {Target::avx2, avx2::kMatmul, avx2::kElementwise, avx2::kAttention},
    {Target::avx512, avx512::kMatmul, avx512::kElementwise, avx512::kAttention},
    {Target::avx512_vnni, avx512_vnni::kMatmul, avx512_vnni::kElementwise, avx512_vnni::kAttention},
    {Target::avx512_bf16, avx512_bf16::kMatmul, avx512_bf16::kElementwise, avx512_bf16::kAttention},
#endif
};

}  // namespace detail

HEADWISE_INLINE const Table& table(Target target) {
  const std::vector<Target> known = supported_targets();
  if (std::find(known.begin(), known.end(), target) == known.end()) parse_target(name_of(target));  // throws
  return detail::kTables[static_cast<int>(target)];
}

HEADWISE_INLINE const Table& table() { return detail::kTables[static_cast<int>(default_target())]; }

}  // namespace hw::kernels
