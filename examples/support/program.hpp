#pragma once
// What the example programs share: one error line, an end by Ctrl-C at a token boundary, a progress bar.

#include <functional>
#include <string>

#include "headwise/generate/generate.hpp"

namespace program {

/// Runs body(); an exception becomes one line on stderr, `NAME: what`, and exit status 1.
int run(const std::string& name, const std::function<int()>& body);

/// From now on Ctrl-C sets a flag instead of ending the program; a second one ends it.
void catch_interrupt();
bool interrupted();

/// A bar on stderr where that is a terminal, nothing elsewhere: `loading [=====     ] 50%`.
std::function<void(double)> progress_bar(const std::string& what);

/// "1,2,3" or "1 2 3". Errors: anything that is not a number of 32 bits.
std::vector<std::int32_t> parse_ids(const std::string& text);

}  // namespace program
