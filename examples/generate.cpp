// Continues a prompt, answers a question, or scores a text.
//
//   generate --model PATH (--prompt TEXT | --ids 1,2,3 | --chat TEXT) [--max-new-tokens N] [--temperature T ...] [--beams N]
//   [--lookup N] [--grammar FILE] [--score] [--json]

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>

#include "headwise/auto.hpp"
#include "headwise/generate/beam.hpp"
#include "headwise/generate/grammar_constraint.hpp"
#include "headwise/generate/speculative.hpp"
#include "headwise/io/convert.hpp"
#include "support/program.hpp"

namespace {

struct Arguments {
  std::string model, prompt, ids, question, weights, grammar, kv = "f32";
  int threads = 0;
  double expert_budget = -1;  // MB; below 0: none
  hw::index_t lookup = 0;     // drafts a step; 0: none
  bool ignore_eos = false, score = false, json = false, explain = false, bf16_activations = false;
  hw::GenerateOptions options;
  hw::BeamOptions beams{.num_beams = 0};  // 0: no search
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The best sequence that a beam search finds.
int search(Arguments& a, const hw::TextModel& model, const std::vector<std::int32_t>& ids, double load_s) {
  a.beams.max_new_tokens = a.options.max_new_tokens;
  a.beams.repetition_penalty = a.options.sampling.repetition_penalty;
  if (!a.ignore_eos) a.beams.eos_ids = model.stop_ids();
  const auto start = std::chrono::steady_clock::now();
  const bool reads = model.model().encoder() != nullptr;  // then the ids are its source
  const hw::StateSet state = reads ? model.model().encode({.ids = ids}) : model.model().make_state();
  hw::Beam best = hw::beam_search(model.model(), state, reads ? model.start_ids() : ids, a.beams).front();
  const double search_s = seconds_since(start);
  if (best.finish == hw::FinishReason::stop_id) best.ids.pop_back();
  const std::string text = model.tokenizer().decode(best.ids);
  if (a.json) {
    std::cout << hw::Json::object({{"ids", best.ids},
                                   {"text", text},
                                   {"prompt_ids", ids},
                                   {"finish", hw::name_of(best.finish)},
                                   {"score", best.score},
                                   {"load_s", load_s},
                                   {"search_s", search_s}})
                     .dump()
              << '\n';
  } else {
    std::cout << text << '\n';
  }
  return 0;
}

// The same text as without, several tokens a step where the text repeats itself.
int generate_with_lookup(Arguments& a, const hw::TextModel& model, const std::vector<std::int32_t>& ids, double load_s) {
  if (!a.ignore_eos) a.options.stop_ids = model.stop_ids();
  const bool reads = model.model().encoder() != nullptr;  // then the ids are its source
  hw::StateSet state = reads ? model.model().encode({.ids = ids}) : model.model().make_state();
  hw::StreamDecoder decoder(model.tokenizer());
  std::string text;
  const auto show = [&](const std::string& piece) {
    text += piece;
    if (!a.json) std::cout << piece << std::flush;
  };
  const auto start = std::chrono::steady_clock::now();
  double prefill_s = 0;
  program::catch_interrupt();
  const hw::PromptLookup from_text;
  const auto made = hw::generate_speculative(model.model(), state, reads ? model.start_ids() : ids, from_text, a.options, a.lookup,
                                             [&](std::int32_t id) {
                                               if (prefill_s == 0) prefill_s = seconds_since(start);
                                               show(decoder.push(id));
                                               return !program::interrupted();
                                             });
  const double decode_s = seconds_since(start) - prefill_s;
  show(decoder.finish());
  if (a.json)
    std::cout << hw::Json::object({{"ids", made.ids},
                                   {"text", text},
                                   {"prompt_ids", ids},
                                   {"finish", hw::name_of(made.finish)},
                                   {"steps", made.steps},
                                   {"drafted", made.drafted},
                                   {"accepted", made.accepted},
                                   {"load_s", load_s},
                                   {"prefill_s", prefill_s},
                                   {"decode_s", decode_s}})
                     .dump();
  std::cout << '\n';
  return program::interrupted() ? 130 : 0;
}

hw::FollowGrammar follow(const std::string& path, const hw::TextModel& model) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return {path.ends_with(".json") ? hw::Grammar::json_schema(text, path) : hw::Grammar::gbnf(text, path),
          std::make_shared<const hw::TokenTexts>(model.tokenizer()), model.stop_ids()};
}

int run(Arguments a) {
  hw::LoadOptions load;
  load.threads = a.threads;
  load.progress = program::progress_bar("loading");
  if (!a.weights.empty()) load.weights = hw::quantise_target(a.weights, "--weights");
  load.bf16_activations = a.bf16_activations;
  load.kv = hw::quantise_target(a.kv, "--kv");
  if (a.expert_budget >= 0) load.expert_budget = static_cast<hw::index_t>(a.expert_budget * 1e6);
  const auto start = std::chrono::steady_clock::now();
  const hw::TextModel model = hw::load(a.model, load);
  const double load_s = seconds_since(start);
  if (a.explain) std::cerr << model.model().explain();

  const std::vector<std::int32_t> ids = !a.ids.empty()        ? program::parse_ids(a.ids)
                                        : !a.question.empty() ? model.encode_chat({hw::ChatMessage{"user", a.question}})
                                                              : model.encode(a.prompt);
  if (a.score) {
    const hw::Score score = hw::score(model.model(), ids);
    if (a.json) {
      std::cout << hw::Json::object({{"nll", score.mean_nll}, {"tokens", score.per_token.size()}, {"load_s", load_s}}).dump() << '\n';
    } else {
      std::cout << "mean negative log likelihood " << score.mean_nll << " nats over " << score.per_token.size() << " tokens\n";
    }
    return 0;
  }

  if (a.beams.num_beams > 0) return search(a, model, ids, load_s);

  if (!a.grammar.empty()) a.options.sampling.processors.add(follow(a.grammar, model));
  if (a.lookup > 0) return generate_with_lookup(a, model, ids, load_s);
  program::catch_interrupt();
  hw::TextStream stream = model.generate_ids(ids, a.options, a.ignore_eos);
  std::string text;
  while (const auto piece = stream.next()) {
    text += *piece;
    if (!a.json) std::cout << *piece << std::flush;
    if (program::interrupted()) break;
  }
  if (a.json) {
    const auto made = stream.tokens().ids();
    std::cout << hw::Json::object({{"ids", std::vector<std::int32_t>(made.begin(), made.end())},
                                   {"text", text},
                                   {"prompt_ids", ids},
                                   {"finish", hw::name_of(stream.finish())},
                                   {"load_s", load_s},
                                   {"prefill_s", stream.tokens().prefill_seconds()},
                                   {"decode_s", stream.tokens().decode_seconds()}})
                     .dump();
  }
  std::cout << '\n';
  return program::interrupted() ? 130 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments a;
  hw::SamplingOptions& s = a.options.sampling;
  CLI::App app{"Continues a prompt, answers a question, or scores a text"};
  app.add_option("--model", a.model, "a Hugging Face folder or a .gguf file")->required();
  auto* input = app.add_option_group("input", "what to continue");
  input->add_option("--prompt", a.prompt, "a text");
  input->add_option("--ids", a.ids, "token ids: 1,2,3");
  input->add_option("--chat", a.question, "a question, by the model's chat template");
  input->require_option(1);
  app.add_option("--max-new-tokens", a.options.max_new_tokens, "at most so many");
  app.add_option("--threads", a.threads, "0: all");
  auto* lookup = app.add_option("--lookup", a.lookup,
                                "guess up to so many tokens from what followed the last ones before, and check them in one step: the same text")
                     ->check(CLI::Range(0, 64));
  auto* temperature = app.add_option("--temperature", s.temperature, "0: greedy");
  app.add_option("--beams", a.beams.num_beams, "beam search with so many beams; the text comes at the end")
      ->check(CLI::Range(1, 1024))
      ->excludes(temperature)
      ->excludes(lookup);
  app.add_option("--length-penalty", a.beams.length_penalty, "of beam search: above 0 favours long texts");
  app.add_option("--top-k", s.top_k, "0: off");
  app.add_option("--top-p", s.top_p, "1: off");
  app.add_option("--min-p", s.min_p, "0: off");
  app.add_option("--repetition-penalty", s.repetition_penalty, "1: off");
  app.add_option("--frequency-penalty", s.frequency_penalty, "0: off");
  app.add_option("--presence-penalty", s.presence_penalty, "0: off");
  app.add_option("--grammar", a.grammar, "a file that the answer follows: .json is a JSON Schema, others are GBNF")
      ->check(CLI::ExistingFile);
  app.add_option("--seed", s.seed, "of the random numbers");
  app.add_option("--stop", a.options.stop_strings, "the text ends before this")->excludes(lookup);
  app.add_option("--weights", a.weights, "store weights as f32, f16, bf16, q8_0, q4_0 or q4_k");
  app.add_option("--kv", a.kv, "keep keys and values as f32, f16, bf16 or q8_0");
  app.add_option("--expert-budget", a.expert_budget, "at most so many MB of experts in memory; the others are read when they are chosen")
      ->check(CLI::Range(0.0, 1e9));
  app.add_flag("--bf16-activations", a.bf16_activations, "round what meets bf16 weights, too: quicker on CPUs that multiply bf16");
  app.add_flag("--ignore-eos", a.ignore_eos, "go on past the end of text");
  app.add_flag("--score", a.score, "the mean negative log likelihood of the input, no continuation");
  app.add_flag("--explain", a.explain, "how every matrix is kept, on stderr");
  app.add_flag("--json", a.json, "one JSON line");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  return program::run("generate", [&] { return run(a); });
}
