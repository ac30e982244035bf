#pragma once
#include <algorithm>

#include "headwise/core/view.hpp"
#include "headwise/io/convert.hpp"
#include "headwise/io/matrix_source.hpp"
#include "headwise/kernels/packing.hpp"

namespace hw {

HEADWISE_INLINE const std::byte* MatrixSource::row(index_t i) const noexcept {
  if (!order.empty()) i = order[static_cast<std::size_t>(i)];
  std::size_t p = 0;
  while (i >= pieces[p].rows) i -= pieces[p++].rows;
  return pieces[p].data + i * row_bytes();
}

HEADWISE_INLINE std::vector<const std::byte*> MatrixSource::row_pointers() const {
  std::vector<const std::byte*> out(static_cast<std::size_t>(rows));
  for (index_t i = 0; i < rows; ++i) out[static_cast<std::size_t>(i)] = row(i);
  return out;
}

HEADWISE_INLINE void MatrixSource::read_row(index_t i, float* out) const noexcept { kernels::widen_row(type, row(i), cols, out); }

HEADWISE_INLINE void MatrixSource::release() const noexcept {
  if (!source) return;
  for (const Piece& piece : pieces)
    source->advise({piece.data, static_cast<std::size_t>(piece.rows * row_bytes())}, MappedFile::Advice::not_needed);
}

HEADWISE_INLINE MatrixSource convert_matrix(const MatrixSource& matrix, DType type) {
  if (!is_quantise_target(type)) fail(matrix.name, "f32, f16, bf16, q8_0 or q4_0 as the type to load it in", name_of(type));
  if (matrix.type == type || matrix.cols % block_size(type).elements != 0) return matrix;
  MatrixSource out = matrix;
  out.type = type;
  out.key += concat("|", name_of(type));
  out.order.clear();
  const auto bytes = std::make_shared<const AlignedBuffer<std::byte>>(checked_mul(out.rows, out.row_bytes(), matrix.name));
  std::vector<float> values(static_cast<std::size_t>(matrix.cols));
  for (index_t i = 0; i < matrix.rows; ++i) {
    matrix.read_row(i, values.data());
    quantise_row(type, values.data(), matrix.cols, bytes->data() + i * out.row_bytes());
  }
  out.pieces = {{bytes->data(), out.rows}};
  out.buffer = bytes;
  return out;
}

}  // namespace hw
