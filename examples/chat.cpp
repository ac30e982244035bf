// A conversation in the terminal. An empty line or Ctrl-D ends it; Ctrl-C stops an answer.

#include <CLI/CLI.hpp>
#include <iostream>

#include "headwise/auto.hpp"
#include "support/program.hpp"

int main(int argc, char** argv) {
  std::string path, system;
  int threads = 0;
  hw::GenerateOptions options{.max_new_tokens = 512};
  CLI::App app{"A conversation in the terminal"};
  app.add_option("--model", path, "a Hugging Face folder or a .gguf file")->required();
  app.add_option("--system", system, "what the assistant is told first");
  app.add_option("--threads", threads, "0: all");
  app.add_option("--max-new-tokens", options.max_new_tokens, "of an answer");
  app.add_option("--temperature", options.sampling.temperature, "0: greedy");
  app.add_option("--top-p", options.sampling.top_p, "1: off");
  app.add_option("--seed", options.sampling.seed, "of the random numbers");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return program::run("chat", [&] {
    hw::LoadOptions load;
    load.threads = threads;
    load.progress = program::progress_bar("loading");
    const hw::TextModel model = hw::load(path, load);
    hw::StateSet state = model.model().make_state();  // holds the conversation: each turn computes only what is new
    std::vector<hw::ChatMessage> messages;
    if (!system.empty()) messages.push_back({"system", system});
    for (std::string line; std::cout << "> " << std::flush && std::getline(std::cin, line) && !line.empty();) {
      messages.push_back({"user", line});
      program::catch_interrupt();
      std::string answer;
      for (const std::string& piece : model.chat(messages, state, options)) {
        std::cout << piece << std::flush;
        answer += piece;
        if (program::interrupted()) break;
      }
      std::cout << "\n\n";
      messages.push_back({"assistant", answer});
      if (program::interrupted()) break;
    }
    std::cout << '\n';
    return 0;
  });
}
