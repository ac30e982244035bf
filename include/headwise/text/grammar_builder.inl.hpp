#pragma once
#include <algorithm>

#include "headwise/text/grammar_builder.hpp"

namespace hw::text {

HEADWISE_LOAD_TIME std::uint32_t GrammarBuilder::named(std::string_view name) {
  if (const auto known = names_.find(name); known != names_.end()) return known->second;
  return names_[std::string(name)] = fresh();
}

HEADWISE_LOAD_TIME std::uint32_t GrammarBuilder::fresh() {
  rules_.emplace_back();
  loops_.push_back(false);
  return static_cast<std::uint32_t>(rules_.size() - 1);
}

HEADWISE_LOAD_TIME void GrammarBuilder::add(std::uint32_t rule, Sequence alternative) {
  elements_ += alternative.size() + 1;
  if (elements_ > GrammarLimits::elements) fail(origin_, concat("more than ", GrammarLimits::elements, " elements"));
  rules_[rule].push_back(std::move(alternative));
}

HEADWISE_LOAD_TIME GrammarBuilder::Element GrammarBuilder::bytes(const GrammarProgram::ByteSet& set) {
  const auto [at, added] = set_numbers_.try_emplace(set, static_cast<std::uint32_t>(sets_.size()));
  if (added) sets_.push_back(set);
  return {GrammarProgram::Kind::bytes, at->second};
}

HEADWISE_LOAD_TIME GrammarBuilder::Element GrammarBuilder::byte_range(unsigned first, unsigned last) {
  GrammarProgram::ByteSet set{};
  for (unsigned b = first; b <= last; ++b) set[b / 64] |= std::uint64_t{1} << (b % 64);
  return bytes(set);
}

HEADWISE_LOAD_TIME GrammarBuilder::Sequence GrammarBuilder::literal(std::string_view text) {
  Sequence out;
  for (const char c : text) out.push_back(byte_range(static_cast<unsigned char>(c), static_cast<unsigned char>(c)));
  return out;
}

// The byte sequences of the characters [first, last], which have equally long encodings: cut where all but the leading bytes run through
// their whole range.
HEADWISE_LOAD_TIME void GrammarBuilder::utf8(char32_t first, char32_t last, std::vector<Sequence>& out) {
  const int tail = last < 0x80 ? 0 : last < 0x800 ? 1 : last < 0x10000 ? 2 : 3;  // bytes behind the first
  for (int i = 1; i <= tail; ++i) {
    const char32_t mask = (char32_t{1} << (6 * i)) - 1;
    if ((first & ~mask) == (last & ~mask)) break;
    if ((first & mask) != 0) return utf8(first, first | mask, out), utf8((first | mask) + 1, last, out);
    if ((last & mask) != mask) return utf8(first, (last & ~mask) - 1, out), utf8(last & ~mask, last, out);
  }
  static constexpr unsigned kLead[] = {0x00, 0xC0, 0xE0, 0xF0};
  Sequence bytes;
  for (int i = tail; i >= 0; --i) {
    const auto part = [&](char32_t c) {
      return i == tail ? kLead[tail] | static_cast<unsigned>(c >> (6 * i)) : 0x80u | ((c >> (6 * i)) & 0x3F);
    };
    bytes.push_back(byte_range(part(first), part(last)));
  }
  out.push_back(std::move(bytes));
}

HEADWISE_LOAD_TIME GrammarBuilder::Element GrammarBuilder::characters(std::vector<CharacterRange> ranges, bool negated) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::pair<char32_t, char32_t>> merged;
  for (const CharacterRange& r : ranges) {
    if (!merged.empty() && r.first <= merged.back().second + 1) {
      merged.back().second = std::max(merged.back().second, r.last);
    } else {
      merged.emplace_back(r.first, r.last);
    }
  }
  if (negated) {
    std::vector<std::pair<char32_t, char32_t>> rest;
    char32_t next = 0;
    for (const auto& [first, last] : merged) {
      if (first > next) rest.emplace_back(next, first - 1);
      next = last + 1;
    }
    if (next <= 0x10FFFF) rest.emplace_back(next, 0x10FFFF);
    merged = std::move(rest);
  }
  GrammarProgram::ByteSet ascii{};
  bool beyond = false;
  for (const auto& [first, last] : merged) {
    for (char32_t c = first; c <= std::min<char32_t>(last, 0x7F); ++c) ascii[c / 64] |= std::uint64_t{1} << (c % 64);
    beyond = beyond || last > 0x7F;
  }
  if (!beyond) return bytes(ascii);
  const auto [at, added] = classes_.try_emplace(merged, 0);
  if (added) {
    std::vector<Sequence> sequences;
    if (ascii != GrammarProgram::ByteSet{}) sequences.push_back({bytes(ascii)});
    static constexpr std::pair<char32_t, char32_t> kLengths[] = {{0x80, 0x7FF}, {0x800, 0xD7FF}, {0xE000, 0xFFFF}, {0x10000, 0x10FFFF}};
    for (const auto& [first, last] : merged)
      for (const auto& [from, to] : kLengths)
        if (std::max(first, from) <= std::min(last, to)) utf8(std::max(first, from), std::min(last, to), sequences);
    at->second = any_of(std::move(sequences)).argument;
  }
  return call(at->second);
}

