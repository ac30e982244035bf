#pragma once
// The front door to weights: whatever lies at a path.

#include "headwise/io/weight_source.hpp"

namespace hw {

/// Opens a Hugging Face folder (`model.safetensors`, or its shards by `model.safetensors.index.json`), one .safetensors file, or a .gguf
/// file. Errors: nothing of that kind at `path`, anything that is wrong in the files, no tensors.
std::shared_ptr<const WeightSource> open_weights(const std::string& path, MappedFile::Access access = MappedFile::Access::map);

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/open_weights.inl.hpp"
#endif
