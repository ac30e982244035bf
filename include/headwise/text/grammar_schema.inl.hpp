#pragma once
#include <algorithm>
#include <map>
#include <optional>

#include "headwise/io/json.hpp"
#include "headwise/text/grammar.hpp"
#include "headwise/text/grammar_builder.hpp"
#include "headwise/text/unicode.hpp"

namespace hw {
namespace text {

// A JSON Schema as rules. Depth of recursion: GrammarLimits::nesting; what $ref names becomes a rule once.
class SchemaReader {
 public:
  SchemaReader(std::string_view text, std::string_view origin) : root_(Json::parse(text, origin)), build_(std::string(origin)) {}

  GrammarProgram read() { return build_.finish(referred("#").argument); }

 private:
  using Sequence = GrammarBuilder::Sequence;
  using Element = GrammarBuilder::Element;

  static void append(Sequence& out, const Sequence& more) { out.insert(out.end(), more.begin(), more.end()); }
  Sequence literal(std::string_view text) { return build_.literal(text); }

  // ---- tokens of JSON ----

  // At most a space, or a line break or two with up to 20 spaces: a model must not fill pages with them.
  Element space() {
    return kept("space", [&](std::uint32_t rule) {
      build_.add(rule, {});
      build_.add(rule, literal(" "));
      Sequence lines = build_.repeat(literal("\n"), 1, 2);
      append(lines, build_.repeat({build_.characters({{' ', ' '}, {'\t', '\t'}})}, 0, 20));
      build_.add(rule, std::move(lines));
    });
  }
  Element digit() { return build_.characters({{'0', '9'}}); }
  Element plain_character() { return build_.characters({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}}, true); }
  Element character() {
    return kept("character", [&](std::uint32_t rule) {
      build_.add(rule, {plain_character()});
      Sequence escape = literal("\\");
      escape.push_back(
          build_.characters({{'"', '"'}, {'\\', '\\'}, {'/', '/'}, {'b', 'b'}, {'f', 'f'}, {'n', 'n'}, {'r', 'r'}, {'t', 't'}}));
      build_.add(rule, std::move(escape));
      Sequence unicode = literal("\\u");
      append(unicode, build_.repeat({build_.characters({{'0', '9'}, {'a', 'f'}, {'A', 'F'}})}, 4, 4));
      build_.add(rule, std::move(unicode));
    });
  }
  Element integer() {
    return kept("integer", [&](std::uint32_t rule) {
      Sequence positive{build_.characters({{'1', '9'}})};
      append(positive, build_.repeat({digit()}, 0, 15));
      Sequence all = build_.repeat(literal("-"), 0, 1);
      all.push_back(build_.any_of({literal("0"), positive}));
      build_.add(rule, std::move(all));
    });
  }
  Element number() {
    return kept("number", [&](std::uint32_t rule) {
      Sequence fraction = literal("."), exponent{build_.characters({{'e', 'e'}, {'E', 'E'}})};
      append(fraction, build_.repeat({digit()}, 1, 16));
      append(exponent, build_.repeat({build_.characters({{'+', '+'}, {'-', '-'}})}, 0, 1));
      append(exponent, build_.repeat({digit()}, 1, 3));
      Sequence all{integer()};
      append(all, build_.repeat(std::move(fraction), 0, 1));
      append(all, build_.repeat(std::move(exponent), 0, 1));
      build_.add(rule, std::move(all));
    });
  }
  Sequence string_of(Sequence inner) {
    Sequence out = literal("\"");
    append(out, inner);
    append(out, literal("\""));
    return out;
  }
  Element any_string() {
    return kept("string",
                [&](std::uint32_t rule) { build_.add(rule, string_of(build_.repeat({character()}, 0, GrammarBuilder::kUnlimited))); });
  }
  Element any_value() {
    return kept("value", [&](std::uint32_t rule) {
      for (const char* word : {"null", "true", "false"}) build_.add(rule, literal(word));
      build_.add(rule, {number()});
      build_.add(rule, {any_string()});
      build_.add(rule, list({}, any_value(), 0, GrammarBuilder::kUnlimited));
      build_.add(rule, members({}, pair({any_string()}, any_value())));
    });
  }

  // A rule that is made when it is first asked for.
  template <class Fill>
  Element kept(const std::string& key, Fill fill) {
    if (const auto known = rules_.find(key); known != rules_.end()) return GrammarBuilder::call(known->second);
    const std::uint32_t rule = rules_[key] = build_.named(key);
    fill(rule);
    return GrammarBuilder::call(rule);
  }

