#pragma once
#include <algorithm>

#include "headwise/text/grammar.hpp"
#include "headwise/text/grammar_gbnf.inl.hpp"
#include "headwise/text/grammar_schema.inl.hpp"

namespace hw {

HEADWISE_LOAD_TIME GrammarMatcher::GrammarMatcher(Grammar grammar) : grammar_(std::move(grammar)), stacks_{{0, kEmpty, 0}} {
  const text::GrammarProgram& p = *grammar_.program_;
  for (std::uint32_t a = p.first[p.root]; a < p.first[p.root + 1]; ++a) add({p.alternatives[a], kEmpty});
  close(now_);
}

HEADWISE_INLINE std::uint32_t GrammarMatcher::pushed(std::uint32_t element, std::uint32_t below) {
  const auto [at, added] = numbers_.try_emplace(std::uint64_t{element} << 32 | below, static_cast<std::uint32_t>(stacks_.size()));
  if (added) stacks_.push_back({element, below, stacks_[below].depth + 1});
  return at->second;
}

HEADWISE_INLINE void GrammarMatcher::add(State state) {
  constexpr std::size_t kFew = 24;  // up to here a search is quicker than a table
  if (work_.size() < kFew) {
    if (std::find(work_.begin(), work_.end(), state) != work_.end()) return;
  } else {
    if (known_.empty())
      for (const State& s : work_) known_.emplace(std::uint64_t{s.element} << 32 | s.stack, true);
    if (!known_.emplace(std::uint64_t{state.element} << 32 | state.stack, true).second) return;
  }
  if (work_.size() >= text::GrammarLimits::states) {
    work_.clear();
    known_.clear();
    fail(grammar_.program_->origin, concat("more than ", text::GrammarLimits::states, " ways to read the same text"));
  }
  work_.push_back(state);
}

HEADWISE_INLINE void GrammarMatcher::close(Places& to) {
  using Kind = text::GrammarProgram::Kind;
  const text::GrammarProgram& p = *grammar_.program_;
  to.states.clear();
  to.complete = false;
  for (std::size_t i = 0; i < work_.size(); ++i) {
    const State state = work_[i];
    const auto& element = p.elements[state.element];
    if (element.kind == Kind::bytes) {
      to.states.push_back(state);
    } else if (element.kind == Kind::end) {
      if (state.stack == kEmpty) {
        to.complete = true;
      } else {
        add({stacks_[state.stack].element, stacks_[state.stack].below});
      }
    } else {
      // The last call of an alternative needs no place to come back to: right recursion does not pile up.
      const bool last = p.elements[state.element + 1].kind == Kind::end;
      if (!last && stacks_[state.stack].depth >= text::GrammarLimits::depth) continue;
      const std::uint32_t stack = last ? state.stack : pushed(state.element + 1, state.stack);
      for (std::uint32_t a = p.first[element.argument]; a < p.first[element.argument + 1]; ++a) add({p.alternatives[a], stack});
    }
  }
  work_.clear();
  if (!known_.empty()) known_.clear();
}

HEADWISE_INLINE void GrammarMatcher::step(const Places& from, unsigned char byte, Places& to) {
  const text::GrammarProgram& p = *grammar_.program_;
  for (const State& s : from.states)
    if (p.sets[p.elements[s.element].argument][byte / 64] >> (byte % 64) & 1) add({s.element + 1, s.stack});
  close(to);
}

HEADWISE_INLINE bool GrammarMatcher::push(std::string_view bytes) {
  if (stacks_.size() > 1 << 18) forget();
  Places at = now_, next;
  for (const char c : bytes) {
    step(at, static_cast<unsigned char>(c), next);
    std::swap(at, next);
    if (at.dead()) return false;
  }
  now_ = std::move(at);
  return true;
}

HEADWISE_INLINE void GrammarMatcher::forget() {
  ++renumbered_;
  std::vector<Stack> old = std::move(stacks_);
  stacks_ = {{0, kEmpty, 0}};
  numbers_.clear();
  std::vector<std::uint32_t> moved(old.size(), kEmpty), way;
  for (State& s : now_.states) {
    std::uint32_t at = s.stack;
    for (way.clear(); at != kEmpty && moved[at] == kEmpty; at = old[at].below) way.push_back(at);
    for (std::size_t i = way.size(); i-- > 0;) moved[way[i]] = pushed(old[way[i]].element, moved[old[way[i]].below]);
    s.stack = moved[s.stack];
  }
}

HEADWISE_INLINE bool Grammar::accepts(std::string_view text) const {
  GrammarMatcher matcher(*this);
  for (const char& c : text)
    if (!matcher.push({&c, 1})) return false;
  return matcher.places().complete;
}

}  // namespace hw
