#pragma once
// JsonBuilder and Json::parse: nlohmann_json reads the text and tells the builder.

#include <limits>
#include <nlohmann/json.hpp>

#include "headwise/io/json.inl.hpp"
#include "headwise/io/mapped_file.hpp"

namespace hw {

HEADWISE_INLINE JsonBuilder::JsonBuilder(std::string_view origin, std::size_t max_depth)
    : document_(std::make_shared<detail::JsonDocument>()), max_depth_(max_depth) {
  document_->origin = origin;
}

HEADWISE_INLINE bool JsonBuilder::awaits_value() const {
  return open_.back().kind != detail::JsonKind::object || (pending_.size() - open_.back().first) % 2 == 1;
}

HEADWISE_INLINE std::string JsonBuilder::path() const {
  std::string path;
  for (std::size_t i = 0; i < open_.size(); ++i) {
    // In an open container everything but the last pending child is complete; the next level begins right after it.
    const std::size_t end = i + 1 < open_.size() ? open_[i + 1].first : pending_.size();
    const std::size_t count = end - open_[i].first;
    if (open_[i].kind == detail::JsonKind::array)
      path += concat("[", count, "]");
    else if (count)
      detail::append_key(path, document_->text(pending_[open_[i].first + (count - 1) / 2 * 2]));
  }
  return path;
}

HEADWISE_INLINE detail::JsonNode JsonBuilder::store(std::string_view text) {
  const std::size_t offset = document_->characters.size();
  const auto size = checked_cast<std::uint32_t>(text.size(), document_->origin);
  document_->characters += text;
  return {detail::JsonKind::string, size, offset};
}

HEADWISE_INLINE JsonBuilder& JsonBuilder::put(detail::JsonNode node) {
  if (open_.empty() ? !pending_.empty() : !awaits_value())
    fail(document_->origin, open_.empty() ? "a second value" : "a value without a key");
  pending_.push_back(node);
  return *this;
}

HEADWISE_INLINE JsonBuilder& JsonBuilder::key(std::string_view name) {
  if (open_.empty() || open_.back().kind != detail::JsonKind::object || awaits_value())
    fail(document_->origin, "a key outside of an object");
  pending_.push_back(store(name));
  return *this;
}

HEADWISE_INLINE JsonBuilder& JsonBuilder::begin(detail::JsonKind kind) {
  if (open_.empty() ? !pending_.empty() : !awaits_value())
    fail(document_->origin, open_.empty() ? "a second value" : "a value without a key");
  if (open_.size() >= max_depth_) fail(document_->origin, concat("nested deeper than ", max_depth_, " levels"));
  open_.push_back({kind, pending_.size()});
  return *this;
}

HEADWISE_INLINE JsonBuilder& JsonBuilder::end(detail::JsonKind kind) {
  const bool object = kind == detail::JsonKind::object;
  if (open_.empty() || open_.back().kind != kind || (object && awaits_value())) fail(document_->origin, "unbalanced brackets");
  const std::size_t first = open_.back().first;
  std::uint64_t order = 0;
  if (object) {
    const std::size_t begin = document_->order.size();
    close_object(first);
    if (document_->order.size() > begin) order = begin + 1;
  }
  auto& nodes = document_->nodes;
  const std::size_t count = pending_.size() - first;
  if (nodes.size() + count > std::numeric_limits<std::uint32_t>::max() - 1) fail(document_->origin, "too many values");
  const detail::JsonNode node{kind, static_cast<std::uint32_t>(object ? count / 2 : count), nodes.size() | order << 32};
  nodes.insert(nodes.end(), pending_.begin() + static_cast<std::ptrdiff_t>(first), pending_.end());
  pending_.resize(first);
  open_.pop_back();
  pending_.push_back(node);
  return *this;
}

// Finds repeated keys (dropping those with equal values) and, for large objects, leaves the sorted order in the document.
HEADWISE_INLINE void JsonBuilder::close_object(std::size_t first) {
  const auto key_of = [&](std::size_t member) { return document_->text(pending_[first + 2 * member]); };
  std::size_t count = (pending_.size() - first) / 2;
  std::vector<std::uint32_t> repeated;
  const auto check = [&](std::size_t a, std::size_t b) {  // two members with the same key, a before b
    if (!same(pending_[first + 2 * a + 1], pending_[first + 2 * b + 1])) {
      pending_.resize(first + 2 * b + 1);  // so that the path names the key
      fail(concat(document_->origin, ": ", path()), "the key appears twice with different values");
    }
    repeated.push_back(static_cast<std::uint32_t>(b));
  };
  struct Entry {
    std::uint64_t prefix;
    std::uint32_t member;
  };
  std::vector<Entry> sorted;
  if (count <= detail::kSmallObject) {
    for (std::size_t b = 1; b < count; ++b)
      for (std::size_t a = 0; a < b; ++a)
        if (key_of(a) == key_of(b)) {
          check(a, b);
          break;
        }
  } else {
    sorted.resize(count);
    for (std::size_t i = 0; i < count; ++i) sorted[i] = {detail::key_prefix(key_of(i)), static_cast<std::uint32_t>(i)};
    std::sort(sorted.begin(), sorted.end(), [&](const Entry& a, const Entry& b) {
      if (a.prefix != b.prefix) return a.prefix < b.prefix;
      const int compared = key_of(a.member).compare(key_of(b.member));
      return compared ? compared < 0 : a.member < b.member;
    });
    std::size_t original = 0;
    for (std::size_t i = 1; i < count; ++i) {
      if (sorted[i].prefix == sorted[original].prefix && key_of(sorted[i].member) == key_of(sorted[original].member))
        check(sorted[original].member, sorted[i].member);
      else
        original = i;
    }
  }
  if (!repeated.empty()) {
    std::sort(repeated.begin(), repeated.end());
    std::size_t to = 0, r = 0;
    for (std::size_t from = 0; from < count; ++from) {
      if (r < repeated.size() && repeated[r] == from) {
        ++r;
        continue;
      }
      pending_[first + 2 * to] = pending_[first + 2 * from];
      pending_[first + 2 * to + 1] = pending_[first + 2 * from + 1];
      ++to;
    }
    pending_.resize(first + 2 * to);
    return close_object(first);  // nothing is repeated now
  }
  for (const Entry& entry : sorted) document_->order.push_back(entry.member);
}

HEADWISE_INLINE bool JsonBuilder::same(detail::JsonNode a, detail::JsonNode b) const {
  std::vector<std::pair<detail::JsonNode, detail::JsonNode>> open{{a, b}};
  while (!open.empty()) {
    const auto [x, y] = open.back();
    open.pop_back();
    if (x.kind != y.kind || x.size != y.size) return false;
    if (x.kind == detail::JsonKind::string) {
      if (document_->text(x) != document_->text(y)) return false;
    } else if (x.kind == detail::JsonKind::array || x.kind == detail::JsonKind::object) {
      const std::size_t count = std::size_t{x.size} * (x.kind == detail::JsonKind::object ? 2 : 1);
      for (std::size_t i = 0; i < count; ++i) open.emplace_back(document_->nodes[x.first() + i], document_->nodes[y.first() + i]);
    } else if (x.payload != y.payload) {
      return false;
    }
  }
  return true;
}

HEADWISE_INLINE JsonBuilder& JsonBuilder::value(const Json& value) {
  struct Open {
    const detail::JsonNode* node;
    std::size_t next;
  };
  const detail::JsonDocument& from = *value.document_;
  std::vector<Open> open;
  const detail::JsonNode* node = value.node_;
  while (true) {
    if (node->kind == detail::JsonKind::array || node->kind == detail::JsonKind::object) {
      begin(node->kind);
      open.push_back({node, 0});
    } else {
      put(node->kind == detail::JsonKind::string ? store(from.text(*node)) : *node);
    }
    while (!open.empty() && open.back().next == open.back().node->size) {
      end(open.back().node->kind);
      open.pop_back();
    }
    if (open.empty()) return *this;
    Open& top = open.back();
    const detail::JsonNode* children = from.nodes.data() + top.node->first();
    if (top.node->kind == detail::JsonKind::object) {
      key(from.text(children[2 * top.next]));
      node = &children[2 * top.next + 1];
    } else {
      node = &children[top.next];
    }
    ++top.next;
  }
}

HEADWISE_INLINE JsonBuilder& JsonBuilder::label(std::string_view path, std::string_view label) {
  document_->labels.emplace_back(path, label);
  return *this;
}

HEADWISE_INLINE Json JsonBuilder::finish() {
  if (!open_.empty() || pending_.size() != 1) fail(document_->origin, "unbalanced brackets or no value");
  document_->nodes.push_back(pending_[0]);
  const std::shared_ptr<const detail::JsonDocument> document = std::move(document_);
  document_ = std::make_shared<detail::JsonDocument>();
  document_->origin = document->origin;
  pending_.clear();
  return {document, &document->nodes.back()};
}

namespace detail {

// Python writes NaN, Infinity and -Infinity, nlohmann_json does not read them: outside of strings they are replaced by numbers that are
// spelled as nothing else in the text is.
struct PythonLiterals {
  std::string text, nan, infinity;
};

inline bool has_python_literals(std::string_view text) {
  return text.find("NaN") != std::string_view::npos || text.find("Infinity") != std::string_view::npos;
}

inline PythonLiterals replace_python_literals(std::string_view text) {
  PythonLiterals out;
  int spelling = 0;
  const auto unused = [&] {
    std::string candidate;
    do candidate = concat("0e-", 70000 + spelling++);
    while (text.find(candidate) != std::string_view::npos);
    return candidate;
  };
  out.nan = unused();
  out.infinity = unused();
  out.text.reserve(text.size() + 64);
  bool in_string = false;
  const auto stands_alone = [&](std::size_t i, std::size_t n, bool may_be_negative) {
    const char before = i ? text[i - 1] : ' ', after = i + n < text.size() ? text[i + n] : ' ';
    return (std::string_view(" \t\r\n,:[").find(before) != std::string_view::npos || (may_be_negative && before == '-')) &&
           std::string_view(" \t\r\n,]}").find(after) != std::string_view::npos;
  };
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    if (in_string) {
      const std::size_t n = rest[0] == '\\' && rest.size() > 1 ? 2 : 1;
      in_string = rest[0] != '"';
      out.text += rest.substr(0, n);
      i += n;
    } else if (rest.starts_with("NaN") && stands_alone(i, 3, false)) {
      out.text += out.nan;
      i += 3;
    } else if (rest.starts_with("Infinity") && stands_alone(i, 8, true)) {
      out.text += out.infinity;
      i += 8;
    } else {
      in_string = rest[0] == '"';
      out.text += rest[0];
      ++i;
    }
  }
  return out;
}

// What nlohmann_json calls while it reads.
class JsonEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonEvents(JsonBuilder& out, std::string_view origin, const PythonLiterals& literals) : out_(out), origin_(origin), literals_(literals) {}

