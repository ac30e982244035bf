#pragma once
// Rows of weights from one storage type to another.

#include "headwise/core/dtype.hpp"
#include "headwise/core/error.hpp"

namespace hw {

/// Can `quantise_row` write this type? f32, f16, bf16, q8_0, q4_0.
constexpr bool is_quantise_target(DType type) noexcept {
  return type == DType::f32 || type == DType::f16 || type == DType::bf16 || type == DType::q8_0 || type == DType::q4_0;
}

/// f32, f16, bf16, q8_0 or q4_0 by name. Errors: another name, at `where`.
DType quantise_target(std::string_view name, std::string_view where);

/// Writes `n` floats as `type`, in the way of the GGUF reference: 16-bit types rounded to nearest even; q8_0: d = max|x| / 127, quants
/// rounded half away from zero; q4_0: d = (the x of largest magnitude) / -8, quants truncated after + 8.5. The scale is kept as f16, the
/// quants are made with the f32 scale. n is a multiple of the type's block. Errors: another type.
void quantise_row(DType type, const float* row, index_t n, std::byte* out);

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/convert.inl.hpp"
#endif
