// A header-only program that loads the families it names, and no others: golden cases of each, held to their outputs and laws.
#include <cstdio>

#include "examples/support/golden_case.hpp"
#include "headwise/families/bert.hpp"
#include "headwise/families/gpt2.hpp"
#include "headwise/families/llama.hpp"

int main(int argc, char** argv) {
  const hw::Zoo zoo = hw::Zoo{}.add<hw::families::Llama>().add<hw::families::Gpt2>().add<hw::families::Bert>();
  bool all_ok = argc > 1;
  for (int i = 1; i < argc; ++i) {
    const std::string path = argv[i];
    const golden::Report report = golden::check(golden::Case(path), [&](int threads) { return zoo.load(path, {.threads = threads}); });
    for (const std::string& why : report.failures) std::printf("%s: %s\n", path.c_str(), why.c_str());
    all_ok = all_ok && report.ok() && report.compared.size() >= 4;
  }
  return all_ok ? 0 : 1;
}