  bool null() override { return out_.null(), true; }
  bool boolean(bool value) override { return out_.boolean(value), true; }
  bool number_integer(std::int64_t value) override { return out_.integer(value), true; }
  bool number_unsigned(std::uint64_t value) override {
    if (std::in_range<std::int64_t>(value)) return out_.integer(static_cast<std::int64_t>(value)), true;
    return out_.real(static_cast<double>(value)), true;  // no integer of ours
  }
  bool number_float(double value, const std::string& literal) override {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (!literals_.nan.empty() && literal == literals_.nan) value = std::numeric_limits<double>::quiet_NaN();
    if (!literals_.nan.empty() && literal.ends_with(literals_.infinity)) value = literal[0] == '-' ? -kInfinity : kInfinity;
    return out_.real(value), true;
  }
  bool string(std::string& value) override { return out_.string(value), true; }
  bool binary(nlohmann::json::binary_t&) override { return false; }
  bool start_object(std::size_t) override { return out_.begin_object(), true; }
  bool key(std::string& value) override { return out_.key(value), true; }
  bool end_object() override { return out_.end_object(), true; }
  bool start_array(std::size_t) override { return out_.begin_array(), true; }
  bool end_array() override { return out_.end_array(), true; }
  bool parse_error(std::size_t position, const std::string& token, const nlohmann::json::exception& error) override {
    const std::string path = out_.path();
    const std::string place = path.empty() ? std::string(origin_) : concat(origin_, ": ", path);
    const std::string_view found = std::string_view(token).substr(token.size() > 40 ? token.size() - 40 : 0);
    // 406: a number beyond the range of double.
    if (error.id == 406) fail(place, concat("the number ", hw::quoted(std::string_view(token).substr(0, 40)), " is out of range"));
    fail(place, concat("not valid JSON at byte ", position, ", after ", hw::quoted(found)));
  }

