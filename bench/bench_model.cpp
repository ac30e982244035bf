// Times a model's prefill and decode, or an encoder's sentences, and prints one JSON line.
//
//   bench_model --model PATH (--n-prompt P --n-gen G | --embed --length L | --signal FILE --ids 1,2,3 --beams K --n-gen G) [--threads N]
//               [--batch B] [--repeat R] [--weights TYPE] [--expert-budget MB] --json

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "headwise/auto.hpp"
#include "headwise/generate/beam.hpp"
#include "headwise/io/convert.hpp"

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Some ids that are not all alike; what they say does not matter for the time they take.
std::vector<std::int32_t> make_ids(hw::index_t count, hw::index_t vocab, int seed) {
  std::vector<std::int32_t> ids;
  std::uint64_t z = static_cast<std::uint64_t>(seed) + 1;
  for (hw::index_t i = 0; i < count; ++i) {
    z = z * 6364136223846793005u + 1442695040888963407u;
    ids.push_back(static_cast<std::int32_t>((z >> 33) % static_cast<std::uint64_t>(vocab)));
  }
  return ids;
}

// Beam search behind `batch` equal signals, of exactly `generate` tokens each: `never` (the end) is not chosen.
void time_search(const hw::Model& model, const std::string& file, const std::vector<std::int32_t>& prompt, std::int32_t never,
                 hw::index_t batch, hw::index_t beams, hw::index_t generate, int repeat) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream bytes;
  bytes << in.rdbuf();
  const std::string raw = bytes.str();
  const hw::index_t size = model.encoder() ? model.encoder()->info().signal_size : 0;
  if (!in || size == 0 || raw.empty() || raw.size() % (static_cast<std::size_t>(size) * sizeof(float)) != 0)
    hw::fail("--signal", "a model that reads a signal, and a file of its rows as floats", hw::quoted(file));
  std::vector<float> signal(raw.size() / sizeof(float));
  std::memcpy(signal.data(), raw.data(), raw.size());
  const hw::Sequence source{.signal = hw::ConstView(signal.data(), std::ssize(signal) / size, size)};
  const std::vector<hw::Sequence> sources(static_cast<std::size_t>(batch), source);
  hw::BeamOptions options;
  options.num_beams = beams;
  options.max_new_tokens = generate;
  options.logit_bias = {{never, -std::numeric_limits<float>::infinity()}};
  double encode = 1e30, search = 1e30;
  std::vector<std::int32_t> ids;
  for (int r = 0; r < repeat; ++r) {
    double t = now();
    hw::Output y;
    const auto states = model.encode(sources, y);
    encode = std::min(encode, now() - t);
    std::vector<hw::BeamSource> begins;
    for (const hw::StateSet& s : states) begins.push_back({&s, prompt});
    t = now();
    const auto found = hw::beam_search(model, begins, options);
    search = std::min(search, now() - t);
    ids = found.front().front().ids;
  }
  const double count = static_cast<double>(batch * std::ssize(ids));
  std::cout << "{\"encode_s\": " << encode << ", \"search_tok_s\": " << count / search << ", \"total_tok_s\": " << count / (encode + search)
            << ", \"ids\": [";
  for (std::size_t i = 0; i < ids.size(); ++i) std::cout << (i ? ", " : "") << ids[i];
  std::cout << "]}\n";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Times a model"};
  std::string path, weights, kv = "f32";
  bool bf16_activations = false;
  double expert_budget = -1;
  hw::index_t prompt = 512, generate = 64, length = 128, batch = 1;
  int threads = 0, repeat = 3;
  bool embed = false, json = false;
  std::string signal;
  std::vector<std::int32_t> first;
  std::int32_t never = 50257;
  hw::index_t beams = 5;
  app.add_option("--model", path, "a Hugging Face folder or a .gguf file")->required();
  app.add_option("--n-prompt", prompt, "tokens of the prompt");
  app.add_option("--n-gen", generate, "decode steps");
  app.add_flag("--embed", embed, "an encoder: sentences a second");
  app.add_option("--signal", signal, "an encoder-decoder: rows of its signal, a file of floats; beam search");
  app.add_option("--ids", first, "with --signal: what the decoder reads first")->delimiter(',');
  app.add_option("--beams", beams, "with --signal");
  app.add_option("--never", never, "with --signal: an id that is not chosen");
  app.add_option("--length", length, "tokens of a sentence");
  app.add_option("--threads", threads, "0: all");
  app.add_option("--batch", batch, "sequences side by side");
  app.add_option("--repeat", repeat, "the best of so many runs counts");
  app.add_option("--weights", weights, "store weights as f32, f16, bf16, q8_0, q4_0 or q4_k");
  app.add_option("--kv", kv, "keep keys and values as f32, f16, bf16 or q8_0");
  app.add_option("--expert-budget", expert_budget, "at most so many MB of experts in memory")->check(CLI::Range(0.0, 1e9));
  app.add_flag("--bf16-activations", bf16_activations, "round what meets bf16 weights, too");
  app.add_flag("--json", json, "(the output is always one JSON line)");
  CLI11_PARSE(app, argc, argv);
  try {
    hw::LoadOptions options;
    options.threads = threads;
    if (!weights.empty()) options.weights = hw::quantise_target(weights, "--weights");
    options.bf16_activations = bf16_activations;
    options.kv = hw::quantise_target(kv, "--kv");
    if (expert_budget >= 0) options.expert_budget = static_cast<hw::index_t>(expert_budget * 1e6);
    const double start = now();
    const auto model = hw::stock_zoo().load(path, options);
    const double load_s = now() - start;
    if (!signal.empty()) return time_search(*model, signal, first, never, batch, beams, generate, repeat), 0;
    const auto vocab = model->info().vocab_size;
    double prefill = 1e30, decode = 1e30, sentences = 1e30;
    hw::Output out;
    for (int r = 0; r < repeat; ++r) {
      std::vector<std::vector<std::int32_t>> ids;
      for (hw::index_t b = 0; b < batch; ++b) ids.push_back(make_ids(embed ? length : prompt, vocab, static_cast<int>(b)));
      std::vector<hw::Sequence> step;
      if (embed) {
        for (const auto& x : ids) step.push_back({.ids = x, .wanted = hw::Wanted::none});
        const double t = now();
        model->forward(step, out, {.hidden = true});
        sentences = std::min(sentences, now() - t);
        continue;
      }
      std::vector<hw::StateSet> states;
      for (hw::index_t b = 0; b < batch; ++b) {
        states.push_back(model->make_state());
        states.back().reserve(prompt + generate);
      }
      for (std::size_t b = 0; b < ids.size(); ++b) step.push_back({.ids = ids[b], .state = &states[b]});
      double t = now();
      if (prompt > 0) model->forward(step, out);
      prefill = std::min(prefill, now() - t);
      t = now();
      for (hw::index_t g = 0; g < generate; ++g) {
        for (std::size_t b = 0; b < ids.size(); ++b) {
          const hw::ConstView y = out.logits(static_cast<hw::index_t>(b));
          ids[b] = {static_cast<std::int32_t>(std::max_element(y.row(0), y.row(0) + y.cols) - y.row(0))};
          step[b].ids = ids[b];
        }
        model->forward(step, out);
      }
      decode = std::min(decode, now() - t);
    }
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::size_t bytes = 0;
    for (const hw::MatrixReport& m : model->info().matrices) bytes += m.bytes;
    std::cout << "{\"load_s\": " << load_s;
    if (embed) {
      std::cout << ", \"sentences_s\": " << static_cast<double>(batch) / sentences;
    } else {
      const double steps = static_cast<double>(generate);
      std::cout << ", \"prefill_tok_s\": " << static_cast<double>(batch * prompt) / prefill << ", \"decode_tok_s\": " << static_cast<double>(batch) * steps / decode
                << ", \"decode_weight_gb_s\": " << static_cast<double>(bytes) * steps / decode / 1e9;
    }
    if (const auto& experts = model->info().experts) {
      const hw::ExpertStatistics s = experts->statistics();
      std::cout << ", \"expert_mb\": " << static_cast<double>(s.total_bytes) / 1e6 << ", \"expert_hits\": " << s.hits
                << ", \"expert_misses\": " << s.misses << ", \"experts_foreseen\": " << s.foreseen;
    }
    std::cout << ", \"peak_rss_mb\": " << static_cast<double>(usage.ru_maxrss) / 1024 << ", \"target\": \"" << hw::kernels::name_of(model->kernels().target)
              << "\", \"threads\": " << model->executor().threads() << "}\n";
  } catch (const std::exception& e) {
    std::cerr << "bench_model: " << e.what() << '\n';
    return 1;
  }
}
