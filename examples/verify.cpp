// Holds models to golden cases: folders with a checkpoint, case.json and golden.safetensors.
//
//   verify PATH...
//
// One line a case: ok|FAIL|UNSUPPORTED name max_error tolerance what-was-compared. Exit status 0 when all are ok.

#include <iostream>

#include "headwise/auto.hpp"
#include "support/golden_case.hpp"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "use: verify PATH...   (folders of golden cases)\n";
    return 2;
  }
  const hw::Zoo zoo = hw::stock_zoo();
  bool all_ok = true;
  for (int i = 1; i < argc; ++i) {
    const std::string path = argv[i];
    std::string name = path;
    try {
      const std::string type = hw::read_hf_config(path).get<std::string>("model_type");
      const golden::Case c(path);
      name = c.name;
      if (!zoo.knows(type)) {
        std::string known;
        for (const std::string& family : zoo.known()) known += " " + family;
        std::cout << "UNSUPPORTED " << name << " - - model_type " << type << "; known:" << known << std::endl;
        all_ok = false;
        continue;
      }
      const golden::Report report = golden::check(c, [&](int threads) { return zoo.load(path, {.threads = threads}); });
      std::cout << (report.ok() ? "ok " : "FAIL ") << name << ' ' << report.max_error << ' ' << c.tolerance;
      for (const std::string& what : report.compared) std::cout << ' ' << what;
      for (const std::string& why : report.failures) std::cout << " | " << why;
      std::cout << std::endl;
      all_ok = all_ok && report.ok();
    } catch (const std::exception& e) {
      std::cout << "FAIL " << name << " - - " << e.what() << std::endl;
      all_ok = false;
    }
  }
  return all_ok ? 0 : 1;
}
