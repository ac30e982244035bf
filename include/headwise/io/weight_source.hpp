#pragma once
// The tensors of a checkpoint by the names in its files, whatever the format.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/core/dtype.hpp"
#include "headwise/core/error.hpp"
#include "headwise/io/mapped_file.hpp"

namespace hw {

/// One tensor as it lies in a file: row-major, not aligned, kept alive by its WeightSource.
struct RawTensor {
  std::string name;
  DType type = DType::f32;
  std::vector<index_t> shape;
  std::span<const std::byte> bytes;
  std::string_view file;  // name of the file, for messages

  index_t elements() const noexcept {
    index_t n = 1;
    for (const index_t d : shape) n *= d;
    return n;
  }
};

/// Bytes of `shape` values of `type`, the last dimension in whole blocks. Errors, at `where`: negative sizes, a product that overflows,
/// rows that are no multiple of the block.
index_t tensor_bytes(DType type, const std::vector<index_t>& shape, std::string_view where);

/// Tensors with names, and what keeps their bytes alive. Immutable; share it with std::shared_ptr.
class WeightSource {
 public:
  /// Errors: a name twice, bytes that do not fit type and shape. `owners` keep whatever the bytes point into.
  WeightSource(std::string description, std::vector<RawTensor> tensors, std::vector<std::shared_ptr<const MappedFile>> files,
               std::vector<std::shared_ptr<const void>> owners = {});

  WeightSource(WeightSource&&) = default;
  WeightSource& operator=(WeightSource&&) = default;

  /// What messages call it: the path of the folder or file.
  const std::string& description() const noexcept { return description_; }

  /// In the order of the file(s).
  std::span<const RawTensor> tensors() const noexcept { return tensors_; }

  /// The tensor of that name, or nullptr. O(log n).
  const RawTensor* find(std::string_view name) const noexcept;

  /// Tells the system how the bytes (of any part of a tensor of this source) will be used; see MappedFile::advise.
  void advise(std::span<const std::byte> bytes, MappedFile::Advice advice) const noexcept;

  /// Error: a file has become shorter since it was opened; see MappedFile::check.
  void check() const {
    for (const auto& file : files_) file->check();
  }

 private:
  std::string description_;
  std::vector<RawTensor> tensors_;
  std::vector<std::uint32_t> by_name_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::vector<std::shared_ptr<const void>> owners_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/weight_source.inl.hpp"
#endif
