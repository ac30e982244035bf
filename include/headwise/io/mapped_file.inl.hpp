#pragma once
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "headwise/io/file_handle.hpp"
#include "headwise/io/mapped_file.hpp"

namespace hw {
namespace detail {

inline void read_all(int fd, std::byte* out, std::size_t size, const std::string& path) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::read(fd, out + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno(path, errno);
    if (n == 0) fail(hw::quoted(path, 300), concat(size, " bytes"), concat(done, ": the file became shorter while it was read"));
    done += static_cast<std::size_t>(n);
  }
}

}  // namespace detail

HEADWISE_INLINE MappedFile MappedFile::open(const std::string& path, Access access) {
  if (path.empty()) fail("file", "the path is empty");
  if (path.find('\0') != std::string::npos) fail(hw::quoted(path, 300), "the path contains a NUL character");
  // Non-blocking, so that a FIFO can be refused instead of waited for.
  detail::FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0) detail::fail_errno(path, errno);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) detail::fail_errno(path, errno);
  if (S_ISDIR(info.st_mode)) fail(hw::quoted(path, 300), "a file", "a folder");
  if (!S_ISREG(info.st_mode)) fail(hw::quoted(path, 300), "a regular file", "a FIFO, a device or a socket");

  MappedFile out;
  out.path_ = path;
  const auto size = checked_cast<std::size_t>(info.st_size, path);
  if (size == 0) return out;
  if (access == Access::map) {
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (data == MAP_FAILED) detail::fail_errno(path, errno);
    out.data_ = static_cast<const std::byte*>(data);
    out.size_ = size;
    out.mapped_ = true;
    out.file_ = file.release();
  } else {
    auto* data = static_cast<std::byte*>(::operator new (size, std::align_val_t{64}));
    out.data_ = data;
    out.size_ = size;
    detail::read_all(file.get(), data, size, path);
  }
  return out;
}

HEADWISE_INLINE MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(other.mapped_),
      file_(std::exchange(other.file_, -1)) {}

HEADWISE_INLINE MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this == &other) return *this;
  close();
  path_ = std::move(other.path_);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  mapped_ = other.mapped_;
  file_ = std::exchange(other.file_, -1);
  return *this;
}

HEADWISE_INLINE MappedFile::~MappedFile() { close(); }

HEADWISE_INLINE void MappedFile::close() noexcept {
  if (file_ >= 0) ::close(std::exchange(file_, -1));
  if (data_ == nullptr) return;
  auto* data = const_cast<std::byte*>(data_);
  if (mapped_)
    ::munmap(data, size_);
  else
    ::operator delete (data, std::align_val_t{64});
  data_ = nullptr;
  size_ = 0;
}

HEADWISE_INLINE void MappedFile::advise(std::size_t offset, std::size_t length, Advice advice) const noexcept {
  if (!mapped_ || offset >= size_) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::size_t end = length < size_ - offset ? offset + length : size_;
  std::size_t begin = offset / page * page;
  if (advice == Advice::not_needed) {  // only pages that lie in the range as a whole
    begin = (offset + page - 1) / page * page;
    if (end != size_) end = end / page * page;
  }
  if (begin >= end) return;
  const int flag = advice == Advice::sequential  ? MADV_SEQUENTIAL
                   : advice == Advice::random    ? MADV_RANDOM
                   : advice == Advice::will_need ? MADV_WILLNEED
                                                 : MADV_DONTNEED;
  ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, flag);
}

HEADWISE_INLINE void MappedFile::check() const {
  if (file_ < 0) return;
  struct stat info {};
  if (::fstat(file_, &info) != 0) detail::fail_errno(path_, errno);
  if (std::cmp_less(info.st_size, size_))
    fail(hw::quoted(path_, 300), concat(size_, " bytes"), concat(info.st_size, ": the file became shorter while it was in use"));
}

HEADWISE_INLINE void use_large_pages([[maybe_unused]] std::span<std::byte> memory) noexcept {
#if defined(MADV_HUGEPAGE)
  constexpr std::uintptr_t kLarge = 2 << 20;
  const auto first = reinterpret_cast<std::uintptr_t>(memory.data());
  const std::uintptr_t begin = (first + kLarge - 1) / kLarge * kLarge, end = (first + memory.size()) / kLarge * kLarge;
  if (begin < end) ::madvise(memory.data() + (begin - first), end - begin, MADV_HUGEPAGE);
#endif
}

}  // namespace hw
