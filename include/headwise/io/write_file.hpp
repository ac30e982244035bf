#pragma once
// Files that are there as a whole or not at all.

#include <cstddef>
#include <span>
#include <string>

#include "headwise/core/config.hpp"

namespace hw {

/// Writes `bytes` to `path` so that at any moment (a crash, a full disk, a killed process) the old file or the new one is there under that
/// name, complete: they go to a file beside it, to the disk, and then take its name. A killed process may leave the file beside it,
/// `path`.partial-<process>-<number>.
/// Errors: with the path and what the system says; `path` is something other than a regular file. Nothing is left then.
void write_file(const std::string& path, std::span<const std::byte> bytes);

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/write_file.inl.hpp"
#endif
