#pragma once
// A checkpoint's folder or .gguf file becomes a model that takes and gives text, for programs that name their families.
//
//     #include <headwise/families/llama.hpp>
//     #include <headwise/families/load.hpp>
//     auto model = hw::load(path, hw::Zoo{}.add<hw::families::Llama>());

#include "headwise/families/zoo.hpp"
#include "headwise/generate/text_model.hpp"

namespace hw {

/// Loads a Hugging Face folder (config.json, safetensors, tokenizer files, generation_config.json, sentence-transformers files) or a
/// .gguf file, with the families of `zoo`. A checkpoint without a tokenizer loads too, and takes ids.
/// Errors: everything that is wrong in the files; the message names file, place, what was expected and what was found.
TextModel load(const std::string& path, const Zoo& zoo, const LoadOptions& options = {});

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/families/load.inl.hpp"
#endif
