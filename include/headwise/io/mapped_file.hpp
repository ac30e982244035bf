#pragma once
// A regular file as read-only bytes.

#include <span>
#include <string>
#include <string_view>

#include "headwise/core/config.hpp"

namespace hw {

/// The bytes of a regular file, mapped (the default: no copy, pages are shared with other processes) or copied into memory.
///
/// Errors: a path that is empty, contains NUL, cannot be opened or is not a regular file (a folder, a FIFO, a device); they name the path.
/// A mapped file must not be shortened while it is in use: the system answers a read past its end with SIGBUS. Where that can happen, use
/// `Access::copy`. Move-only; the bytes live as long as the object.
class MappedFile {
 public:
  enum class Access { map, copy };
  enum class Advice { sequential, random, will_need, not_needed };

  static MappedFile open(const std::string& path, Access access = Access::map);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  const std::string& path() const noexcept { return path_; }
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }

  /// Tells the system how a range of `bytes()` will be used. `not_needed` gives its whole pages back; they are read again when touched.
  /// A hint: does nothing for a copied file, and ranges are cut to the file.
  void advise(std::size_t offset, std::size_t length, Advice advice) const noexcept;

  /// Error: the mapped file has become shorter than it was, so that its bytes may not be touched. (One that was deleted or replaced is
  /// still there for us.)
  void check() const;

 private:
  void close() noexcept;

  std::string path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  bool mapped_ = false;
  int file_ = -1;  // open while it is mapped, for check()
};

/// Asks the system to back large memory of our own, not yet touched, by large pages: some hundred times fewer page faults at load, and
/// fewer misses of the translation cache later. A hint (Linux).
void use_large_pages(std::span<std::byte> memory) noexcept;

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/mapped_file.inl.hpp"
#endif
