#include "golden_mechanism.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <numeric>
#include <sstream>

#include "headwise/io/json.hpp"
#include "headwise/io/open_weights.hpp"

namespace mechanism {
namespace {

const std::string kDocument = std::string(HEADWISE_SOURCE_DIR) + "/docs/mechanisms.md";

std::string read(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

// From `struct Type` or `class Type` to `};`, without what is blank or a comment.
int count_lines(const std::string& type, const std::string& header) {
  int count = 0;
  std::string indent;
  for (const std::string& line : lines_of(read(std::string(HEADWISE_SOURCE_DIR) + "/include/headwise/" + header))) {
    const auto first = line.find_first_not_of(' ');
    if (first == std::string::npos || line.compare(first, 2, "//") == 0) continue;
    if (count == 0) {
      for (const std::string key : {"struct ", "class "})
        if (line.compare(first, key.size(), key) == 0) {
          const std::string rest = line.substr(first + key.size());
          if (rest.compare(0, type.size(), type) == 0 && (rest.size() == type.size() || rest[type.size()] == ' ')) {
            count = 1;
            indent = line.substr(0, first);
          }
        }
      continue;
    }
    ++count;
    if (line == indent + "};") return count;
  }
  ADD_FAILURE() << "no struct or class " << type << " in " << header;
  return 0;
}

// 1, 2 or 5 times a power of ten, above twice the error: machines differ.
double rounded_up(double error) {
  if (error == 0) return 0;
  for (double power = 1e-12;; power *= 10)
    for (const double digit : {1.0, 2.0, 5.0})
      if (digit * power >= 2 * error) return digit * power;
}

std::string text_of(double v) {
  char out[32];
  std::snprintf(out, sizeof(out), "%.2g", v);
  return out;
}

// The rows of the table in docs/mechanisms.md, by case.
struct Table {
  std::string before, after;
  std::map<std::string, std::string> rows;

  static constexpr const char *kBegin = "| --- | --- | --- | --- | --- | --- |\n", *kEnd = "<!-- end of the table -->";
  Table() {
    const std::string text = read(kDocument);
    const std::size_t begin = text.find(kBegin), end = text.find(kEnd);
    if (begin == std::string::npos || end == std::string::npos) throw std::runtime_error(kDocument + " has no table");
    const std::size_t first = begin + std::strlen(kBegin);
    before = text.substr(0, first);
    after = text.substr(end);
    for (const std::string& line : lines_of(text.substr(first, end - first)))
      if (!line.empty()) rows[line.substr(2, line.find(' ', 2) - 2)] = line;
  }
  void write() const {
    std::ofstream file(kDocument);
    file << before;
    for (const auto& [name, row] : rows) file << row << '\n';
    file << '\n' << after;
  }
};

std::vector<std::string> cells(const std::string& row) {
  std::vector<std::string> out;
  std::istringstream stream(row);
  for (std::string cell; std::getline(stream, cell, '|');) out.push_back(cell);
  return out;
}

}  // namespace

Array Array::at(index_t i) const {
  const auto size = static_cast<std::ptrdiff_t>(values.size()) / shape.at(0);
  return {{shape.begin() + 1, shape.end()}, {values.begin() + i * size, values.begin() + (i + 1) * size}};
}

Array Array::reshaped(std::vector<index_t> to) const { return {std::move(to), values}; }

Array Array::permuted(std::vector<std::size_t> order) const {
  std::vector<index_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * shape[i];
  Array out;
  for (const std::size_t o : order) out.shape.push_back(shape.at(o));
  std::vector<index_t> at(order.size(), 0);
  for (std::size_t n = 0; n < values.size(); ++n) {
    index_t from = 0;
    for (std::size_t i = 0; i < order.size(); ++i) from += at[i] * strides[order[i]];
    out.values.push_back((*this)[from]);
    for (std::size_t i = order.size(); i-- > 0 && ++at[i] == out.shape[i];) at[i] = 0;
  }
  return out;
}

hw::View Array::view() { return {values.data(), static_cast<index_t>(values.size()) / shape.back(), shape.back()}; }
hw::ConstView Array::view() const { return {values.data(), static_cast<index_t>(values.size()) / shape.back(), shape.back()}; }

Array identity(index_t n) {
  Array out = filled({n, n}, 0);
  for (index_t i = 0; i < n; ++i) out[i * n + i] = 1;
  return out;
}

Array filled(std::vector<index_t> shape, float value) {
  const index_t n = std::accumulate(shape.begin(), shape.end(), index_t{1}, std::multiplies<>());
  return {std::move(shape), std::vector<float>(static_cast<std::size_t>(n), value)};
}

Array joined(const Array& a) { return a.permuted({0, 2, 1, 3}).reshaped({a.dim(0), a.dim(2), a.dim(1) * a.dim(3)}); }

Array heads_of(const Array& a, index_t n) { return a.reshaped({a.dim(0), a.dim(1), n, a.dim(2) / n}).permuted({0, 2, 1, 3}); }

Array beside(const std::vector<Array>& parts) {
  Array out{parts.at(0).shape, {}};
  out.shape.back() = 0;
  for (const Array& p : parts) out.shape.back() += p.shape.back();
  for (index_t t = 0; t < parts[0].view().rows; ++t)
    for (const Array& p : parts) out.values.insert(out.values.end(), p.view().row(t), p.view().row(t) + p.shape.back());
  return out;
}

Golden::Golden(const std::string& name) : name_(name) {
  const std::string folder = std::string(HEADWISE_TEST_DATA) + "/mechanisms/" + name;
  const hw::Json json = hw::Json::read(folder + "/case.json");
  paper_ = json.get<std::string>("paper");
  tolerance_ = json["tolerance"].get<double>("abs");
  for (const auto& [key, value] : json["outputs"].members()) outputs_.insert(std::string(key));
  tensors_ = hw::open_weights(folder + "/golden.safetensors");
}

Array Golden::operator[](const std::string& tensor) const {
  const hw::RawTensor* t = tensors_->find(tensor);
  if (t == nullptr || t->type != hw::DType::f32) throw std::runtime_error(name_ + " has no floats " + tensor);
  Array out{t->shape, std::vector<float>(static_cast<std::size_t>(t->elements()))};
  std::memcpy(out.values.data(), t->bytes.data(), t->bytes.size());
  return out;
}

std::vector<std::int64_t> Golden::ints(const std::string& tensor) const {
  const hw::RawTensor* t = tensors_->find(tensor);
  if (t == nullptr) throw std::runtime_error(name_ + " has no integers " + tensor);
  std::vector<std::int64_t> out(static_cast<std::size_t>(t->elements()));
  if (t->type == hw::DType::i64) {
    std::memcpy(out.data(), t->bytes.data(), t->bytes.size());
  } else if (t->type == hw::DType::u8) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::int64_t>(t->bytes[i]);
  } else {
    throw std::runtime_error(name_ + ": " + tensor + " has no integers");
  }
  return out;
}

hw::Build build_of(const std::string& where, std::vector<std::pair<std::string, Array>> weights, std::vector<hw::Weights>& asked) {
  static hw::ThreadPool pool(1);
  const auto kept = std::make_shared<std::vector<std::pair<std::string, Array>>>(std::move(weights));
  std::vector<hw::RawTensor> tensors;
  for (const auto& [name, array] : *kept)
    tensors.push_back({name, hw::DType::f32, array.shape, std::as_bytes(std::span(array.values)), where});
  asked.emplace_back(std::make_shared<hw::WeightSource>(where, std::move(tensors), std::vector<std::shared_ptr<const hw::MappedFile>>(),
                                                        std::vector<std::shared_ptr<const void>>{kept}));
  return hw::Build(asked.back(), hw::kernels::table(), pool);
}

hw::Build Golden::build(std::vector<std::pair<std::string, Array>> weights) const { return build_of(name_, std::move(weights), asked_); }

void Golden::expressed_by(const std::string& type, const std::string& header, int limit) {
  int lines = 0;
  if (limit == kStock) {
    const std::string text = read(std::string(HEADWISE_SOURCE_DIR) + "/include/headwise/" + header);
    EXPECT_NE(text.find(type), std::string::npos) << type << " in " << header;
  } else {
    lines = count_lines(type, header);
    EXPECT_LE(lines, limit) << type << " in " << header;
  }
  structs_.emplace_back("`" + type + "` " + header, lines);
}

void Golden::holds(const std::string& output, const Array& found) {
  const Array expected = (*this)[output];
  held_.insert(output);
  ASSERT_EQ(found.values.size(), expected.values.size()) << name_ << ' ' << output;
  double worst = 0;
  std::size_t where = 0;
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    const double error = std::abs(static_cast<double>(found.values[i]) - static_cast<double>(expected.values[i]));
    if (!(error <= worst)) worst = error, where = i;
  }
  EXPECT_LE(worst, tolerance_) << name_ << ' ' << output << " at " << where << ": expected " << expected.values[where] << ", found "
                               << found.values[where];
  error_ = std::max(error_, worst);
}

