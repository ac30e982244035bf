#pragma once
// Random weight matrices in every storage type, for the tests of this room.

#include <cstring>
#include <random>
#include <vector>

#include "headwise/core/dtype.hpp"
#include "headwise/core/half.hpp"
#include "headwise/core/view.hpp"
#include "headwise/kernels/packing.hpp"

namespace hw::test {

inline constexpr DType kWeightTypes[] = {DType::f32,  DType::f16,  DType::bf16, DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1,
                                         DType::q8_0, DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k, DType::mxfp4};

/// Rows of a file: random bits in the blocks, with scales of an ordinary size.
struct FileMatrix {
  FileMatrix(DType type, index_t rows, index_t cols, unsigned seed = 1) : type(type), rows(rows), cols(cols) {
    const BlockSize block = block_size(type);
    row_bytes = cols / block.elements * block.bytes;
    bytes.resize(static_cast<std::size_t>(rows * row_bytes));
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0f, 0.5f);
    std::uniform_real_distribution<float> scale(0.001f, 0.1f);
    const auto put = [&](std::size_t at, auto value) { std::memcpy(bytes.data() + at, &value, sizeof value); };
    const auto size = static_cast<std::size_t>(block.bytes);
    for (std::size_t at = 0; at < bytes.size(); at += size) {
      if (type == DType::f32) {
        put(at, normal(random));
      } else if (type == DType::f16) {
        put(at, to_f16(normal(random)).bits);
      } else if (type == DType::bf16) {
        put(at, to_bf16(normal(random)).bits);
      } else {
        for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<std::byte>(random() & 255u);
        if (type == DType::mxfp4) {
          bytes[at] = static_cast<std::byte>(118 + random() % 8);
          continue;
        }
        const bool k_at_end = type == DType::q2_k || type == DType::q3_k || type == DType::q6_k;
        const std::size_t d = k_at_end ? size - (type == DType::q2_k ? 4 : 2) : 0;
        put(at + d, to_f16(scale(random) * (random() % 8 ? 1.0f : -1.0f)).bits);
        if (packed_has_minimum()) put(at + d + 2, to_f16(scale(random) - 0.05f).bits);
      }
    }
    for (index_t n = 0; n < rows; ++n) pointers.push_back(bytes.data() + n * row_bytes);
  }
  const std::byte* row(index_t n) const { return bytes.data() + n * row_bytes; }

  DType type;
  index_t rows, cols, row_bytes = 0;
  std::vector<std::byte> bytes;
  std::vector<const std::byte*> pointers;

 private:
  bool packed_has_minimum() const { return kernels::packed_layout(type).has_minimums(); }
};

/// A packed matrix and its storage.
struct Packed {
  explicit Packed(const FileMatrix& file) : storage(kernels::packed_bytes(file.type, file.rows, file.cols)) {
    matrix = {file.type, file.rows, file.cols, storage.data()};
    for (index_t panel = 0; panel < matrix.panels(); ++panel)  // one by one, from the last: panels are independent
      kernels::pack_panels(file.type, file.pointers, file.cols, matrix.panels() - 1 - panel, matrix.panels() - panel, storage.data());
  }
  AlignedBuffer<std::byte> storage;
  kernels::PackedMatrix matrix;
};

}  // namespace hw::test
