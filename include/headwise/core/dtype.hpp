#pragma once
// Storage types of tensors: plain numbers and block-quantised formats (GGUF), with their sizes.

#include <string_view>

#include "headwise/core/config.hpp"

namespace hw {

enum class DType : std::uint8_t {
  f64, f32, f16, bf16, i8, i16, i32, i64, u8, boolean,
  q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, mxfp4,
};

/// A storage type's block: `elements` values in `bytes` bytes. Plain numbers are blocks of one.
struct BlockSize {
  index_t elements;
  index_t bytes;
};

constexpr BlockSize block_size(DType type) noexcept {
  switch (type) {
    case DType::f64: case DType::i64: return {1, 8};
    case DType::f32: case DType::i32: return {1, 4};
    case DType::f16: case DType::bf16: case DType::i16: return {1, 2};
    case DType::i8: case DType::u8: case DType::boolean: return {1, 1};
    case DType::q4_0: return {32, 18};
    case DType::q4_1: return {32, 20};
    case DType::q5_0: return {32, 22};
    case DType::q5_1: return {32, 24};
    case DType::q8_0: return {32, 34};
    case DType::q2_k: return {256, 84};
    case DType::q3_k: return {256, 110};
    case DType::q4_k: return {256, 144};
    case DType::q5_k: return {256, 176};
    case DType::q6_k: return {256, 210};
    case DType::mxfp4: return {32, 17};
  }
  return {1, 1};
}

constexpr bool is_quantised(DType type) noexcept { return type >= DType::q4_0; }

/// Can a weight matrix be stored in this type?
constexpr bool is_weight_type(DType type) noexcept {
  return type == DType::f32 || type == DType::f16 || type == DType::bf16 || is_quantised(type);
}

/// Lower-case name: "bf16", "q4_k".
constexpr std::string_view name_of(DType type) noexcept {
  constexpr std::string_view names[] = {"f64", "f32", "f16", "bf16", "i8", "i16", "i32", "i64", "u8", "bool",
                                        "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k",
                                        "mxfp4"};
  return names[static_cast<int>(type)];
}

}  // namespace hw
