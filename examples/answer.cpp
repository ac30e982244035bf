// Finds the part of a text that answers a question, by an encoder with a question answering head.
//
//   answer --model PATH --question TEXT [--longest N] [--json] < text
//
// A text with more tokens than the model has positions is read in windows that overlap by half.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <iterator>

#include "headwise/auto.hpp"
#include "support/program.hpp"
#include "support/task.hpp"

namespace {

struct Answer {
  float score = -1;
  std::size_t begin = 0, end = 0;  // tokens of the text
};

// The span of at most `longest` tokens with the largest p(begin) p(end).
Answer best_span(const std::vector<float>& begins, const std::vector<float>& ends, std::size_t longest) {
  Answer best;
  for (std::size_t i = 0; i < begins.size(); ++i)
    for (std::size_t j = i; j < std::min(ends.size(), i + longest); ++j)
      if (begins[i] * ends[j] > best.score) best = {begins[i] * ends[j], i, j + 1};
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  std::string path, question;
  int threads = 0;
  std::size_t longest = 15;
  bool json = false;
  CLI::App app{"Answers a question from a text"};
  app.add_option("--model", path, "a Hugging Face folder of an encoder for question answering")->required();
  app.add_option("--question", question, "what is asked")->required();
  app.add_option("--longest", longest, "an answer has at most so many tokens")->check(CLI::Range(1, 1 << 20));
  app.add_option("--threads", threads, "0: all");
  app.add_flag("--json", json, R"({"answer", "begin", "end", "score"}, begin and end in characters)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return program::run("answer", [&] {
    program::config_for(path, "ForQuestionAnswering");
    hw::LoadOptions load;
    load.threads = threads;
    load.progress = program::progress_bar("loading");
    const hw::TextModel model = hw::load(path, load);
    const hw::Tokenizer& tokenizer = model.tokenizer();
    const std::string text{std::istreambuf_iterator<char>(std::cin), {}};

    const auto places = tokenizer.encode(text, {.add_special_tokens = false}).offsets;
    if (places.empty()) throw hw::Error("the text is empty: there is no answer in it");
    const std::size_t beside = tokenizer.encode_pair(question, "").ids.size();  // the question and what stands around both
    const auto positions = static_cast<std::size_t>(model.model().info().max_positions);
    if (positions != 0 && beside + 2 > positions)
      hw::fail("--question", hw::concat("room for a text in ", positions, " positions"), hw::concat(beside, " tokens"));
    const std::size_t window = positions == 0 ? places.size() : std::min(places.size(), positions - beside);
    const auto progress = program::progress_bar("reading");

    hw::Output out;
    Answer best;
    for (std::size_t begin = 0;; begin += (window + 1) / 2) {
      const std::size_t end = std::min(places.size(), begin + window);
      const hw::Encoding tokens = tokenizer.encode_pair(question, program::characters(text, places[begin].begin, places[end - 1].end));
      program::read_tokens(model.model(), tokens, out);
      // The text's tokens end before what the template puts behind them, which comes from no character.
      std::size_t last = tokens.ids.size();
      while (last > 0 && tokens.offsets[last - 1].end == 0) --last;
      const std::size_t count = std::min(end - begin, last);
      const auto scores = [&](const char* name) {
        return program::softmax({out.get(name).row(static_cast<hw::index_t>(last - count)), count});  // (tokens, 1)
      };
      const Answer found = best_span(scores("start_logits"), scores("end_logits"), longest);
      if (found.score > best.score) best = {found.score, begin + found.begin, begin + found.end};
      if (progress) progress(static_cast<double>(end) / static_cast<double>(places.size()));
      if (end == places.size()) break;
    }
    const std::uint32_t begin = places[best.begin].begin, end = places[best.end - 1].end;
    if (json)
      std::cout << hw::Json::object(
                       {{"answer", program::characters(text, begin, end)}, {"begin", begin}, {"end", end}, {"score", best.score}})
                       .dump()
                << '\n';
    else
      std::cout << program::characters(text, begin, end) << '\n';
    return 0;
  });
}
