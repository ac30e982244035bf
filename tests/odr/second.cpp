#include "second.hpp"

#include "all_headers.hpp"

QuotedFunction quoted_of_second_unit() { return &hw::quoted; }

std::string error_of_second_unit() {
  try {
    hw::fail("second.cpp", "one", "two");
  } catch (const hw::Error& error) {
    return error.what();
  }
}
