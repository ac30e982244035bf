// Which class a text is of, by an encoder with a classification head: sentiment, topic, whether one text follows from another.
//
//   classify --model PATH [--top N] [--json] < texts
//
// One text a line; a tab between two texts makes them a pair, as entailment wants it. Out come label, tab, probability.

#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>

#include "headwise/auto.hpp"
#include "support/program.hpp"
#include "support/task.hpp"

int main(int argc, char** argv) {
  std::string path;
  int threads = 0;
  std::size_t top = 1;
  bool json = false;
  CLI::App app{"Texts to classes"};
  app.add_option("--model", path, "a Hugging Face folder of an encoder for sequence classification")->required();
  app.add_option("--top", top, "so many classes, the most probable first")->check(CLI::Range(1, 1 << 20));
  app.add_option("--threads", threads, "0: all");
  app.add_flag("--json", json, R"(lines of [{"label", "score"}])");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return program::run("classify", [&] {
    const hw::Json config = program::config_for(path, "ForSequenceClassification");
    // Labels that exclude each other share one softmax; of several that may hold together each has a probability of its own.
    const auto kind = config.find("problem_type");
    const bool several = kind && kind->is_string() && kind->as<std::string>() == "multi_label_classification";
    const auto names = config.find("id2label");
    hw::LoadOptions load;
    load.threads = threads;
    load.progress = program::progress_bar("loading");
    const hw::TextModel model = hw::load(path, load);

    hw::Output out;
    for (std::string line; std::getline(std::cin, line);) {
      const std::size_t tab = line.find('\t');
      program::read_tokens(
          model.model(),
          tab == line.npos ? model.tokenizer().encode(line) : model.tokenizer().encode_pair(line.substr(0, tab), line.substr(tab + 1)),
          out);
      std::vector<float> scores(out.logits().row(0), out.logits().row(0) + out.logits().cols);
      if (several)
        for (float& x : scores) x = 1 / (1 + std::exp(-x));
      else if (scores.size() > 1)  // one output alone is a value, not a class
        scores = program::softmax(scores);
      hw::JsonBuilder list;
      list.begin_array();
      for (const std::size_t i : program::largest(scores, top)) {
        const std::string number = std::to_string(i);
        const std::string label = names ? names->get_or<std::string>(number, "LABEL_" + number) : "LABEL_" + number;
        if (json)
          list.begin_object().member("label", label).member("score", scores[i]).end_object();
        else
          std::cout << label << '\t' << scores[i] << '\n';
      }
      list.end_array();
      if (json) std::cout << list.finish().dump() << '\n';
      std::cout.flush();
    }
    return 0;
  });
}
