#include "golden_beams.hpp"

#include <algorithm>
#include <cmath>

#include "headwise/generate/beam.hpp"

namespace golden {
namespace {

hw::EarlyStopping early_stopping(const hw::Json& value) {
  if (value.is_string()) return hw::EarlyStopping::never;
  return value.as<bool>() ? hw::EarlyStopping::yes : hw::EarlyStopping::no;
}

hw::BeamOptions options_of(const hw::Json& settings, std::int32_t eos_id) {
  hw::BeamOptions o;
  o.eos_ids = {eos_id};
  for (const auto& [key, value] : settings.members()) {
    if (key == "num_beams")
      o.num_beams = value.as<index_t>();
    else if (key == "num_return_sequences")
      o.num_return_sequences = value.as<index_t>();
    else if (key == "max_new_tokens")
      o.max_new_tokens = value.as<index_t>();
    else if (key == "length_penalty")
      o.length_penalty = value.as<float>();
    else if (key == "early_stopping")
      o.early_stopping = early_stopping(value);
    else if (key == "no_repeat_ngram_size")
      o.no_repeat_ngram_size = value.as<index_t>();
    else if (key == "min_length")
      o.min_length = value.as<index_t>();
    else if (key == "repetition_penalty")
      o.repetition_penalty = value.as<float>();
    else if (key == "forced_bos_token_id")
      o.forced_bos_id = value.as<std::int32_t>();
    else if (key == "forced_eos_token_id")
      o.forced_eos_id = value.as<std::int32_t>();
    else if (key == "begin_suppress_tokens")
      o.begin_suppress_ids = value.as<std::vector<std::int32_t>>();
    else if (key == "suppress_tokens")
      for (const auto id : value.as<std::vector<std::int32_t>>()) o.logit_bias.push_back({id, -INFINITY});
    else if (key != "do_sample" || value.as<bool>())
      throw hw::Error("case.json: the setting " + std::string(key) + " of a beam search is not known");
  }
  return o;
}

}  // namespace

void check_beams(const Case& c, const hw::Model& model, Report& report) {
  const hw::Json json = hw::Json::read(c.folder + "/case.json");
  const auto eos_id = json.get<std::int32_t>("eos_token_id");
  // What stands after a finished sequence: the recorder took 0 for "no padding id".
  const auto pad_id = json.get<std::int32_t>("pad_token_id");
  const std::int32_t filler = pad_id != 0 ? pad_id : eos_id;
  std::vector<std::pair<std::string, hw::Json>> searches = {{"", json["beam"]}};
  if (const auto variants = json.find("beam_variants"))
    for (const auto& [name, settings] : variants->members()) searches.emplace_back("." + std::string(name), settings);

  std::vector<Case::Row> rows = c.rows();
  std::vector<hw::Sequence> sequences;
  for (const Case::Row& row : rows) sequences.push_back(row.sequence());
  hw::Output unused;
  const std::vector<hw::StateSet> states = model.encode(sequences, unused);
  const std::vector<std::int32_t> prompt = {c.start_id};
  std::vector<hw::BeamSource> sources;
  for (const hw::StateSet& state : states) sources.push_back({&state, prompt});

  for (const auto& [name, settings] : searches) {
    const auto ids = c.ints("beam_ids" + name);
    const auto scores = c.floats("beam_scores" + name);
    const auto columns = static_cast<std::size_t>(c.shape("beam_ids" + name)[1]);
    std::size_t row = 0;
    for (const auto& beams :
         hw::beam_search(model, std::span(sources).first(name == ".batch" ? sources.size() : 1), options_of(settings, eos_id)))
      for (const hw::Beam& beam : beams) {
        std::vector<std::int32_t> found = prompt;
        found.insert(found.end(), beam.ids.begin(), beam.ids.end());
        found.resize(std::max(columns, found.size()), filler);
        const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(row * columns);
        if (row >= scores.size() || !std::equal(found.begin(), found.end(), begin, begin + static_cast<std::ptrdiff_t>(columns))) {
          report.failures.push_back("beam_ids" + name + ": sequence " + std::to_string(row) + " differs");
          return;
        }
        const double error = std::fabs(beam.score - static_cast<double>(scores[row]));
        report.max_error = std::max(report.max_error, error);
        if (!(error <= c.tolerance)) report.failures.push_back("beam_scores" + name + ": off by " + std::to_string(error));
        ++row;
      }
    if (row != scores.size())
      report.failures.push_back("beam_ids" + name + ": " + std::to_string(row) + " sequences instead of " + std::to_string(scores.size()));
    report.compared.push_back("beam_ids" + name);
    report.compared.push_back("beam_scores" + name);
  }
}

}  // namespace golden
