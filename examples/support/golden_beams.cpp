#include "golden_beams.hpp"

#include <algorithm>
#include <cmath>

#include "beam_settings.hpp"

namespace golden {
namespace {

hw::BeamOptions options_of(const hw::Json& settings, std::int32_t eos_id) {
  hw::BeamOptions o;
  o.eos_ids = {eos_id};
  for (const auto& [key, value] : settings.members())
    if (!program::apply_beam_setting(o, key, value) && (key != "do_sample" || value.as<bool>()))
      throw hw::Error("case.json: the setting " + std::string(key) + " of a beam search is not known");
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
