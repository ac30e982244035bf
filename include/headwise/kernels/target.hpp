#pragma once
// The instruction sets that kernels are written for, and which of them runs.

#include <string>
#include <string_view>
#include <vector>

#include "headwise/core/config.hpp"

namespace hw::kernels {

/// Each one includes those before it.
enum class Target : std::uint8_t { scalar, avx2, avx512, avx512_vnni, avx512_bf16 };

inline constexpr int kTargetCount = 5;

/// "avx512_vnni"
std::string_view name_of(Target target) noexcept;

/// What this CPU has, from scalar upwards.
std::vector<Target> supported_targets();

/// The target of that name. Errors: unknown, or not on this CPU; the message lists what is.
Target parse_target(std::string_view name);

/// The best that this CPU has, or the one that the environment variable HEADWISE_TARGET names. Decided on first use;
/// throws what parse_target throws.
Target default_target();

}  // namespace hw::kernels

#if HEADWISE_DEFINITIONS
#include "headwise/kernels/target.inl.hpp"
#endif
