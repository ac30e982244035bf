#pragma once
// A compiled grammar, and how large one may be.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "headwise/core/error.hpp"

namespace hw::text {

/// The bounds of a grammar and of reading by it. What goes beyond them is an error, except the depth: nothing nests deeper.
struct GrammarLimits {
  static constexpr std::size_t elements = 1 << 18;  // of all rules, after repetitions are written out
  static constexpr std::size_t states = 4096;       // places where the automaton can be after a byte
  static constexpr std::uint32_t depth = 1024;      // rules that wait for another to end
  static constexpr int nesting = 100;               // parentheses, schemas within schemas
};

/// A compiled grammar: the elements of all alternatives one after the other, each alternative with an end.
struct GrammarProgram {
  enum class Kind : std::uint8_t { bytes, call, end };
  struct Element {
    Kind kind = Kind::end;
    std::uint32_t argument = 0;  // a set of bytes, or a rule
  };
  using ByteSet = std::array<std::uint64_t, 4>;
  std::vector<Element> elements;
  std::vector<ByteSet> sets;
  std::vector<std::uint32_t> alternatives, first;  // those of rule r: alternatives[first[r]] .. [first[r + 1]], where each begins
  std::uint32_t root = 0;
  std::string origin;
};

}  // namespace hw::text
