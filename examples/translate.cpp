// One line in, one line out, by an encoder-decoder: translations, summaries, answers.
//
//   translate --model PATH [--beams N] [--json] < lines
//
// What a model wants to be told stands in the line, as it was trained: "translate English to German: ..." for T5, ">>por<< ..." for some
// OPUS-MT models. PATH may be a folder of one of Bergamot's models (model*.bin, vocab*.spm). Settings of the search come from the checkpoint's generation_config.json (config.json in older ones).

#include <CLI/CLI.hpp>
#include <iostream>

#include "headwise/auto.hpp"
#include "support/beam_settings.hpp"
#include "support/program.hpp"

int main(int argc, char** argv) {
  std::string path, weights;
  int threads = 0;
  hw::index_t beams = 0, max_new_tokens = 0;
  bool json = false;
  CLI::App app{"Lines to lines: translates, summarises, answers"};
  app.add_option("--model", path, "a Hugging Face folder of an encoder-decoder")->required();
  app.add_option("--beams", beams, "1: greedy; the checkpoint's number where it is left out")->check(CLI::Range(1, 1024));
  app.add_option("--max-new-tokens", max_new_tokens, "at most so many for a line")->check(CLI::Range(1, 1 << 20));
  app.add_option("--threads", threads, "0: all");
  app.add_flag("--json", json, R"(lines of {"text", "ids", "source_ids", "score"})");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return program::run("translate", [&] {
    hw::LoadOptions load;
    load.threads = threads;
    load.progress = program::progress_bar("loading");
    const hw::TextModel model = hw::load(path, load);
    if (model.model().encoder() == nullptr)
      throw hw::Error(path + ": expected an encoder-decoder, found " + model.model().info().model_type);
    hw::BeamOptions options = program::read_beam_settings(path);
    options.eos_ids = model.stop_ids();
    if (beams > 0) options.num_beams = beams;
    if (max_new_tokens > 0) options.max_new_tokens = max_new_tokens;

    for (std::string line; std::getline(std::cin, line);) {
      const std::vector<std::int32_t> source = model.encode(line);
      hw::Beam best;
      if (!source.empty()) {  // an empty line stays one
        const hw::StateSet state = model.model().encode({.ids = source});
        best = hw::beam_search(model.model(), state, model.start_ids(), options).front();
      }
      const std::string text = model.tokenizer().decode(best.ids);
      if (json) {
        std::cout << hw::Json::object({{"text", text}, {"ids", best.ids}, {"source_ids", source}, {"score", best.score}}).dump()
                  << std::endl;
      } else {
        std::cout << text << std::endl;
      }
    }
    return 0;
  });
}