HEADWISE_LOAD_TIME GrammarBuilder::Element GrammarBuilder::any_of(std::vector<Sequence> alternatives) {
  const std::uint32_t rule = fresh();
  if (alternatives.empty()) alternatives.push_back({bytes({})});  // no byte at all: nothing follows it
  for (Sequence& a : alternatives) add(rule, std::move(a));
  return call(rule);
}

HEADWISE_LOAD_TIME GrammarBuilder::Sequence GrammarBuilder::repeat(Sequence item, std::uint64_t least, std::uint64_t most) {
  if (least > most) fail(origin_, concat("a repetition from ", least, " to ", most, " times"));
  const bool open = most == kUnlimited;
  if (least > GrammarLimits::elements || (!open && most > GrammarLimits::elements))
    fail(origin_, concat("a repetition of at most ", GrammarLimits::elements, " times"), concat(open ? least : most));
  if (item.size() != 1) item = {any_of({std::move(item)})};
  Sequence out;
  for (std::uint64_t i = 0; i < least; ++i) out.push_back(item[0]);
  if (open) {
    const std::uint32_t loop = fresh();
    loops_[loop] = true;
    add(loop, {item[0], call(loop)});
    add(loop, {});
    out.push_back(call(loop));
  } else if (most > least) {
    std::uint32_t rest = fresh();  // up to one more
    add(rest, item);
    add(rest, {});
    for (std::uint64_t i = least + 1; i < most; ++i) {
      const std::uint32_t longer = fresh();
      add(longer, {item[0], call(rest)});
      add(longer, {});
      rest = longer;
    }
    out.push_back(call(rest));
  }
  return out;
}

HEADWISE_LOAD_TIME std::string GrammarBuilder::name_of(std::uint32_t rule) const {
  for (const auto& [name, number] : names_)
    if (number == rule) return quoted(name);
  return "a part in parentheses or with a repetition";
}

HEADWISE_LOAD_TIME void GrammarBuilder::check_defined() const {
  for (const auto& [name, rule] : names_)
    if (rules_[rule].empty()) fail(origin_, concat("the rule ", quoted(name), " is used, but not defined"));
}

// The least set of rules with an alternative whose calls are all in the set, and, unless `bytes_too`, that has no bytes. For each
// alternative, how much stands in the way. Linear: an alternative is looked at again when one of its calls turns out well.
HEADWISE_LOAD_TIME std::vector<std::uint32_t> GrammarBuilder::in_the_way(bool bytes_too, std::vector<bool>& holds) const {
  std::vector<std::uint32_t> open, owner, ready;
  std::vector<std::vector<std::uint32_t>> users(rules_.size());  // alternatives that call a rule, once a call
  holds.assign(rules_.size(), false);
  const auto well = [&](std::uint32_t rule) {
    if (!holds[rule]) ready.push_back(rule);
    holds[rule] = true;
  };
  for (std::uint32_t r = 0; r < rules_.size(); ++r)
    for (const Sequence& a : rules_[r]) {
      std::uint32_t count = 0;
      for (const Element& e : a) {
        const bool call = e.kind == GrammarProgram::Kind::call;
        if (call) users[e.argument].push_back(static_cast<std::uint32_t>(open.size()));
        if (call || !bytes_too || sets_[e.argument] == GrammarProgram::ByteSet{}) ++count;
      }
      if (count == 0) well(r);
      open.push_back(count);
      owner.push_back(r);
    }
  while (!ready.empty()) {
    const std::uint32_t rule = ready.back();
    ready.pop_back();
    for (const std::uint32_t u : users[rule])
      if (--open[u] == 0) well(owner[u]);
  }
  return open;
}

