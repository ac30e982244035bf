#pragma once
// What the second unit sees of the library.
#include <string>
#include <string_view>

using QuotedFunction = std::string (*)(std::string_view, std::size_t);
QuotedFunction quoted_of_second_unit();
std::string error_of_second_unit();
