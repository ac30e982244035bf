#pragma once
// The rows of a weight matrix where they lie: in a file, or in a buffer where they had to be rearranged.

#include <memory>
#include <span>
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
  std::vector<std::span<const std::byte>> file_bytes;  // of the file, from which the rows are taken or computed

  index_t row_bytes() const noexcept { return cols / block_size(type).elements * block_size(type).bytes; }

  /// The bytes of row i, 0 <= i < rows.
  const std::byte* row(index_t i) const noexcept;

  /// out[j] = value j of row i. `out` has `cols` elements.
  void read_row(index_t i, float* out) const noexcept;

  /// The type that rows get when `asked` is asked for: it, or where its block does not divide the rows, their own. Errors: a type that
  /// quantise_row does not write.
  DType stored_as(DType asked) const;

  /// Packs panels [panel_begin, panel_end) for the kernels (kernels::pack_panels), as the rows' own type or the one that stored_as gave.
  /// `packed` is the start of the whole matrix. Ranges may be packed at the same time by several threads; a panel's rows are converted
  /// just before.
  void pack(DType as, index_t panel_begin, index_t panel_end, std::byte* packed) const;

  /// Tells the system how the bytes of the file will be used. `not_needed` (they have been packed, say): their pages leave the process's
  /// memory, and come back when they are touched.
  void advise(MappedFile::Advice advice) const noexcept;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/matrix_source.inl.hpp"
#endif
