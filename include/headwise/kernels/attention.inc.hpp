// Bodies of the attention kernels; included once for each target (targets/region.hpp).

inline constexpr AttentionKernels kAttention{};
