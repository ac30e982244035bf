#pragma once
// The settings of a beam search as generation_config.json spells them.

#include "headwise/generate/beam.hpp"
#include "headwise/io/json.hpp"

namespace program {

/// Takes one field into the options. False: a field that says nothing about a search. Errors: a value of another type.
bool apply_beam_setting(hw::BeamOptions& options, std::string_view key, const hw::Json& value);

}  // namespace program
