// A text to a short one, by an encoder-decoder that was trained to: T5, BART, Pegasus.
//
//   summarise --model PATH [--prefix TEXT] [--window N] [--beams N] < text
//
// A long text is read in windows; each gives a line. T5 wants --prefix "summarize: ".

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <iterator>

#include "headwise/auto.hpp"
#include "support/beam_settings.hpp"
#include "support/program.hpp"
#include "support/task.hpp"

int main(int argc, char** argv) {
  std::string path, prefix;
  int threads = 0;
  std::size_t window = 512;
  hw::index_t beams = 0, max_new_tokens = 0;
  CLI::App app{"Long texts to short ones"};
  app.add_option("--model", path, "a Hugging Face folder of an encoder-decoder")->required();
  app.add_option("--prefix", prefix, "stands before each window, as the model was trained");
  app.add_option("--window", window, "so many tokens of the text at once")->check(CLI::Range(1, 1 << 20));
  app.add_option("--beams", beams, "1: greedy; the checkpoint's number where it is left out")->check(CLI::Range(1, 1024));
  app.add_option("--max-new-tokens", max_new_tokens, "at most so many for a window")->check(CLI::Range(1, 1 << 20));
  app.add_option("--threads", threads, "0: all");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return program::run("summarise", [&] {
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

    const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    const auto places = model.tokenizer().encode(text, {.add_special_tokens = false}).offsets;
    if (places.empty()) throw hw::Error("the text is empty: there is nothing to summarise");
    const auto progress = program::progress_bar("reading");
    for (std::size_t begin = 0; begin < places.size(); begin += window) {
      if (progress) progress(static_cast<double>(begin) / static_cast<double>(places.size()));
      const std::size_t end = std::min(places.size(), begin + window);
      const std::vector<std::int32_t> source = model.encode(prefix + program::characters(text, places[begin].begin, places[end - 1].end));
      const hw::StateSet state = model.model().encode({.ids = source});
      const hw::Beam best = hw::beam_search(model.model(), state, model.start_ids(), options).front();
      if (progress) progress(1);
      std::cout << model.tokenizer().decode(best.ids) << std::endl;
    }
    return 0;
  });
}
