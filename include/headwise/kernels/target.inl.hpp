#pragma once
#include <cstdlib>

#include "headwise/core/cpu.hpp"
#include "headwise/core/error.hpp"
#include "headwise/kernels/target.hpp"

namespace hw::kernels {

HEADWISE_INLINE std::string_view name_of(Target target) noexcept {
  constexpr std::string_view names[kTargetCount] = {"scalar", "avx2", "avx512", "avx512_vnni", "avx512_bf16"};
  return names[static_cast<int>(target)];
}

HEADWISE_INLINE std::vector<Target> supported_targets() {
  const CpuFeatures cpu = cpu_features();
  std::vector<Target> out{Target::scalar};
  if (cpu.avx2) out.push_back(Target::avx2);
  if (cpu.avx512) out.push_back(Target::avx512);
  if (cpu.avx512_vnni) out.push_back(Target::avx512_vnni);
  if (cpu.avx512_bf16) out.push_back(Target::avx512_bf16);
  return out;
}

HEADWISE_INLINE Target parse_target(std::string_view name) {
  std::string known;
  for (const Target target : supported_targets()) {
    if (name == name_of(target)) return target;
    known += (known.empty() ? "" : ", ") + std::string(name_of(target));
  }
  fail("HEADWISE_TARGET", "a target of this CPU (" + known + ")", quoted(name));
}

HEADWISE_INLINE Target default_target() {
  static const Target target = [] {
    const char* wish = std::getenv("HEADWISE_TARGET");
    return wish && *wish ? parse_target(wish) : supported_targets().back();
  }();
  return target;
}

}  // namespace hw::kernels
