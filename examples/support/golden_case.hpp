#pragma once
// A golden case: a tiny checkpoint, inputs, and the outputs that an independent implementation computed for them.
// examples/verify and the test suite both hold models to it through this file.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "headwise/io/json.hpp"
#include "headwise/io/open_weights.hpp"
#include "headwise/models/model.hpp"

namespace golden {

using hw::index_t;

/// golden.safetensors and case.json of a folder.
class Case {
 public:
  explicit Case(const std::string& folder);

  std::string name, folder, kind, model_type;
  double tolerance = 0;
  double greedy_margin = 0;
  std::int32_t start_id = -1;  // of an encoder-decoder's decoder
  bool only_unmasked = false;

  bool has(const std::string& tensor) const { return tensors_->find(tensor) != nullptr; }
  std::vector<std::int32_t> ints(const std::string& tensor) const;
  std::vector<float> floats(const std::string& tensor) const;
  std::vector<index_t> shape(const std::string& tensor) const { return tensors_->find(tensor)->shape; }
  std::vector<std::string> names() const;

  /// The rows of input_ids, without what attention_mask hides, with their token types or global marks, their further coordinates
  /// (tasks, boxes), and the places they had. Of features, samples or pixels: the signal with its padding, which convolutions saw, and an
  /// id of -1 for each row that the mask leaves of it.
  struct Row {
    std::vector<std::int32_t> ids, marks;
    std::vector<float> coords;
    std::vector<index_t> columns;
    std::vector<float> signal;
    index_t signal_size = 0;  // its columns
    hw::Sequence sequence(hw::Wanted wanted = hw::Wanted::all) const {
      hw::Sequence out{.ids = ids, .wanted = wanted, .marks = marks, .coords = coords};
      if (signal_size > 0) out.signal = {signal.data(), static_cast<index_t>(signal.size()) / signal_size, signal_size};
      return out;
    }
  };
  std::vector<Row> rows() const;
  /// The rows of decoder_input_ids.
  std::vector<Row> decoder_rows() const;

 private:
  std::vector<Row> signal_rows(const std::string& tensor) const;
  std::shared_ptr<const hw::WeightSource> tensors_;
};

/// What comparing a model with a case found.
struct Report {
  double max_error = 0;              // largest |ours - golden| of any float output
  std::vector<std::string> compared; // names of the outputs and laws that were looked at
  std::vector<std::string> failures; // sentences; empty: ok
  bool ok() const { return failures.empty(); }
};

/// Every recorded output that this library's models have, then the laws: prefill = steps, batch = single, threads, fork, truncate and
/// restore, save and load, all bit for bit. `load` builds the model with so many threads.
Report check(const Case& c, const std::function<std::unique_ptr<hw::Model>(int threads)>& load);

}  // namespace golden