  // ---- arrays and objects ----

  // First some given items, then others, `least` to `most` in all.
  Sequence list(const std::vector<Element>& first, std::optional<Element> other, std::uint64_t least, std::uint64_t most) {
    const auto given = static_cast<std::uint64_t>(first.size());
    if (!other) most = std::min(most, given);
    if (least > most) return {build_.any_of({})};
    Sequence comma{space()};
    append(comma, literal(","));
    comma.push_back(space());
    // From the end: what may follow when n items are there.
    Sequence rest;
    if (other && most > given) {
      Sequence next = comma;
      next.push_back(*other);
      const std::uint64_t done = std::max<std::uint64_t>(given, 1);
      const auto more = [&](std::uint64_t n) { return n > done ? n - done : 0; };
      rest = build_.repeat(std::move(next), more(least), most == GrammarBuilder::kUnlimited ? most : more(most));
    }
    for (std::uint64_t n = std::min(given, most); n > 1; --n) {
      Sequence item = comma;
      item.push_back(first[n - 1]);
      append(item, rest);
      rest = n - 1 < least ? item : Sequence{build_.any_of({item, {}})};
    }
    Sequence out = literal("[");
    out.push_back(space());
    if (most > 0) {
      Sequence items{given > 0 ? first[0] : *other};
      append(items, rest);
      items.push_back(space());
      out.push_back(least > 0 ? build_.any_of({items}) : build_.any_of({items, {}}));
    }
    append(out, literal("]"));
    return out;
  }

  Sequence pair(Sequence key, Element value) {
    key.push_back(space());
    append(key, literal(":"));
    key.push_back(space());
    key.push_back(value);
    return key;
  }

  struct Property {
    Sequence pair;
    bool required;
  };
  // The properties in their order, then `other` ones. Two chains of rules: nothing was written yet, something was.
  Sequence members(const std::vector<Property>& properties, std::optional<Sequence> other) {
    Sequence comma{space()};
    append(comma, literal(","));
    comma.push_back(space());
    Sequence none, some;  // what may still come
    if (other) {
      Sequence next = comma;
      append(next, *other);
      some = build_.repeat(std::move(next), 0, GrammarBuilder::kUnlimited);
      Sequence start = *other;
      append(start, some);
      none = {build_.any_of({start, {}})};
    }
    for (std::size_t i = properties.size(); i-- > 0;) {
      const auto with = [&](Sequence before) {
        append(before, properties[i].pair);
        append(before, some);
        return before;
      };
      Sequence now_none = with({}), now_some = with(comma);
      none = {properties[i].required ? build_.any_of({now_none}) : build_.any_of({now_none, none})};
      some = {properties[i].required ? build_.any_of({now_some}) : build_.any_of({now_some, some})};
    }
    Sequence out = literal("{");
    out.push_back(space());
    append(out, none);
    out.push_back(space());
    append(out, literal("}"));
    return out;
  }

