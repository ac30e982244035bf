// Bodies of the elementwise kernels; included once for each target (targets/region.hpp).

HEADWISE_KERNEL void add_rows(const float* a, const float* b, float* y, index_t n) {
  index_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, add(load(a + i), load(b + i)));
  if (const int rest = static_cast<int>(n - i); rest > 0) store(y + i, add(load(a + i, rest), load(b + i, rest)), rest);
}

inline constexpr ElementwiseKernels kElementwise{.add = add_rows};
