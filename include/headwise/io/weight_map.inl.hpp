#pragma once
#include <algorithm>
#include <atomic>
#include <cstring>
#include <span>

#include "headwise/core/view.hpp"
#include "headwise/io/weight_map.hpp"
#include "headwise/kernels/ref/dequantise.hpp"

namespace hw {
namespace detail {

inline std::vector<std::string> split_name(std::string_view name) {
  std::vector<std::string> segments;
  if (name.empty()) return segments;
  while (true) {
    const std::size_t dot = name.find('.');
    segments.emplace_back(name.substr(0, dot));
    if (dot == std::string_view::npos) return segments;
    name.remove_prefix(dot + 1);
  }
}

inline std::string join_name(std::span<const std::string> segments) {
  std::string name;
  for (const std::string& s : segments) (name += name.empty() ? "" : ".") += s;
  return name;
}

// "0", "12": what * stands for in a canonical name. Not "01".
inline bool is_number_segment(std::string_view s) {
  return !s.empty() && s.size() <= 9 && s.find_first_not_of("0123456789") == std::string_view::npos && (s.size() == 1 || s[0] != '0');
}

// Does `pattern` (* any segment, ** any number of segments) match all of `name`?
inline bool matches(std::span<const std::string> pattern, std::span<const std::string> name) {
  std::size_t p = 0, n = 0;
  std::size_t star = pattern.size(), resume = 0;  // the last ** and where it ended so far
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == "**") {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == "*" || pattern[p] == name[n])) {
      ++p, ++n;
    } else if (star < pattern.size()) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == "**") ++p;
  return p == pattern.size();
}

}  // namespace detail

HEADWISE_LOAD_TIME WeightRule& WeightRule::transpose() {
  operations_.push_back({Operation::Kind::transpose, 0, 0, 0, 0, "transpose", {}});
  return *this;
}
HEADWISE_LOAD_TIME WeightRule& WeightRule::flatten(int dims) {
  operations_.push_back({Operation::Kind::flatten, dims, 0, 0, 0, concat("flatten ", dims), {}});
  return *this;
}
HEADWISE_LOAD_TIME WeightRule& WeightRule::rows(index_t begin, index_t count) {
  operations_.push_back({Operation::Kind::rows, begin, count, 0, 0, concat("rows ", begin, "+", count), {}});
  return *this;
}
HEADWISE_LOAD_TIME WeightRule& WeightRule::part(index_t i, index_t of) {
  operations_.push_back({Operation::Kind::part, i, of, 0, 0, concat("part ", i, "/", of), {}});
  return *this;
}
HEADWISE_LOAD_TIME WeightRule& WeightRule::interleaved(index_t i, index_t of, index_t block, index_t count) {
  operations_.push_back(
      {Operation::Kind::interleaved, i, of, block, count, concat("interleaved ", i, "+", count, "/", of, "/", block), {}});
  return *this;
}
HEADWISE_LOAD_TIME WeightRule& WeightRule::unpermute_rotary(index_t heads) {
  operations_.push_back({Operation::Kind::unpermute_rotary, heads, 0, 0, 0, concat("unpermute ", heads), {}});
  return *this;
}
HEADWISE_LOAD_TIME WeightRule& WeightRule::slice(int capture, index_t of) {
  operations_.push_back({Operation::Kind::slice, capture, of, 0, 0, "slice", {}});
  return *this;
}
HEADWISE_LOAD_TIME WeightRule& WeightRule::mxfp4() {
  operations_.push_back({Operation::Kind::mxfp4, 0, 0, 0, 0, "mxfp4", {}});
  return *this;
}
HEADWISE_LOAD_TIME WeightRule& WeightRule::beside() {
  operations_.push_back({Operation::Kind::beside, 0, 0, 0, 0, "beside", {}});
  return *this;
}
HEADWISE_LOAD_TIME WeightRule& WeightRule::plus(float value) {
  return apply(concat("plus ", value), [value](float x) { return x + value; });
}
HEADWISE_LOAD_TIME WeightRule& WeightRule::apply(std::string label, std::function<float(float)> function) {
  operations_.push_back({Operation::Kind::apply, 0, 0, 0, 0, std::move(label), std::move(function)});
  return *this;
}

HEADWISE_LOAD_TIME WeightRule& WeightMap::rename(std::string_view canonical, const std::vector<std::string>& files) {
  WeightRule rule;
  rule.canonical_ = detail::split_name(canonical);
  for (const std::string& file : files) rule.files_.push_back(detail::split_name(file));
  for (WeightRule& earlier : rules_)
    if (earlier.canonical_ == rule.canonical_ && earlier.files_ == rule.files_) return earlier = std::move(rule);
  return rules_.emplace_back(std::move(rule));
}

HEADWISE_LOAD_TIME WeightRule& WeightMap::replace(std::string_view canonical, std::string_view file) {
  const std::vector<std::string> name = detail::split_name(canonical);
  std::erase_if(rules_, [&](const WeightRule& rule) { return rule.canonical_ == name; });
  return rename(canonical, file);
}

HEADWISE_LOAD_TIME void WeightMap::suffix(std::string_view canonical, std::string_view file) { suffixes_.emplace_back(canonical, file); }

HEADWISE_LOAD_TIME void WeightMap::ignore(std::string_view pattern) { ignored_.push_back(detail::split_name(pattern)); }

struct Weights::Shared {
  std::shared_ptr<const WeightSource> source;
  WeightMap map;
  std::unique_ptr<std::atomic<bool>[]> used;
};

struct Weights::Place {
  const WeightRule* rule = nullptr;       // nullptr: the name as it is
  std::vector<const RawTensor*> tensors;  // empty: missing
  std::string file;
  std::vector<std::string> captures;
};