  // A key without escapes that is none of `names` (sorted), of which the first `depth` bytes are read.
  Element other_key(const std::vector<std::string>& names, std::size_t from, std::size_t to, std::size_t depth) {
    if (depth > 1000) fail(build_.origin(), "names of properties of at most 1000 bytes");
    std::vector<CharacterRange> taken{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
    std::vector<Sequence> alternatives;
    bool ends = false;
    for (std::size_t i = from; i < to;) {
      if (names[i].size() == depth) {
        ends = true;
        ++i;
        continue;
      }
      std::size_t at = depth, last = i + 1;
      const std::size_t size = std::max<std::size_t>(hw::detail::utf8_length(std::string_view(names[i]).substr(depth)), 1);
      const std::string_view head = std::string_view(names[i]).substr(depth, size);
      while (last < to && std::string_view(names[last]).substr(depth, size) == head) ++last;
      const char32_t c = next_character(names[i], at);
      taken.push_back({c, c});
      if (c >= 0x20 && c != '"' && c != '\\') {
        Sequence further = literal(head);
        further.push_back(other_key(names, i, last, depth + size));
        alternatives.push_back(std::move(further));
      }
      i = last;
    }
    Sequence away{build_.characters(std::move(taken), true)};
    append(away, build_.repeat({plain_character()}, 0, GrammarBuilder::kUnlimited));
    alternatives.push_back(std::move(away));
    if (!ends) alternatives.push_back({});
    return build_.any_of(std::move(alternatives));
  }

  // ---- schemas ----

  [[noreturn]] void wrong(std::string_view keyword, std::string_view expected, const Json& found) {
    fail(concat(build_.origin(), ": ", keyword), expected, quoted(found.dump()));
  }

  std::uint64_t count(const Json& schema, const char* key, std::uint64_t otherwise) {
    const auto value = schema.find(key);
    if (!value) return otherwise;
    if (!value->is_integer() || value->as<std::int64_t>() < 0) wrong(key, "a count", *value);
    return value->as<std::uint64_t>();
  }

  Element referred(const std::string& pointer) {
    return kept("$ref " + pointer, [&](std::uint32_t rule) {
      Json at = root_;
      if (pointer.empty() || pointer[0] != '#' || (pointer.size() > 1 && pointer[1] != '/'))
        fail(concat(build_.origin(), ": $ref"), "a place in this schema (\"#/...\"): nothing is fetched", quoted(pointer));
      for (std::size_t from = 2; from <= pointer.size() && pointer.size() > 1;) {
        const std::size_t to = std::min(pointer.find('/', from), pointer.size());
        std::string key = pointer.substr(from, to - from);
        for (const auto& [escape, c] : {std::pair{"~1", "/"}, std::pair{"~0", "~"}})
          for (std::size_t i; (i = key.find(escape)) != std::string::npos;) key.replace(i, 2, c);
        const std::optional<Json> next = at.is_object() ? at.find(key) : std::nullopt;
        if (!next) fail(concat(build_.origin(), ": $ref"), concat("nothing is at ", quoted(pointer)));
        at = *next;
        from = to + 1;
      }
      build_.add(rule, {value(at)});
    });
  }

  Element value(const Json& schema) {
    struct Level {
      int& n;
      explicit Level(int& n) : n(++n) {}
      ~Level() { --n; }
    } level(nesting_);
    if (nesting_ > GrammarLimits::nesting) fail(build_.origin(), concat("schemas nested deeper than ", GrammarLimits::nesting));
    if (schema.is_boolean()) return schema.as<bool>() ? any_value() : build_.any_of({});
    if (!schema.is_object()) wrong("a schema", "an object, true or false", schema);
    check_keywords(schema);
    if (const auto ref = schema.find("$ref")) return referred(ref->as<std::string>());
    std::vector<Sequence> alternatives;
    if (const auto constant = schema.find("const")) {
      if (!schema.contains("type") || is_of(*constant, schema["type"])) alternatives.push_back(literal(constant->dump({.compact = true})));
      return build_.any_of(std::move(alternatives));
    }
    if (const auto values = schema.find("enum")) {
      for (const Json& v : values->items())
        if (!schema.contains("type") || is_of(v, schema["type"])) alternatives.push_back(literal(v.dump({.compact = true})));
      return build_.any_of(std::move(alternatives));
    }
    for (const char* key : {"anyOf", "oneOf", "allOf"})
      if (const auto schemas = schema.find(key)) {
        if (std::string_view(key) == "allOf" && schemas->size() != 1) wrong(key, "one schema: several are not supported", *schemas);
        for (const Json& s : schemas->items()) alternatives.push_back({value(s)});
        return build_.any_of(std::move(alternatives));
      }
    const auto type = schema.find("type");
    if (!type) {
      if (schema.contains("properties") || schema.contains("required") || schema.contains("additionalProperties"))
        return build_.any_of({object(schema)});
      if (schema.contains("items") || schema.contains("prefixItems")) return build_.any_of({array(schema)});
      return any_value();
    }
    if (type->is_string()) return of_type(schema, *type);
    for (const Json& t : type->items()) alternatives.push_back({of_type(schema, t)});
    return build_.any_of(std::move(alternatives));
  }

  static bool is_of(const Json& v, const Json& types) {
    if (types.is_array()) {
      for (const Json& type : types.items())
        if (is_of(v, type)) return true;
      return false;
    }
    const auto name = types.as<std::string>();
    return name == (v.is_null()      ? "null"
                    : v.is_boolean() ? "boolean"
                    : v.is_string()  ? "string"
                    : v.is_object()  ? "object"
                    : v.is_array()   ? "array"
                                     : "number") ||
           (name == "integer" && v.is_integer());
  }

  Element of_type(const Json& schema, const Json& type) {
    const auto name = type.as<std::string>();
    if (name == "null") return build_.any_of({literal("null")});
    if (name == "boolean") return build_.any_of({literal("true"), literal("false")});
    if (name == "integer") return integer();
    if (name == "number") return number();
    if (name == "object") return build_.any_of({object(schema)});
    if (name == "array") return build_.any_of({array(schema)});
    if (name != "string") wrong("type", "null, boolean, integer, number, string, array or object", type);
    const std::uint64_t least = count(schema, "minLength", 0), most = count(schema, "maxLength", GrammarBuilder::kUnlimited);
    if (least == 0 && most == GrammarBuilder::kUnlimited) return any_string();
    if (least > most) return build_.any_of({});
    return build_.any_of({string_of(build_.repeat({character()}, least, most))});
  }

  Sequence array(const Json& schema) {
    std::vector<Element> first;
    if (const auto items = schema.find("prefixItems"))
      for (const Json& item : items->items()) first.push_back(value(item));
    std::optional<Element> other = any_value();
    if (const auto items = schema.find("items")) {
      other = items->is_boolean() && !items->as<bool>() ? std::nullopt : std::optional(value(*items));
    }
    const std::uint64_t least = count(schema, "minItems", 0), most = count(schema, "maxItems", GrammarBuilder::kUnlimited);
    return list(first, other, least, most);
  }

  Sequence object(const Json& schema) {
    std::vector<std::string> required, names;
    if (const auto list = schema.find("required")) required = list->as<std::vector<std::string>>();
    std::vector<Property> properties;
    if (const auto given = schema.find("properties"))
      for (const auto& [name, of] : given->members()) {
        names.emplace_back(name);
        const bool needed = std::find(required.begin(), required.end(), name) != required.end();
        properties.push_back({pair(literal(Json(name).dump()), value(of)), needed});
      }
    const auto others = schema.find("additionalProperties");
    for (const std::string& name : required)
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(name);
        properties.push_back({pair(literal(Json(name).dump()), others ? value(*others) : any_value()), true});
      }
    if (others ? others->is_boolean() && !others->as<bool>() : !names.empty()) return members(properties, std::nullopt);
    std::sort(names.begin(), names.end());
    const Sequence key = names.empty() ? Sequence{any_string()} : string_of({other_key(names, 0, names.size(), 0)});
    return members(properties, pair(key, others ? value(*others) : any_value()));
  }

