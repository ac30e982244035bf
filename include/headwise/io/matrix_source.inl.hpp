#pragma once
#include <algorithm>
#include <array>
#include <span>

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

HEADWISE_INLINE void MatrixSource::read_row(index_t i, float* out) const noexcept { kernels::widen_row(type, row(i), cols, out); }

HEADWISE_INLINE void MatrixSource::advise(MappedFile::Advice advice) const noexcept {
  if (!source) return;
  for (const std::span<const std::byte> bytes : file_bytes) source->advise(bytes, advice);
}

HEADWISE_INLINE DType MatrixSource::stored_as(DType asked) const {
  if (!is_quantise_target(asked)) fail(name, "f32, f16, bf16, q8_0, q4_0 or q4_k as the type to load it in", name_of(asked));
  return cols % block_size(asked).elements == 0 ? asked : type;
}

HEADWISE_INLINE void MatrixSource::pack(DType as, index_t panel_begin, index_t panel_end, std::byte* packed) const {
  const index_t panel_bytes = kernels::packed_panel_bytes(as, cols);
  const bool converts = as != type;
  const auto row_size = static_cast<std::size_t>(cols / block_size(as).elements * block_size(as).bytes);
  std::vector<float> values(converts ? static_cast<std::size_t>(cols) : 0);
  std::vector<std::byte> converted(converts ? row_size * static_cast<std::size_t>(kernels::kPanel) : 0);
  for (index_t panel = panel_begin; panel < panel_end; ++panel) {
    const index_t first = panel * kernels::kPanel;
    const auto count = static_cast<std::size_t>(std::min(kernels::kPanel, rows - first));
    std::array<const std::byte*, kernels::kPanel> pointers{};
    for (std::size_t i = 0; i < count; ++i) {
      pointers[i] = row(first + static_cast<index_t>(i));
      if (!converts) continue;
      kernels::widen_row(type, pointers[i], cols, values.data());
      quantise_row(as, values.data(), cols, converted.data() + i * row_size);
      pointers[i] = converted.data() + i * row_size;
    }
    kernels::pack_panels(as, std::span(pointers).first(count), cols, 0, 1, packed + panel * panel_bytes);
  }
}

}  // namespace hw