 private:
  JsonBuilder& out_;
  std::string_view origin_;
  const PythonLiterals& literals_;
};

}  // namespace detail

HEADWISE_INLINE Json Json::parse(std::string_view text, std::string_view origin, const JsonLimits& limits) {
  if (text.size() > limits.bytes) hw::fail(origin, concat("at most ", limits.bytes, " bytes of JSON"), concat(text.size()));
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) hw::fail(origin, "JSON", "an empty text");
  // nlohmann_json takes a NUL for the end of the text.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    hw::fail(origin, concat("not valid JSON at byte ", nul, ": NUL"));
  text = text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
  detail::PythonLiterals literals;
  if (detail::has_python_literals(text)) {
    literals = detail::replace_python_literals(text);
    text = literals.text;
  }
  JsonBuilder out(origin, limits.depth);
  detail::JsonEvents events(out, origin, literals);
  // What json::sax_parse does for a text; that function would also compile the readers of all binary formats, 1.3 seconds of them.
  auto input = nlohmann::detail::input_adapter(text.data(), text.data() + text.size());
  nlohmann::detail::parser<nlohmann::json, decltype(input)>(std::move(input)).sax_parse(&events);
  return out.finish();
}

HEADWISE_INLINE Json Json::read(const std::string& path, const JsonLimits& limits) {
  const MappedFile file = MappedFile::open(path);
  const std::string_view name = std::string_view(path).substr(path.find_last_of('/') + 1);
  return parse(file.text(), name, limits);
}

}  // namespace hw
