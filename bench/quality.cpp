// What smaller weights, keys and values cost: a model beside itself in f32 on a text. For each variant the mean KL divergence
// sum p log(p / q) of the next token (p: f32), how often both put the same token first, and the mean negative log likelihoods.
//
//   quality --model PATH [--text FILE] [--weights file,q8_0,q4_0,q4_k,bf16] [--kv f16,q8_0] [--bf16-activations] [--tokens 1024] [--json]
//
// "file": the types of the file. The text is cut into contexts of 256 tokens.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

#include "headwise/auto.hpp"
#include "headwise/io/convert.hpp"
#include "support/program.hpp"

namespace {

constexpr hw::index_t kContext = 256;

struct Variant {
  std::string name;
  hw::LoadOptions options;
};

struct Sums {
  double divergence = 0, reference_nll = 0, nll = 0;
  hw::index_t agreements = 0, tokens = 0, next = 0;
};

// One row of logits of either model. `id`: the token that follows, or -1.
void add(std::span<const float> reference, std::span<const float> other, std::int32_t id, Sums& sums) {
  const auto log_total = [](std::span<const float> x) {
    const double most = *std::max_element(x.begin(), x.end());
    double total = 0;
    for (const float v : x) total += std::exp(static_cast<double>(v) - most);
    return most + std::log(total);
  };
  const double p_total = log_total(reference), q_total = log_total(other);
  double divergence = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double p = static_cast<double>(reference[i]) - p_total, q = static_cast<double>(other[i]) - q_total;
    divergence += std::exp(p) * (p - q);
  }
  sums.divergence += divergence;
  const auto first = [](std::span<const float> x) { return std::max_element(x.begin(), x.end()) - x.begin(); };
  sums.agreements += first(reference) == first(other);
  ++sums.tokens;
  if (id < 0) return;
  sums.reference_nll += p_total - static_cast<double>(reference[static_cast<std::size_t>(id)]);
  sums.nll += q_total - static_cast<double>(other[static_cast<std::size_t>(id)]);
  ++sums.next;
}

Sums compare(const hw::Model& reference, const hw::Model& other, std::span<const std::int32_t> ids) {
  Sums sums;
  hw::Output a, b;
  for (std::size_t begin = 0; begin < ids.size(); begin += kContext) {
    const auto part = ids.subspan(begin, std::min<std::size_t>(kContext, ids.size() - begin));
    hw::StateSet state_a = reference.make_state(), state_b = other.make_state();
    reference.forward(hw::Sequence{part, &state_a, hw::Wanted::all}, a);
    other.forward(hw::Sequence{part, &state_b, hw::Wanted::all}, b);
    const hw::ConstView x = a.logits(), y = b.logits();
    for (hw::index_t i = 0; i < x.rows; ++i) {
      const auto next = static_cast<std::size_t>(i) + 1;
      add({x.row(i), static_cast<std::size_t>(x.cols)}, {y.row(i), static_cast<std::size_t>(y.cols)}, next < part.size() ? part[next] : -1, sums);
    }
  }
  return sums;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file || text.str().empty()) hw::fail(path, "a text file", "one that cannot be read, or is empty");
  return text.str();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"What smaller weights cost"};
  std::string path, text = HEADWISE_SOURCE_DIR "/CONTRIBUTING.md";
  std::vector<std::string> weights{"file", "bf16", "q8_0", "q4_k", "q4_0"}, kvs;
  std::size_t tokens = 1024;
  int threads = 0;
  bool bf16_activations = false, json = false;
  app.add_option("--model", path, "a Hugging Face folder or a .gguf file")->required();
  app.add_option("--text", text, "a text file");
  app.add_option("--weights", weights, "types of weights: file, f16, bf16, q8_0, q4_0, q4_k")->delimiter(',');
  app.add_option("--kv", kvs, "types of keys and values, each beside f32 weights: f16, bf16, q8_0")->delimiter(',');
  app.add_option("--tokens", tokens, "at most so many");
  app.add_option("--threads", threads, "0: all");
  app.add_flag("--bf16-activations", bf16_activations, "with bf16 weights: round what meets them, too");
  app.add_flag("--json", json, "a JSON line for each variant instead of a table");
  CLI11_PARSE(app, argc, argv);
  return program::run("quality", [&] {
    std::vector<Variant> variants;
    for (const std::string& name : weights) {
      hw::LoadOptions options;
      if (name != "file") options.weights = hw::quantise_target(name, "--weights");
      options.bf16_activations = bf16_activations;
      variants.push_back({name, options});
    }
    for (const std::string& name : kvs) {
      hw::LoadOptions options;
      options.weights = hw::DType::f32;
      options.kv = hw::quantise_target(name, "--kv");
      variants.push_back({"kv " + name, options});
    }
    hw::LoadOptions plain;
    plain.threads = threads;
    plain.weights = hw::DType::f32;
    const hw::TextModel reference = hw::load(path, plain);
    auto ids = reference.encode(read_text(text));
    if (ids.size() > tokens) ids.resize(tokens);
    if (ids.size() < 2) hw::fail(text, "a text of at least two tokens", std::to_string(ids.size()));
    if (!json) std::printf("| weights | MB | mean KL | same first token | NLL, f32 | NLL |\n|---|---|---|---|---|---|\n");
    for (Variant& v : variants) {
      v.options.threads = threads;
      const auto model = hw::stock_zoo().load(path, v.options);
      const Sums s = compare(reference.model(), *model, ids);
      double bytes = 0;
      for (const hw::MatrixReport& m : model->info().matrices) bytes += static_cast<double>(m.bytes);
      const double count = static_cast<double>(s.tokens), next = static_cast<double>(s.next);
      std::printf(json ? "{\"weights\": \"%s\", \"mb\": %.1f, \"kl\": %.6f, \"same_first\": %.4f, \"nll_f32\": %.5f, \"nll\": %.5f}\n"
                       : "| %s | %.0f | %.5f | %.4f | %.4f | %.4f |\n",
                  v.name.c_str(), bytes / 1e6, s.divergence / count, static_cast<double>(s.agreements) / count, s.reference_nll / next, s.nll / next);
      std::fflush(stdout);
    }
    return 0;
  });
}