HEADWISE_LOAD_TIME Weights::Weights(std::shared_ptr<const WeightSource> source, WeightMap map) {
  if (!source) fail("Weights", "a WeightSource", "a null pointer");
  auto used = std::make_unique<std::atomic<bool>[]>(source->tensors().size());
  shared_ = std::make_shared<const Shared>(Shared{std::move(source), std::move(map), std::move(used)});
}

HEADWISE_LOAD_TIME std::string Weights::path(std::string_view name) const {
  if (scope_.empty() || name.empty()) return scope_ + std::string(name);
  return concat(scope_, ".", name);
}

HEADWISE_LOAD_TIME Weights Weights::scope(std::string_view name) const { return Weights(shared_, path(name)); }

HEADWISE_LOAD_TIME const WeightSource& Weights::source() const noexcept { return *shared_->source; }

// The tensor that `segments` (with * replaced by the captures) and `rest` name, in any of the spellings that the map allows.
HEADWISE_LOAD_TIME const RawTensor* Weights::find_file(const std::vector<std::string>& segments, const std::vector<std::string>& captures,
                                                    std::string_view rest, std::string* spelled) const {
  std::vector<std::string> name = segments;
  std::size_t capture = 0;
  for (std::string& s : name)
    if (s == "*" && capture < captures.size()) s = captures[capture++];
  for (std::string& s : detail::split_name(rest)) name.push_back(std::move(s));
  std::vector<std::string> spellings{detail::join_name(name)};
  for (const auto& [canonical, file] : shared_->map.suffixes_)
    if (!name.empty() && name.back() == canonical) {
      std::vector<std::string> other = name;
      other.back() = file;
      spellings.push_back(detail::join_name(other));
    }
  std::vector<std::string> prefixes = shared_->map.prefixes_;
  prefixes.emplace_back();
  for (const std::string& spelling : spellings)
    for (const std::string& prefix : prefixes) {
      const std::string full = prefix.empty() ? spelling : concat(prefix, ".", spelling);
      if (spelled->empty()) *spelled = full;
      if (const RawTensor* tensor = shared_->source->find(full)) {
        *spelled = full;
        return tensor;
      }
    }
  return nullptr;
}

HEADWISE_LOAD_TIME Weights::Place Weights::find(std::string_view path) const {
  const std::vector<std::string> name = detail::split_name(path);
  std::vector<Place> candidates;  // rules that match, the longest first
  for (const WeightRule& rule : shared_->map.rules_) {
    const std::vector<std::string>& pattern = rule.canonical_;
    Place place{&rule, {}, {}, {}};
    bool match = pattern.size() <= name.size();
    for (std::size_t i = 0; match && i < pattern.size(); ++i) {
      if (pattern[i] == "*" && detail::is_number_segment(name[i]))
        place.captures.push_back(name[i]);
      else
        match = pattern[i] == name[i];
    }
    if (match) candidates.push_back(std::move(place));
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Place& a, const Place& b) { return a.rule->canonical_.size() > b.rule->canonical_.size(); });
  if (candidates.empty()) {
    Place place;
    if (const RawTensor* tensor = find_file(name, {}, "", &place.file)) place.tensors.push_back(tensor);
    return place;
  }
  const std::size_t longest = candidates[0].rule->canonical_.size();
  for (Place& place : candidates) {
    if (place.rule->canonical_.size() != longest) break;
    const std::string rest = detail::join_name(std::span(name).subspan(longest));
    for (const auto& segments : place.rule->files_) {
      std::string spelled;
      const RawTensor* tensor = find_file(segments, place.captures, rest, &spelled);
      if (place.file.empty() || !tensor) place.file = spelled;  // the missing one, if any
      if (!tensor) {
        place.tensors.clear();
        break;
      }
      place.tensors.push_back(tensor);
    }
    if (!place.tensors.empty()) return std::move(place);
  }
  return std::move(candidates[0]);
}

HEADWISE_LOAD_TIME bool Weights::has(std::string_view name) const { return !find(path(name)).tensors.empty(); }

HEADWISE_LOAD_TIME void Weights::mark_used(const RawTensor& tensor) const {
  shared_->used[static_cast<std::size_t>(&tensor - shared_->source->tensors().data())].store(true, std::memory_order_relaxed);
}

HEADWISE_LOAD_TIME void Weights::account() const {
  constexpr std::size_t kListed = 5;
  std::size_t count = 0;
  std::string listed;
  const std::span<const RawTensor> tensors = shared_->source->tensors();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (shared_->used[i].load(std::memory_order_relaxed) || tensors[i].bytes.empty()) continue;
    const std::vector<std::string> name = detail::split_name(tensors[i].name);
    bool ignored = false;
    for (const auto& pattern : shared_->map.ignored_) {
      ignored = ignored || detail::matches(pattern, name);
      for (const std::string& prefix : shared_->map.prefixes_) {
        const std::vector<std::string> head = detail::split_name(prefix);
        if (!ignored && name.size() > head.size() && std::equal(head.begin(), head.end(), name.begin()))
          ignored = detail::matches(pattern, std::span(name).subspan(head.size()));
      }
    }
    if (ignored) continue;
    if (count++ < kListed) (listed += listed.empty() ? "" : ", ") += detail::printable(tensors[i].name, 60);
  }
  if (count == 0) return;
  fail(hw::quoted(shared_->source->description(), 100),
       concat(count, count == 1 ? " tensor is" : " tensors are", " in the file but not in the model: ", listed,
              count > kListed ? ", ..." : ""));
}

}  // namespace hw

#include "headwise/io/weight_values.inl.hpp"
