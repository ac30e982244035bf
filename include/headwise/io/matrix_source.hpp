#pragma once
// The rows of a weight matrix where they lie: in a file, or in a buffer where they had to be rearranged.

#include <memory>
#include <string>
#include <vector>

#include "headwise/core/dtype.hpp"
#include "headwise/core/error.hpp"
#include "headwise/io/weight_source.hpp"

namespace hw {

/// A (rows, cols) matrix as a list of rows, each in the bytes of its storage type (not aligned). Slices, permutations and stacked tensors
/// are views of the file. Copies share the bytes and keep the file open.
struct MatrixSource {
  DType type = DType::f32;
  index_t rows = 0;
  index_t cols = 0;
  std::string name;  // for messages: "layers.3.attention.k.weight (model.layers.3.self_attn.k_proj.weight)"
  std::string key;   // equal keys of one source: the same tensor, rearranged in the same way

  struct Piece {
    const std::byte* data = nullptr;
    index_t rows = 0;
  };
  std::vector<Piece> pieces;   // one after the other
  std::vector<index_t> order;  // row i is row order[i] of the pieces; empty: row i
  std::shared_ptr<const WeightSource> source;
  std::shared_ptr<const void> buffer;  // what the pieces point into, if it is not the file

  index_t row_bytes() const noexcept { return cols / block_size(type).elements * block_size(type).bytes; }

  /// The bytes of row i, 0 <= i < rows.
  const std::byte* row(index_t i) const noexcept;

  /// All rows, as kernels::pack_panels takes them.
  std::vector<const std::byte*> row_pointers() const;

  /// out[j] = value j of row i. `out` has `cols` elements.
  void read_row(index_t i, float* out) const noexcept;

  /// The bytes are not needed any more (they have been packed, say): their pages of the file leave the process's memory, and come back when
  /// they are touched.
  void release() const noexcept;
};

/// The same matrix in another type (f32, f16, bf16, q8_0, q4_0), in a new buffer. A matrix that has the type already, or whose rows are no
/// multiple of the type's block, comes back as it is: compare `type`. Errors: another target type.
MatrixSource convert_matrix(const MatrixSource& matrix, DType type);

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/matrix_source.inl.hpp"
#endif