void Golden::holds(const std::string& output, const std::vector<std::int64_t>& found) {
  held_.insert(output);
  EXPECT_EQ(found, ints(output)) << name_ << ' ' << output;
}

void Golden::leaves_out(const std::string& output, const std::string& why) {
  EXPECT_FALSE(why.empty());
  EXPECT_TRUE(tensors_->find(output) != nullptr) << name_ << " has no " << output;
  left_out_.insert(output);
}

Golden::~Golden() {
  if (testing::Test::HasFailure()) return;  // also after an exception: the row would say nothing
  for (const hw::Weights& w : asked_) EXPECT_NO_THROW(w.account()) << name_ << ": weights that no part asked for";
  for (const std::string& output : outputs_)
    EXPECT_TRUE(held_.count(output) != 0 || left_out_.count(output) != 0) << name_ << ": nothing was said about " << output;
  EXPECT_FALSE(structs_.empty()) << name_;
  std::string by, lines;
  for (const auto& [text, count] : structs_) {
    by += (by.empty() ? "" : "; ") + text;
    lines += (lines.empty() ? "" : ", ") + (count == 0 ? std::string("stock") : std::to_string(count));
  }
  std::string paper = paper_;
  std::replace(paper.begin(), paper.end(), '|', '/');
  const std::string row = "| " + name_ + " | " + paper + " | " + by + " | " + lines + " | " + std::to_string(held_.size()) + " of " +
                          std::to_string(held_.size() + left_out_.size()) + " | " + text_of(rounded_up(error_)) + " |";
  Table table;
  if (std::getenv("HEADWISE_WRITE_MECHANISMS") != nullptr) {
    table.rows[name_] = row;
    table.write();
    return;
  }
  const auto in_document = cells(table.rows[name_]), found = cells(row);
  const char* kHow = "; to write it: HEADWISE_WRITE_MECHANISMS=1 test_mechanisms";
  EXPECT_EQ(in_document.size(), found.size()) << "docs/mechanisms.md has no row of " << name_ << kHow;
  if (in_document.size() != found.size()) return;
  for (std::size_t i = 0; i + 1 < found.size(); ++i) EXPECT_EQ(in_document[i], found[i]) << "a stale row in docs/mechanisms.md" << kHow;
  EXPECT_LE(error_, std::stod(in_document.back())) << "a stale row in docs/mechanisms.md" << kHow;
}

