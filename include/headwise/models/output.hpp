#pragma once
// What a forward gives back. Kept and reused by the caller, so that a decode loop allocates nothing.

#include <string>
#include <string_view>
#include <vector>

#include "headwise/core/error.hpp"
#include "headwise/core/view.hpp"
#include "headwise/flow/token_set.hpp"

namespace hw {

/// The outputs of one forward, by name: "logits", "pooler_output", ... as the model's heads are called, and "hidden" (the last
/// hidden states, after the final norm) when asked for. Each holds some rows for each sequence of the batch.
class Output {
 public:
  bool has(std::string_view name) const noexcept { return find(name) != nullptr; }

  /// The rows of sequence `sequence`. Errors: no such output, no such sequence.
  ConstView get(std::string_view name, index_t sequence = 0) const {
    const Part* part = find(name);
    if (part == nullptr) fail("output", concat("there is none called ", quoted(name)));
    if (sequence < 0 || sequence >= static_cast<index_t>(part->rows.size()))
      fail("output", concat("a sequence below ", part->rows.size()), std::to_string(sequence));
    const RowRange rows = part->rows[static_cast<std::size_t>(sequence)];
    return ConstView{part->values.data(), rows.end, part->width}.row_range(rows.begin, rows.end);
  }
  ConstView logits(index_t sequence = 0) const { return get("logits", sequence); }
  ConstView hidden(index_t sequence = 0) const { return get("hidden", sequence); }

  /// A row that may be written to (samplers do).
  std::span<float> logits_row(index_t sequence, index_t row) {
    const ConstView v = get("logits", sequence);
    return {const_cast<float*>(v.row(row)), static_cast<std::size_t>(v.cols)};
  }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const Part& p : parts_)
      if (p.used) out.push_back(p.name);
    return out;
  }

  // For models: forgets the contents (not the memory), then adds outputs.
  void clear() noexcept {
    for (Part& p : parts_) p.used = false;
  }
  // Leaves the last `count` rows of a sequence in every output that has a row for each token.
  void keep_last_rows(index_t sequence, index_t count) {
    for (Part& p : parts_) {
      RowRange& rows = p.rows[static_cast<std::size_t>(sequence)];
      if (p.used && rows.size() > count) rows.begin = rows.end - count;
    }
  }
  View add(std::string_view name, index_t width, std::span<const RowRange> rows) {
    Part* part = nullptr;
    for (Part& p : parts_)
      if (p.name == name) part = &p;
    if (part == nullptr) part = &parts_.emplace_back(Part{std::string(name), {}, 0, {}, false});
    const index_t count = rows.empty() ? 0 : rows.back().end;
    part->used = true;
    part->width = width;
    part->rows.assign(rows.begin(), rows.end());
    part->values.resize(static_cast<std::size_t>(count * width));
    return {part->values.data(), count, width};
  }

 private:
  struct Part {
    std::string name;
    std::vector<float> values;
    index_t width = 0;
    std::vector<RowRange> rows;
    bool used = false;
  };
  const Part* find(std::string_view name) const noexcept {
    for (const Part& p : parts_)
      if (p.used && p.name == name) return &p;
    return nullptr;
  }
  std::vector<Part> parts_;
};

}  // namespace hw