// Alternatives that no finite text follows.
HEADWISE_LOAD_TIME void GrammarBuilder::drop_unproductive() {
  std::vector<bool> productive;
  const auto open = in_the_way(true, productive);
  std::size_t next = 0;
  for (auto& alternatives : rules_) {
    std::vector<Sequence> kept;
    for (Sequence& a : alternatives)
      if (open[next++] == 0) kept.push_back(std::move(a));
    alternatives = std::move(kept);
  }
}

// A rule that can come back to itself before a byte is read.
HEADWISE_LOAD_TIME void GrammarBuilder::check_left_recursion() const {
  std::vector<bool> nullable;
  in_the_way(false, nullable);
  std::vector<std::vector<std::uint32_t>> leftmost(rules_.size());
  for (std::uint32_t r = 0; r < rules_.size(); ++r)
    for (const Sequence& a : rules_[r])
      for (const Element& e : a) {
        if (e.kind != GrammarProgram::Kind::call) break;
        if (!(loops_[r] && e.argument == r)) leftmost[r].push_back(e.argument);
        if (!nullable[e.argument]) break;
      }
  std::vector<std::uint8_t> mark(rules_.size());  // 1: on the way, 2: done
  for (std::uint32_t start = 0; start < rules_.size(); ++start) {
    if (mark[start] != 0) continue;
    std::vector<std::pair<std::uint32_t, std::size_t>> way{{start, 0}};
    mark[start] = 1;
    while (!way.empty()) {
      const auto [rule, next] = way.back();
      if (next == leftmost[rule].size()) {
        mark[rule] = 2;
        way.pop_back();
        continue;
      }
      ++way.back().second;
      const std::uint32_t to = leftmost[rule][next];
      if (mark[to] == 1) fail(origin_, concat("left recursion: ", name_of(to), " can begin with itself"));
      if (mark[to] == 0) mark[to] = 1, way.emplace_back(to, 0);
    }
  }
}

HEADWISE_LOAD_TIME bool GrammarBuilder::writes_bytes(std::uint32_t root) const {
  std::vector<bool> seen(rules_.size());
  std::vector<std::uint32_t> ready{root};
  seen[root] = true;
  while (!ready.empty()) {
    const std::uint32_t rule = ready.back();
    ready.pop_back();
    for (const Sequence& a : rules_[rule])
      for (const Element& e : a) {
        if (e.kind == GrammarProgram::Kind::bytes) return true;
        if (!seen[e.argument]) ready.push_back(e.argument);
        seen[e.argument] = true;
      }
  }
  return false;
}

HEADWISE_LOAD_TIME GrammarProgram GrammarBuilder::finish(std::uint32_t root) {
  check_defined();
  check_left_recursion();
  drop_unproductive();
  if (rules_[root].empty()) fail(origin_, "no text follows this grammar");
  if (!writes_bytes(root)) fail(origin_, "only the empty text follows this grammar");
  GrammarProgram program;
  program.origin = origin_;
  program.root = root;
  program.sets = sets_;
  for (const auto& alternatives : rules_) {
    program.first.push_back(static_cast<std::uint32_t>(program.alternatives.size()));
    for (const Sequence& a : alternatives) {
      program.alternatives.push_back(static_cast<std::uint32_t>(program.elements.size()));
      program.elements.insert(program.elements.end(), a.begin(), a.end());
      program.elements.push_back({});
    }
  }
  program.first.push_back(static_cast<std::uint32_t>(program.alternatives.size()));
  return program;
}

}  // namespace hw::text
