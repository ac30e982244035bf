#pragma once
#include <algorithm>
#include <functional>
#include <numeric>

#include "headwise/io/weight_source.hpp"

namespace hw {

HEADWISE_INLINE index_t tensor_bytes(DType type, const std::vector<index_t>& shape, std::string_view where) {
  const BlockSize block = block_size(type);
  index_t elements = 1;
  bool empty = false;
  for (const index_t d : shape) {
    if (d < 0) fail(where, concat("the size ", d, " is negative"));
    empty = empty || d == 0;
    elements = checked_mul(elements, std::max<index_t>(d, 1), where);  // so that a zero does not hide an overflow
  }
  const index_t columns = shape.empty() ? 1 : shape.back();
  if (columns % block.elements != 0)
    fail(where, concat("rows in whole blocks of ", block.elements, " (", name_of(type), ")"), concat(columns));
  return empty ? 0 : checked_mul(elements / block.elements, block.bytes, where);
}

HEADWISE_INLINE WeightSource::WeightSource(std::string description, std::vector<RawTensor> tensors,
                                           std::vector<std::shared_ptr<const MappedFile>> files,
                                           std::vector<std::shared_ptr<const void>> owners)
    : description_(std::move(description)), tensors_(std::move(tensors)), files_(std::move(files)), owners_(std::move(owners)) {
  by_name_.resize(tensors_.size());
  std::iota(by_name_.begin(), by_name_.end(), 0u);
  std::sort(by_name_.begin(), by_name_.end(), [&](std::uint32_t a, std::uint32_t b) { return tensors_[a].name < tensors_[b].name; });
  for (std::size_t i = 0; i + 1 < by_name_.size(); ++i)
    if (tensors_[by_name_[i]].name == tensors_[by_name_[i + 1]].name)
      fail(description_, concat("the tensor ", hw::quoted(tensors_[by_name_[i]].name, 200), " appears twice"));
  for (const RawTensor& tensor : tensors_) {
    const index_t bytes = tensor_bytes(tensor.type, tensor.shape, tensor.name);
    if (!std::cmp_equal(tensor.bytes.size(), bytes)) fail(tensor.name, concat(bytes, " bytes"), concat(tensor.bytes.size()));
  }
}

HEADWISE_INLINE const RawTensor* WeightSource::find(std::string_view name) const noexcept {
  const auto found =
      std::lower_bound(by_name_.begin(), by_name_.end(), name, [&](std::uint32_t i, std::string_view n) { return tensors_[i].name < n; });
  return found != by_name_.end() && tensors_[*found].name == name ? &tensors_[*found] : nullptr;
}

HEADWISE_INLINE void WeightSource::advise(std::span<const std::byte> bytes, MappedFile::Advice advice) const noexcept {
  const std::less_equal<const std::byte*> not_after;
  for (const auto& file : files_) {
    const std::byte* begin = file->bytes().data();
    if (not_after(begin, bytes.data()) && not_after(bytes.data() + bytes.size(), begin + file->bytes().size()))
      return file->advise(static_cast<std::size_t>(bytes.data() - begin), bytes.size(), advice);
  }
}

}  // namespace hw