  // What says nothing about the value is passed over; what would restrict it and is not done here is an error.
  void check_keywords(const Json& schema) {
    static constexpr std::string_view kDone[] = {"type",  "enum",        "const",    "properties", "required",  "additionalProperties",
                                                 "items", "prefixItems", "minItems", "maxItems",   "minLength", "maxLength",
                                                 "anyOf", "oneOf",       "allOf",    "$ref"};
    static constexpr std::string_view kSaysNothing[] = {"title", "description", "default", "examples",   "$schema",  "$id",      "$comment",
                                                        "$defs", "definitions", "$anchor", "deprecated", "readOnly", "writeOnly"};
    const auto in = [](const auto& list, std::string_view key) {
      return std::find(std::begin(list), std::end(list), key) != std::end(list);
    };
    int whole = 0;  // keywords that stand for the whole schema: with others beside them both would have to hold
    std::size_t restricting = 0;
    for (const auto& [key, of] : schema.members()) {
      if (in(kSaysNothing, key)) continue;
      if (!in(kDone, key)) fail(build_.origin(), concat("the keyword ", quoted(key), " is not supported"));
      ++restricting;
      whole += key == "$ref" || key == "const" || key == "enum" || key == "anyOf" || key == "oneOf" || key == "allOf";
    }
    const bool typed_list =
        whole == 1 && restricting == 2 && schema.contains("type") && (schema.contains("enum") || schema.contains("const"));
    if (whole > 0 && restricting > 1 && !typed_list)
      fail(build_.origin(), "$ref, const, enum, anyOf, oneOf and allOf are not supported beside other keywords");
  }

  Json root_;
  GrammarBuilder build_;
  std::map<std::string, std::uint32_t, std::less<>> rules_;
  int nesting_ = 0;
};

}  // namespace text

HEADWISE_LOAD_TIME Grammar Grammar::json_schema(std::string_view schema, std::string_view origin) {
  return Grammar(text::SchemaReader(schema, origin).read());
}

}  // namespace hw
