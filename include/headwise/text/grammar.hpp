#pragma once
// Grammars that a text must follow: GBNF and JSON schemas, compiled to a pushdown automaton over bytes.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "headwise/text/grammar_program.hpp"

namespace hw {

/// An immutable grammar; copies share it.
///
/// Left recursion, undefined rules, a rule defined twice, and a grammar that no text follows are errors; so is everything beyond
/// text::GrammarLimits. Nothing is fetched or read from elsewhere.
class Grammar {
 public:
  /// llama.cpp's notation; the start is `root`:
  ///     root ::= "yes" | "no" [0-9]{1,3} ws     # a comment
  ///     ws ::= [ \t\n]*
  /// Literals with \n \r \t \\ \" \xHH \uHHHH \UHHHHHHHH, classes [a-z] [^\n], `.` for any character, ( ), | and * + ? {n} {n,} {n,m}.
  /// Names are letters, digits and '-'. A rule ends with its line, except within parentheses and after ::= and |.
  static Grammar gbnf(std::string_view text, std::string_view origin = "grammar");

  /// JSON texts that are valid under a JSON Schema: type, enum, const, properties, required, additionalProperties, items, prefixItems,
  /// minItems, maxItems, minLength, maxLength, anyOf, oneOf (as anyOf), allOf of one, $ref within the schema ("#/..."), true and false.
  /// Other keywords that would restrict are errors, so that nothing is promised that is not held.
  /// What is generated is narrower than what is valid: properties come in the schema's order; others only where additionalProperties is
  /// given or there are no properties; between tokens at most a line break and 20 spaces; numbers of at most 16 digits.
  static Grammar json_schema(std::string_view schema, std::string_view origin = "schema");

  /// Whether the whole text follows the grammar. Errors: more states at once than text::GrammarLimits.
  bool accepts(std::string_view text) const;

  const text::GrammarProgram& program() const noexcept { return *program_; }

 private:
  friend class GrammarMatcher;
  explicit Grammar(text::GrammarProgram program) : program_(std::make_shared<const text::GrammarProgram>(std::move(program))) {}
  std::shared_ptr<const text::GrammarProgram> program_;
};

/// Reads a text byte by byte. A value; a copy goes on by itself.
///
/// The automaton is in all states at once that the bytes so far allow. Stacks are shared: a state is an element and the number of a stack.
/// Cost of a byte: linear in the states, of which there are never more than text::GrammarLimits.
class GrammarMatcher {
 public:
  struct State {
    std::uint32_t element, stack;
    bool operator==(const State&) const = default;
  };
  /// Where the automaton is: before elements that are byte sets, and perhaps at the end.
  struct Places {
    std::vector<State> states;
    bool complete = false;
    bool dead() const noexcept { return states.empty() && !complete; }
  };

  explicit GrammarMatcher(Grammar grammar);

  const Places& places() const noexcept { return now_; }
  /// The places after one more byte. Errors: too many states.
  void step(const Places& from, unsigned char byte, Places& to);
  /// Goes on by these bytes; false, and nothing has changed, where they do not fit.
  bool push(std::string_view bytes);
  /// How often stacks were numbered anew: places from before mean nothing then. `push` does it once there are very many.
  std::size_t renumbered() const noexcept { return renumbered_; }

 private:
  struct Stack {
    std::uint32_t element, below, depth;  // where to go on, and with which stack
  };
  static constexpr std::uint32_t kEmpty = 0;
  std::uint32_t pushed(std::uint32_t element, std::uint32_t below);
  void close(Places& to);  // from work_ to the places before byte sets
  void add(State state);
  void forget();  // stacks that no place needs

  Grammar grammar_;
  std::vector<Stack> stacks_;
  std::unordered_map<std::uint64_t, std::uint32_t> numbers_;  // of (element, below)
  std::size_t renumbered_ = 0;
  Places now_;
  std::vector<State> work_;                        // places to go on from, each once
  std::unordered_map<std::uint64_t, bool> known_;  // the same, where there are many
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/text/grammar.inl.hpp"
#endif
