#pragma once
// A compiled template: code for a small stack machine. Compiling to flat code bounds everything at once: the machine does not recurse,
// a step is an instruction, and an expression of any length costs no more stack than a short one.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "headwise/text/jinja_value.hpp"

namespace hw::jinja {

/// Arguments of a function, method, filter, test or macro, as written at the call.
struct Arguments {
  std::string_view callee;
  std::vector<Value> positional;
  std::vector<std::pair<std::string_view, Value>> named;

  /// One pointer for each parameter; null where nothing was given. Errors: too many, an unknown or repeated name, a required one missing.
  template <std::size_t n>
  std::array<const Value*, n> bind(const std::string_view (&parameters)[n], std::size_t required = 0) const {
    std::array<const Value*, n> out{};
    if (positional.size() > n) error(concat(callee, " takes at most ", n, " arguments, found ", positional.size()));
    for (std::size_t i = 0; i < positional.size(); ++i) out[i] = &positional[i];
    for (const auto& [name, value] : named) {
      std::size_t i = 0;
      while (i < n && parameters[i] != name) ++i;
      if (i == n || out[i]) error(concat(callee, i == n ? " takes no argument " : " has two values for the argument ", hw::quoted(name)));
      out[i] = &value;
    }
    for (std::size_t i = 0; i < required; ++i)
      if (!out[i]) error(concat(callee, " needs the argument ", hw::quoted(parameters[i])));
    return out;
  }
  void none() const {
    if (!positional.empty() || !named.empty()) error(concat(callee, " takes no arguments"));
  }
};

using Filter = Value (*)(const Value& input, const Arguments& arguments, Meter& meter);
using Test = bool (*)(const Value& input, const Arguments& arguments, Meter& meter);

/// The filter or test of a name; null when there is none.
Filter find_filter(std::string_view name);
Test find_test(std::string_view name);

enum class Compare : std::int32_t { eq, ne, lt, le, gt, ge, in, not_in };

// `recursive`: `loop(items)` runs the code again from here. `hidden`: only filters, has no `loop` variable.
enum class LoopKind : std::int32_t { plain, recursive, hidden };

// Jumps go to b, relative to the instruction itself, so that code can be moved as a block.
enum class Op : std::uint8_t {
  text,             // print constant a
  print,            // print the top
  constant,         // push constant a
  load,             // push the variable named a
  store,            // variable named a = top
  store_attribute,  // attribute b of the namespace in variable a = top
  list,
  tuple,
  dict,  // of a values, or a pairs
  negate,
  plus,
  invert,
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  concat,         // of a values, as text
  compare,        // Compare a
  compare_chain,  // a < b < c: when a < b fails, its result stays and the code goes to b; otherwise b stays for the next comparison
  attribute,      // .name a
  item,           // [top]
  slice,          // [start:stop:step], none where absent
  call,           // with call shape b
  call_method,    // .name a, with call shape b
  filter,
  test,  // call site a, with call shape b
  jump,
  jump_if_false,
  and_jump,
  or_jump,     // keeps the top and jumps when it decides; otherwise drops it
  unpack,      // one list -> a values, the first on top
  loop_begin,  // over the top; a: LoopKind
  loop_next,   // push the next item, or jump
  loop_keep,   // a loop that only filters: keep the item if the top is true
  loop_kept,   // end of such a loop: push what was kept
  loop_end,    // jump if there was any item (over the else part)
  push_scope,
  pop_scope,
  capture_begin,  // what is printed from here on ...
  capture_end,    // ... is pushed as a string
  capture_drop,
  macro,      // push macro a, whose code is at b
  parameter,  // jump to b if the parameter named a was given
  enter,      // call the code at b with the top as its only value (a recursive loop)
  leave,      // end of a macro or recursive loop: push what it printed
  stop
};

struct Instruction {
  Op op;
  std::int32_t a = 0;
  std::int32_t b = 0;
  std::int32_t line = 0;
};

/// What lies on the stack for a call: the positional arguments, then the named ones, then `*list` and `**dict` if they were written.
struct CallShape {
  std::int32_t positional = 0;
  std::vector<std::string> names;
  bool list = false, dict = false;
};

struct MacroShape {
  std::string name;
  std::vector<std::int32_t> parameters = {};             // names
  std::vector<bool> defaults = {};                       // whether each has one, in its code
  bool caller = false, varargs = false, kwargs = false;  // whether the body mentions these
};

struct Site {  // a filter or a test; unknown ones fail when they are reached, as in Jinja
  std::string name;
  Filter filter = nullptr;
  Test test = nullptr;
};

struct Program {
  std::vector<Instruction> code;
  std::vector<Value> constants;
  std::vector<std::string> names;
  std::vector<CallShape> calls;
  std::vector<MacroShape> macros;
  std::vector<Site> sites;
};

/// Errors: the template's syntax, with the line; nesting deeper than 100.
Program compile(std::string_view source);

}  // namespace hw::jinja

#if HEADWISE_DEFINITIONS
#include "headwise/text/jinja_compiler.hpp"
#endif
