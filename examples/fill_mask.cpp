// What may stand where a text has a mask, by a masked language model.
//
//   fill_mask --model PATH [--top N] [--json] < texts
//
// One text a line, with the checkpoint's mask in it: "The capital of Portugal is [MASK]." Out come token, tab, probability, for each mask.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "headwise/auto.hpp"
#include "support/program.hpp"
#include "support/task.hpp"

int main(int argc, char** argv) {
  std::string path;
  int threads = 0;
  std::size_t top = 5;
  bool json = false;
  CLI::App app{"Fills masks"};
  app.add_option("--model", path, "a Hugging Face folder of an encoder for masked language modelling")->required();
  app.add_option("--top", top, "so many tokens for each mask, the most probable first")->check(CLI::Range(1, 1 << 20));
  app.add_option("--threads", threads, "0: all");
  app.add_flag("--json", json, R"(for each mask a line of [{"id", "token", "score"}])");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return program::run("fill_mask", [&] {
    program::config_for(path, "ForMaskedLM");
    hw::LoadOptions load;
    load.threads = threads;
    load.progress = program::progress_bar("loading");
    const hw::TextModel model = hw::load(path, load);
    const std::int32_t mask = model.tokenizer().special().mask;
    if (mask < 0) throw hw::Error(path + ": its tokenizer has no mask_token");

    hw::Output out;
    for (std::string line; std::getline(std::cin, line);) {
      const hw::Encoding tokens = model.tokenizer().encode(line);
      if (std::find(tokens.ids.begin(), tokens.ids.end(), mask) == tokens.ids.end())
        hw::fail("a text", hw::concat("a mask, ", model.tokenizer().token_of(mask)), hw::quoted(line));
      program::read_tokens(model.model(), tokens, out);
      const hw::ConstView logits = out.logits();
      for (std::size_t t = 0; t < tokens.ids.size(); ++t) {
        if (tokens.ids[t] != mask) continue;
        const std::vector<float> scores =
            program::softmax({logits.row(static_cast<hw::index_t>(t)), static_cast<std::size_t>(logits.cols)});
        hw::JsonBuilder list;
        list.begin_array();
        for (const std::size_t i : program::largest(scores, top)) {
          const auto id = static_cast<std::int32_t>(i);
          // A row of the head may be without a token: some checkpoints round the number of rows up.
          const std::string token = model.tokenizer().has_token(id) ? model.tokenizer().decode(std::span(&id, 1), false) : "";
          if (json)
            list.begin_object().member("id", id).member("token", token).member("score", scores[i]).end_object();
          else
            std::cout << token << '\t' << scores[i] << '\n';
        }
        list.end_array();
        if (json) std::cout << list.finish().dump() << '\n';
        std::cout.flush();
      }
    }
    return 0;
  });
}
