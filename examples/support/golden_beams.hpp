#pragma once
// The beam searches that a golden case recorded.

#include "golden_case.hpp"

namespace golden {

/// Runs each search of `c` ("beam" and "beam_variants" in case.json; sources are the rows of input_ids) and holds its sequences, token for
/// token, and their scores, within the case's tolerance, to `beam_ids...` and `beam_scores...`. Adds to `report` what was compared and what
/// failed. Errors: a setting that is not known here.
void check_beams(const Case& c, const hw::Model& model, Report& report);

}  // namespace golden
