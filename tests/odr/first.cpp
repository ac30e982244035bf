#include <iostream>

#include "all_headers.hpp"
#include "second.hpp"

int main() {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2")) return 77;  // the linker may have kept the second unit's copies
#endif
  const QuotedFunction quoted = &hw::quoted;
  if (quoted_of_second_unit() != quoted) {
    std::cerr << "the two units have two functions hw::quoted\n";
    return 1;
  }
  const std::string error = error_of_second_unit();
  std::cout << error << '\n';
  return error == "second.cpp: expected one, found two" ? 0 : 1;
}
