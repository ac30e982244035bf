// Finds the paragraphs of a folder's text files that are nearest in meaning to a question, by an encoder of sentences.
//
//   search --model PATH --folder FOLDER [--top N] [--json] < questions
//
// Reads .txt and .md files, in subfolders too; empty lines end a paragraph. Out come cosine, file:line and the paragraph.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <numeric>

#include "headwise/auto.hpp"
#include "support/program.hpp"
#include "support/task.hpp"

namespace {

struct Paragraph {
  std::string place, text;
};

std::vector<Paragraph> read_folder(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && (entry.path().extension() == ".txt" || entry.path().extension() == ".md")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());  // the system lists them in any order
  std::vector<Paragraph> out;
  for (const auto& path : files) {
    std::ifstream file(path);
    if (!file) throw hw::Error(path.string() + ": cannot be read");
    bool open = false;
    std::size_t number = 0;
    for (std::string line; std::getline(file, line);) {
      ++number;
      const bool empty = line.find_first_not_of(" \t\r") == line.npos;
      if (!empty && !open) out.push_back({hw::concat(std::filesystem::relative(path, folder).string(), ":", number), line});
      if (!empty && open) out.back().text += " " + line;
      open = !empty;
    }
  }
  if (out.empty()) throw hw::Error(folder + ": no text in .txt or .md files");
  return out;
}

void normalise(std::vector<float>& v) {
  double sum = 0;
  for (const float x : v) sum += x * x;
  for (float& x : v) x = static_cast<float>(x / std::sqrt(std::max(sum, 1e-24)));
}

}  // namespace

int main(int argc, char** argv) {
  std::string path, folder;
  int threads = 0;
  std::size_t top = 3;
  bool json = false;
  CLI::App app{"Searches text files by meaning"};
  app.add_option("--model", path, "a Hugging Face folder of an encoder of sentences")->required();
  app.add_option("--folder", folder, "with .txt and .md files")->required()->check(CLI::ExistingDirectory);
  app.add_option("--top", top, "so many paragraphs for a question")->check(CLI::Range(1, 1 << 20));
  app.add_option("--threads", threads, "0: all");
  app.add_flag("--json", json, R"(for each question a line of [{"place", "score", "text"}])");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return program::run("search", [&] {
    const std::vector<Paragraph> paragraphs = read_folder(folder);
    hw::LoadOptions load;
    load.threads = threads;
    load.progress = program::progress_bar("loading");
    const hw::TextModel model = hw::load(path, load);
    const auto progress = program::progress_bar("reading");
    std::vector<std::vector<float>> vectors;
    constexpr std::size_t kBatch = 16;
    while (vectors.size() < paragraphs.size()) {
      std::vector<std::string> texts;
      for (std::size_t i = vectors.size(); i < std::min(paragraphs.size(), vectors.size() + kBatch); ++i)
        texts.push_back(paragraphs[i].text);
      for (std::vector<float>& v : model.embed(texts)) normalise(vectors.emplace_back(std::move(v)));
      if (progress) progress(static_cast<double>(vectors.size()) / static_cast<double>(paragraphs.size()));
    }

    for (std::string question; std::getline(std::cin, question);) {
      std::vector<float> asked = model.embed(question), scores;
      normalise(asked);
      for (const auto& v : vectors) scores.push_back(std::inner_product(v.begin(), v.end(), asked.begin(), 0.0f));
      hw::JsonBuilder list;
      list.begin_array();
      for (const std::size_t i : program::largest(scores, top)) {
        const auto& [place, text] = paragraphs[i];
        if (json)
          list.begin_object().member("place", place).member("score", scores[i]).member("text", text).end_object();
        else
          std::cout << scores[i] << '\t' << place << '\t' << text << '\n';
      }
      list.end_array();
      if (json) std::cout << list.finish().dump() << '\n';
      std::cout.flush();
    }
    return 0;
  });
}
