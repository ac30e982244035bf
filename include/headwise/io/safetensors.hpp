#pragma once
// The safetensors format: one file, or shards with an index.
// Specification: https://github.com/huggingface/safetensors (header length, JSON header, data without holes).

#include "headwise/io/weight_source.hpp"

namespace hw {

/// One .safetensors file. Types: F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL.
/// Errors: a header that is not what the specification says; offsets with holes, overlaps or beyond the file; a type or shape that does not
/// fit.
WeightSource open_safetensors(const std::string& path, MappedFile::Access access = MappedFile::Access::map);

/// A folder with `model.safetensors`, or else the shards that `model.safetensors.index.json` lists. Where two shards hold a tensor of one
/// name, the one that the index names counts. Shard names are plain file names: nothing outside the folder is opened (a file of the folder
/// may itself be a symbolic link, as in the Hugging Face cache).
WeightSource open_safetensors_folder(const std::string& folder, MappedFile::Access access = MappedFile::Access::map);

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/io/safetensors.inl.hpp"
#endif
