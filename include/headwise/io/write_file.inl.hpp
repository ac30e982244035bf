#pragma once
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "headwise/io/file_handle.hpp"
#include "headwise/io/write_file.hpp"

namespace hw {
namespace detail {

// Removes a file unless it has got its final name.
struct PartialFile {
  const std::string& path;
  bool keep = false;
  ~PartialFile() {
    if (!keep) ::unlink(path.c_str());
  }
};

inline void write_all(int fd, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno(path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

// The folder's entry for a new name reaches the disk, where the file system can be asked for that.
inline void sync_folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const FileHandle file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.get() >= 0) ::fsync(file.get());
}

}  // namespace detail

HEADWISE_INLINE void write_file(const std::string& path, std::span<const std::byte> bytes) {
  if (path.empty()) fail("file", "the path is empty");
  if (path.find('\0') != std::string::npos) fail(hw::quoted(path, 300), "the path contains a NUL character");
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
    fail(hw::quoted(path, 300), "the name of a regular file", S_ISDIR(info.st_mode) ? "a folder" : "a FIFO, a device or a socket");

  std::string beside;
  int fd = -1;
  for (int i = 0; fd < 0 && i < 1000; ++i) {  // names of a killed process may be taken
    beside = concat(path, ".partial-", static_cast<std::int64_t>(::getpid()), "-", i);
    fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno != EEXIST) detail::fail_errno(path, errno);
  }
  if (fd < 0) detail::fail_errno(path, EEXIST);
  detail::PartialFile partial{beside};
  {
    const detail::FileHandle file(fd);
    detail::write_all(fd, bytes, path);
    if (::fsync(fd) != 0) detail::fail_errno(path, errno);
  }
  if (std::rename(beside.c_str(), path.c_str()) != 0) detail::fail_errno(path, errno);
  partial.keep = true;
  detail::sync_folder_of(path);
}

}  // namespace hw
