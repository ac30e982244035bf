#pragma once
// What programs over an encoder's heads share: which task a checkpoint is for, probabilities, and the best of them.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/generate/text_model.hpp"
#include "headwise/io/json.hpp"

namespace program {

/// config.json of a folder whose class (`architectures`) ends with `task`: "ForQuestionAnswering". Errors: it is another's.
hw::Json config_for(const std::string& path, const std::string& task);

/// exp(x_i) / sum exp(x_j)
std::vector<float> softmax(std::span<const float> logits);

/// The indices of the `count` largest, the largest first; of equal ones the first.
std::vector<std::size_t> largest(std::span<const float> values, std::size_t count);

/// One forward of an encoder over a text, or two. Errors: more tokens than the model has positions.
void read_tokens(const hw::Model& model, const hw::Encoding& tokens, hw::Output& out);

/// The characters [begin, end) of UTF-8, as offsets of tokens count them.
std::string characters(std::string_view text, std::size_t begin, std::size_t end);

}  // namespace program
