#pragma once
// An open file, and what the system says when it does not work.

#include <unistd.h>

#include <string>
#include <system_error>
#include <utility>

#include "headwise/core/error.hpp"

namespace hw::detail {

/// A file descriptor that is closed in the end.
class FileHandle {
 public:
  explicit FileHandle(int fd) noexcept : fd_(fd) {}
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;
  ~FileHandle() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

[[noreturn]] inline void fail_errno(const std::string& path, int code) { fail(quoted(path, 300), std::generic_category().message(code)); }

}  // namespace hw::detail