Rows::Rows(index_t sequences, index_t tokens, index_t before) : sequences_(sequences), tokens_(tokens), before_(before) {
  for (index_t s = 0; s < sequences; ++s)
    for (index_t t = 0; t < tokens; ++t) {
      index.push_back(before + t);
      coord.push_back(static_cast<float>(before + t));
    }
}

void Rows::frame(const hw::Build& b, Array& x, index_t from, index_t to, const std::function<void(const hw::Frame&)>& body) const {
  const index_t n = to - from, width = x.shape.back();
  const auto part = [&](const auto& column, index_t each) {  // rows [from, to) of every sequence
    auto out = column;
    out.clear();
    for (index_t s = 0; s < sequences_ && !column.empty(); ++s)
      out.insert(out.end(), column.begin() + (s * tokens_ + from) * each, column.begin() + (s * tokens_ + to) * each);
    return out;
  };
  const auto own_index = part(index, 1);
  const auto own_parent = part(parent, 1);
  const auto own_coord = part(coord, axes);
  const auto own_ids = part(ids, 1), own_marks = part(marks, 1);
  std::vector<hw::RowRange> sequences;
  for (index_t s = 0; s < sequences_; ++s) sequences.push_back({s * n, (s + 1) * n});
  const std::vector<index_t> total(static_cast<std::size_t>(sequences_), before_ + to);
  hw::TokenSet tokens;
  tokens.sequences = sequences;
  tokens.index = own_index;
  tokens.coord = own_coord;
  tokens.axes = axes;
  tokens.id = own_ids;
  tokens.mark = own_marks;
  tokens.total = total;
  tokens.parent = own_parent;
  std::vector<float> own = part(x.values, width);
  hw::Arena arena;
  hw::Step step{*pool_, b.kernels(), arena};
  std::vector<hw::View> streams(static_cast<std::size_t>(b.slots()));
  streams[0] = {own.data(), sequences_ * n, width};
  const hw::Frame f(step, tokens, streams);
  const hw::ArenaScope scope(arena);
  for (const hw::StepStream& s : b.step_streams()) {
    const hw::View v = arena.take_view(f.rows(), s.width);
    s.fill(tokens, v);
    f.publish(s.slot, v);
  }
  if (prepare) prepare(f);
  body(f);
  for (index_t s = 0; s < sequences_; ++s)
    std::copy_n(own.begin() + s * n * width, n * width, x.values.begin() + (s * tokens_ + from) * width);
}

// A row of the table belongs to a test.
TEST(MechanismTable, HasNoOtherRows) {
  std::set<std::string> tests;
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int s = 0; s < all.total_test_suite_count(); ++s)
    for (int i = 0; i < all.GetTestSuite(s)->total_test_count(); ++i) tests.insert(all.GetTestSuite(s)->GetTestInfo(i)->name());
  for (const auto& [name, row] : Table().rows) EXPECT_EQ(tests.count(name), 1u) << "docs/mechanisms.md: " << name << " has no test";
}

}  // namespace mechanism
