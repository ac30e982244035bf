#pragma once
// Rows of weights from one storage type to another.

#include "headwise/core/dtype.hpp"
#include "headwise/core/error.hpp"

namespace hw {

/// Can `quantise_row` write this type?
constexpr bool is_quantise_target(DType type) noexcept {
  return type == DType::f32 || type == DType::f16 || type == DType::bf16 || type == DType::q8_0 || type == DType::q4_0 ||
         type == DType::q4_k;
}

/// f32, f16, bf16, q8_0, q4_0 or q4_k by name. Errors: another name, at `where`.
DType quantise_target(std::string_view name, std::string_view where);

/// Writes `n` floats as `type`, in the way of the GGUF reference: 16-bit types rounded to nearest even; q8_0: d = max|x| / 127, quants
/// rounded half away from zero; q4_0: d = (the x of largest magnitude) / -8, quants truncated after + 8.5. The scale is kept as f16, the
/// quants are made with the f32 scale. q4_k: of some scales for each 32 values, the one whose weighted least-squares fit
/// x = scale q - minimum has the least error (weights |x| + the root of the mean square), then both factors in 6 bits of the largest of
/// the 256 values. n is a multiple of the type's block. Errors: another type.
void quantise_row(DType type, const float* row, index_t n, std::byte* out);

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/convert.inl.hpp"
#endif
