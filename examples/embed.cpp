// One text a line in, one embedding a line out, pooled and normalised as the checkpoint's sentence-transformers files say.
//
//   embed --model PATH [--json] < texts

#include <CLI/CLI.hpp>
#include <iostream>

#include "headwise/auto.hpp"
#include "support/program.hpp"

int main(int argc, char** argv) {
  std::string path;
  int threads = 0;
  bool json = false;
  CLI::App app{"Texts to vectors"};
  app.add_option("--model", path, "a Hugging Face folder of an encoder")->required();
  app.add_option("--threads", threads, "0: all");
  app.add_flag("--json", json, "lines of {\"embedding\": [...]}");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return program::run("embed", [&] {
    hw::LoadOptions load;
    load.threads = threads;
    load.progress = program::progress_bar("loading");
    const hw::TextModel model = hw::load(path, load);
    for (std::string line; std::getline(std::cin, line);) {
      const std::vector<float> v = model.embed(line);
      if (json) {
        std::cout << hw::Json::object({{"embedding", v}}).dump() << std::endl;
      } else {
        for (std::size_t i = 0; i < v.size(); ++i) std::cout << (i ? " " : "") << v[i];
        std::cout << std::endl;
      }
    }
    return 0;
  });
}
