#pragma once
// The settings of a beam search as generation_config.json spells them.

#include <string>

#include "headwise/generate/beam.hpp"
#include "headwise/io/json.hpp"

namespace program {

/// Takes one field into the options. False: a field that says nothing about a search. Errors: a value of another type.
bool apply_beam_setting(hw::BeamOptions& options, std::string_view key, const hw::Json& value);

/// Those of a folder of an encoder-decoder: generation_config.json, or config.json in older ones. The best sequence alone is asked for.
hw::BeamOptions read_beam_settings(const std::string& folder);

}  // namespace program
