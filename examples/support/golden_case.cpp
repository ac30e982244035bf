#include "golden_case.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "golden_beams.hpp"
#include "headwise/core/thread_pool.hpp"

namespace golden {

using hw::ConstView;
using hw::Model;
using hw::Output;
using hw::Sequence;
using hw::StateSet;
using hw::Wanted;

Case::Case(const std::string& path) : folder(path), tensors_(hw::open_weights(path + "/golden.safetensors")) {
  const hw::Json json = hw::Json::read(path + "/case.json");
  name = json.get_or<std::string>("name", path);
  kind = json.get<std::string>("kind");
  model_type = hw::Json::read(path + "/config.json").get_or<std::string>("model_type", "");
  tolerance = json.get<double>("tolerance");
  greedy_margin = json.get_or("greedy_margin", 0.0);
  start_id = json.get_or("decoder_start_token_id", std::int32_t{-1});
  only_unmasked = json.get_or("compare_only_unmasked", false);
}

std::vector<std::int32_t> Case::ints(const std::string& tensor) const {
  const hw::RawTensor& t = *tensors_->find(tensor);
  std::vector<std::int32_t> out(static_cast<std::size_t>(t.elements()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::int64_t v = 0;
    if (t.type == hw::DType::i64) {
      std::memcpy(&v, t.bytes.data() + 8 * i, 8);
    } else if (t.type == hw::DType::i32) {
      std::int32_t w;
      std::memcpy(&w, t.bytes.data() + 4 * i, 4);
      v = w;
    } else {
      throw hw::Error("golden tensor " + tensor + ": expected integers, found " + std::string(hw::name_of(t.type)));
    }
    out[i] = static_cast<std::int32_t>(v);
  }
  return out;
}

std::vector<float> Case::floats(const std::string& tensor) const {
  const hw::RawTensor& t = *tensors_->find(tensor);
  if (t.type != hw::DType::f32) throw hw::Error("golden tensor " + tensor + ": expected f32, found " + std::string(hw::name_of(t.type)));
  std::vector<float> out(static_cast<std::size_t>(t.elements()));
  std::memcpy(out.data(), t.bytes.data(), t.bytes.size());
  return out;
}

std::vector<std::string> Case::names() const {
  std::vector<std::string> out;
  for (const hw::RawTensor& t : tensors_->tensors()) out.push_back(t.name);
  return out;
}

std::vector<Case::Row> Case::decoder_rows() const {
  const auto ids = ints("decoder_input_ids");
  const auto shape = this->shape("decoder_input_ids");
  std::vector<Row> out(static_cast<std::size_t>(shape[0]));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    Row& row = out[i / static_cast<std::size_t>(shape[1])];
    row.columns.push_back(static_cast<index_t>(row.ids.size()));
    row.ids.push_back(ids[i]);
  }
  return out;
}

std::vector<Case::Row> Case::signal_rows(const std::string& tensor) const {
  const auto values = floats(tensor);
  const auto shape = this->shape(tensor);
  const auto sequences = static_cast<std::size_t>(shape[0]), each = values.size() / sequences;
  const bool transposed = model_type == "whisper";  // (features, frames) there
  const index_t made = this->shape("encoder_last_hidden")[1];
  std::vector<Row> out(sequences);
  for (std::size_t s = 0; s < sequences; ++s) {
    Row& row = out[s];
    row.signal.assign(values.begin() + static_cast<std::ptrdiff_t>(s * each), values.begin() + static_cast<std::ptrdiff_t>((s + 1) * each));
    row.signal_size = shape.size() == 2 ? 1 : transposed ? shape[1] : shape.back();
    if (transposed)
      for (std::size_t t = 0, frames = static_cast<std::size_t>(shape[2]); t < frames; ++t)
        for (std::size_t i = 0, size = static_cast<std::size_t>(shape[1]); i < size; ++i)
          row.signal[t * size + i] = values[s * each + i * frames + t];
    index_t kept = made;
    if (has("attention_mask")) {  // what its convolutions make of the mask
      const auto mask = ints("attention_mask");
      const auto begin = mask.begin() + static_cast<std::ptrdiff_t>(s) * this->shape("attention_mask")[1];
      kept = std::count(begin, begin + this->shape("attention_mask")[1], 1);
      if (model_type == "speech_to_text") kept = ((kept + 1) / 2 + 1) / 2;
      if (model_type == "moonshine") kept = std::min(made, (kept + 383) / 384);
    }
    row.ids.assign(static_cast<std::size_t>(kept), -1);
    row.marks.assign(static_cast<std::size_t>(kept), 0);
    for (index_t t = 0; t < kept; ++t) row.columns.push_back(t);
  }
  return out;
}

std::vector<Case::Row> Case::rows() const {
  for (const char* signal : {"input_features", "input_values", "pixel_values"})
    if (has(signal)) return signal_rows(signal);
  const auto ids = ints("input_ids");
  const auto shape = this->shape("input_ids");
  const auto mask = has("attention_mask") ? ints("attention_mask") : std::vector<std::int32_t>(ids.size(), 1);
  const char* kMarks = has("global_attention_mask") ? "global_attention_mask" : "token_type_ids";
  const auto types = has(kMarks) ? ints(kMarks) : std::vector<std::int32_t>(ids.size(), 0);
  const char* kCoords = has("bbox") ? "bbox" : "task_type_ids";
  const auto further = has(kCoords) ? ints(kCoords) : std::vector<std::int32_t>();
  const std::size_t axes = further.size() / ids.size();
  std::vector<Row> out(static_cast<std::size_t>(shape[0]));
  for (index_t b = 0; b < shape[0]; ++b)
    for (index_t t = 0; t < shape[1]; ++t) {
      const auto i = static_cast<std::size_t>(b * shape[1] + t);
      if (mask[i] == 0) continue;
      out[static_cast<std::size_t>(b)].ids.push_back(ids[i]);
      out[static_cast<std::size_t>(b)].marks.push_back(types[i]);
      out[static_cast<std::size_t>(b)].columns.push_back(t);
      // What callers give as axis 1: the padded length, on which its blocks are counted; the padding that the last token's row looks at.
      const bool padded = model_type == "big_bird", sees_padding = model_type == "mobilebert";
      if (axes == 0 && !padded && !sees_padding) continue;
      std::vector<float>& coords = out[static_cast<std::size_t>(b)].coords;
      coords.push_back(static_cast<float>(out[static_cast<std::size_t>(b)].ids.size() - 1));  // the position
      if (padded) coords.push_back(static_cast<float>(shape[1]));
      if (sees_padding) coords.push_back(t + 1 < shape[1] && mask[i + 1] == 0 ? static_cast<float>(ids[i + 1]) : -1.0f);
      coords.insert(coords.end(), further.begin() + static_cast<std::ptrdiff_t>(i * axes), further.begin() + static_cast<std::ptrdiff_t>((i + 1) * axes));
    }
  return out;
}

namespace {

using Rows = std::vector<Case::Row>;
using Matrix = std::vector<float>;

class Checker {
 public:
  Checker(const Case& c, const std::function<std::unique_ptr<Model>(int)>& load)
      : case_(c), model_(load(2)), serial_(load(1)), causal_(model_->info().couples <= hw::Couples::past) {
    (model_->encoder() != nullptr ? sources_ : rows_) = c.rows();
    if (model_->encoder() != nullptr) rows_ = c.decoder_rows();
  }

  Report run() {
    outputs();
    if (causal_ && case_.has("greedy_ids")) greedy();
    batch_is_single();
    threads();
    if (causal_) {
      steps();
      states();
    }
    return std::move(report_);
  }

 private:
  // ---- recorded outputs

  void outputs() {
    std::vector<StateSet> states;
    if (!sources_.empty())
      compare_outputs("encoder_", sources_, [&](std::span<const Sequence> batch, Output& out, const hw::StepOptions& options) {
        states = model_->encode(batch, out, options);
      });
    compare_outputs(sources_.empty() ? "" : "decoder_", rows_, [&](std::span<Sequence> batch, Output& out, const hw::StepOptions& options) {
      for (std::size_t s = 0; s < states.size(); ++s) batch[s].state = &states[s];
      model_->forward(batch, out, options);
    });
    bool beams = false;
    for (const std::string& name : case_.names()) {
      constexpr const char* kInputs[] = {"input_ids", "attention_mask", "token_type_ids", "global_attention_mask", "bbox", "task_type_ids",
                                          "decoder_input_ids", "input_features", "input_values", "pixel_values"};
      const bool input = std::find(std::begin(kInputs), std::end(kInputs), name) != std::end(kInputs);
      const bool looked_at = std::find(report_.compared.begin(), report_.compared.end(), name) != report_.compared.end();
      if (name.starts_with("beam_")) {
        beams = true;
        continue;
      }
      if (!input && !looked_at && name != "greedy_ids" && name != "step_logits") fail("nothing was compared with " + name);
    }
    if (beams) check_beams(case_, *model_, report_);
  }

  // `which`: what stands before the names of hidden states. run: one forward of all rows.
  template <class Run>
  void compare_outputs(const std::string& which, const Rows& rows, const Run& run) {
    std::vector<Sequence> batch;
    for (const Case::Row& r : rows) batch.push_back(r.sequence());
    // hidden.0 enters the first layer, hidden.i leaves layer i - 1; the last one is after the final norm, unless last_hidden is another.
    // For some models the oracle records behind a layer only: hidden.i leaves layer i.
    const bool behind = case_.model_type == "mamba" || case_.model_type == "mamba2" || case_.model_type == "rwkv";
    std::map<std::string, Matrix> hidden;
    int last = 0;
    while (case_.has(which + "hidden." + std::to_string(last + 1))) ++last;
    const auto look = [&](const hw::TapPoint& at, hw::View x) {
      int number = -1;
      if (at.kind == hw::TapPoint::after_embedding && !behind) number = 0;
      if (at.kind == hw::TapPoint::after_entry) number = at.entry + (behind ? 0 : 1);
      if (number < 0 || number > last) return;
      Matrix& copy = hidden[which + "hidden." + std::to_string(number)];
      for (index_t i = 0; i < x.rows; ++i) copy.insert(copy.end(), x.row(i), x.row(i) + x.cols);
    };
    const hw::Tap tap(look);
    Output out;
    run(batch, out, hw::StepOptions{.tap = &tap, .hidden = true});
    const std::string last_layer = which + "hidden." + std::to_string(last), last_hidden = which + "last_hidden";
    const bool normed = !case_.has(last_hidden) || !case_.has(last_layer) || case_.floats(last_hidden) == case_.floats(last_layer);
    if (normed) hidden.erase(last_layer);
    for (const auto& [name, values] : hidden)
      if (case_.has(name)) compare(name, values, rows, 0);
    for (const std::string& name : out.names()) {
      Matrix values;
      bool per_token = true;
      for (std::size_t s = 0; s < rows.size(); ++s) {
        const ConstView v = out.get(name, static_cast<index_t>(s));
        per_token = per_token && v.rows == static_cast<index_t>(rows[s].ids.size());
        for (index_t i = 0; i < v.rows; ++i) values.insert(values.end(), v.row(i), v.row(i) + v.cols);
      }
      if (name == "hidden") {  // recorded under either name, or both
        for (const std::string& golden : {last_hidden, last_layer}) {
          if (!case_.has(golden) || (golden == last_layer && !normed)) continue;
          if (case_.shape(golden).back() == (which == "encoder_" ? *model_->encoder() : *model_).info().hidden_size) {
            compare(golden, values, rows, 0);
          } else {  // rows behind a projection that belongs to the head: what follows from them is compared
            report_.compared.push_back(golden);
            report_.compared.push_back("(by the logits: it has another width than the stream)");
          }
        }
      } else if (case_.has(name)) {
        compare(name, values, rows, per_token ? 0 : 1);
      } else {
        fail("the model's output " + name + " has no golden");
      }
    }
  }

  // `values`: packed rows without padding; kind 0: a row for each token, 1: one for each sequence.
  void compare(const std::string& name, const Matrix& values, const Rows& rows, int kind) {
    const Matrix golden = case_.floats(name);
    const auto shape = case_.shape(name);
    const index_t tokens = shape.size() > 1 ? shape[1] : 1;  // some hidden states are recorded with padding
    const auto width = static_cast<std::size_t>(kind == 0 ? static_cast<index_t>(golden.size()) / (shape[0] * tokens) : static_cast<index_t>(golden.size()) / shape[0]);
    double worst = 0;
    std::size_t at = 0;
    for (std::size_t s = 0; s < rows.size(); ++s)
      for (std::size_t t = 0; t < (kind == 0 ? rows[s].columns.size() : 1); ++t) {
        const std::size_t row = kind == 0 ? s * static_cast<std::size_t>(tokens) + static_cast<std::size_t>(rows[s].columns[t]) : s;
        for (std::size_t j = 0; j < width; ++j, ++at) {
          if (at >= values.size()) return fail(name + ": too few values");
          const double error = std::abs(static_cast<double>(values[at]) - static_cast<double>(golden[row * width + j]));
          worst = error >= worst ? error : std::isnan(error) ? 1e30 : worst;
        }
      }
    if (at != values.size()) fail(name + ": expected " + std::to_string(at) + " values, found " + std::to_string(values.size()));
    report_.compared.push_back(name);
    report_.max_error = std::max(report_.max_error, worst);
    if (!(worst <= case_.tolerance)) fail(name + ": off by " + std::to_string(worst) + ", tolerance " + std::to_string(case_.tolerance));
  }

  void greedy() {
    const auto expected = case_.ints("greedy_ids");
    StateSet state = fresh(*model_, 0);
    Output out;
    std::vector<std::int32_t> feed = sources_.empty() ? rows_[0].ids : std::vector<std::int32_t>{case_.start_id};
    for (std::size_t k = 0; k < expected.size(); ++k) {
      model_->forward({.ids = feed, .state = &state}, out);
      const ConstView y = out.logits();
      const auto id = static_cast<std::int32_t>(std::max_element(y.row(0), y.row(0) + y.cols) - y.row(0));
      if (id != expected[k]) return fail("greedy_ids: token " + std::to_string(k) + " is " + std::to_string(id) + ", expected " + std::to_string(expected[k]));
      feed = {id};
    }
    report_.compared.push_back("greedy_ids");
  }

  // ---- laws, bit for bit

  // A model without heads gives its hidden rows: a law over nothing would hold always.
  static hw::StepOptions outputs_of(const Model& model) { return {.hidden = model.info().outputs.empty()}; }
  // All outputs of a sequence, one after the other.
  Matrix all(const Output& out, index_t sequence) const {
    Matrix values;
    for (const std::string& name : out.names()) {
      const ConstView v = out.get(name, sequence);
      for (index_t i = 0; i < v.rows; ++i) values.insert(values.end(), v.row(i), v.row(i) + v.cols);
    }
    return values;
  }
  // What sequence `s` begins with.
  StateSet fresh(const Model& model, std::size_t s) const { return sources_.empty() ? model.make_state() : model.encode(sources_[s].sequence()); }

  Matrix alone(const Model& model, std::size_t s) const {
    Output out;
    Sequence sequence = rows_[s].sequence();
    StateSet state;
    if (!sources_.empty()) {
      state = fresh(model, s);
      sequence.state = &state;
    }
    model.forward(sequence, out, outputs_of(model));
    return all(out, 0);
  }
  static bool same(const Matrix& a, const Matrix& b) {
    return !a.empty() && a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
  }
  void law(const std::string& name, bool holds) {
    if (std::find(report_.compared.begin(), report_.compared.end(), name) == report_.compared.end()) report_.compared.push_back(name);
    if (!holds) fail("law broken: " + name);
  }

  void batch_is_single() {
    std::vector<Sequence> batch;
    for (const Case::Row& r : rows_) batch.push_back(r.sequence());
    const std::span<const std::int32_t> short_ids(rows_[0].ids.data(), (rows_[0].ids.size() + 1) / 2);
    batch.push_back({.ids = short_ids, .wanted = Wanted::all});
    std::vector<StateSet> states;
    Output out;
    if (!sources_.empty()) {  // sources of unequal length
      std::vector<Sequence> sources;
      for (const Case::Row& r : sources_) sources.push_back(r.sequence());
      sources.push_back(sources[0]);
      sources.back().ids = sources[0].ids.first((sources[0].ids.size() + 1) / 2);
      sources.back().marks = sources[0].marks.first(sources.back().ids.size());
      states = model_->encode(sources, out);
      for (std::size_t s = 0; s < states.size(); ++s) batch[s].state = &states[s];
    }
    model_->forward(batch, out, outputs_of(*model_));
    for (std::size_t s = 0; s < rows_.size(); ++s) law("batch=single", same(all(out, static_cast<index_t>(s)), alone(*model_, s)));
  }

  void threads() {
    for (std::size_t s = 0; s < rows_.size(); ++s) law("threads", same(alone(*model_, s), alone(*serial_, s)));
  }

  // Feeds ids [from, to) in steps of n; the logits of all rows.
  Matrix feed(StateSet& state, std::span<const std::int32_t> ids, std::size_t n) const {
    Matrix values;
    Output out;
    for (std::size_t at = 0; at < ids.size(); at += n) {
      model_->forward({.ids = ids.subspan(at, std::min(n, ids.size() - at)), .state = &state, .wanted = Wanted::all}, out,
                      outputs_of(*model_));
      const Matrix v = all(out, 0);
      values.insert(values.end(), v.begin(), v.end());
    }
    return values;
  }

  // Positions that depend on the total length (dynamic RoPE) make earlier rows of a longer prompt other rows: there only the last counts.
  void steps() {
    for (std::size_t s = 0; s < rows_.size(); ++s) {
      const Case::Row& r = rows_[s];
      const Matrix whole = alone(*model_, s);
      const std::size_t width = whole.size() / r.ids.size();
      for (const std::size_t n : {std::size_t{1}, std::size_t{3}, r.ids.size()}) {
        StateSet state = fresh(*model_, s);
        const Matrix stepped = feed(state, r.ids, n);
        const bool equal = same(stepped, whole);
        const bool last_equal = std::memcmp(stepped.data() + stepped.size() - width, whole.data() + whole.size() - width, width * sizeof(float)) == 0;
        law("prefill=steps", model_->info().length_dependent ? last_equal : equal);
      }
    }
    if (model_->info().length_dependent) report_.compared.push_back("(last row only: positions depend on the length)");
  }

  void states() {
    const auto& ids = rows_[0].ids;
    const std::span<const std::int32_t> all_ids(ids);
    const std::size_t half = ids.size() / 2;
    StateSet straight = fresh(*model_, 0);
    feed(straight, all_ids.first(half), half);
    const Matrix expected = feed(straight, all_ids.subspan(half), ids.size());

    StateSet parent = fresh(*model_, 0);
    feed(parent, all_ids.first(half), half);
    StateSet child = parent.fork();
    const std::vector<std::int32_t> other(3, ids[0]);
    feed(parent, other, 1);
    law("fork", same(feed(child, all_ids.subspan(half), ids.size()), expected));
    model_->rewind(parent, static_cast<index_t>(half));
    law("truncate", parent.size() == static_cast<index_t>(half) && same(feed(parent, all_ids.subspan(half), ids.size()), expected));

    StateSet saved = fresh(*model_, 0);
    feed(saved, all_ids.first(half), half);
    StateSet loaded = serial_->load_state(saved.save());
    law("save/load", same(feed(loaded, all_ids.subspan(half), ids.size()), expected));

    // A step that fails leaves the state as it was.
    StateSet failed = fresh(*model_, 0);
    feed(failed, all_ids.first(half), half);
    const auto thrower = [](const hw::TapPoint& at, hw::View) {
      if (at.kind == hw::TapPoint::after_entry) throw hw::Error("tap");
    };
    const hw::Tap tap(thrower);
    Output out;
    bool thrown = false;
    try {
      model_->forward({.ids = other, .state = &failed}, out, {.tap = &tap});
    } catch (const hw::Error&) {
      thrown = true;
    }
    law("failed step", thrown && same(feed(failed, all_ids.subspan(half), ids.size()), expected));
  }

  void fail(const std::string& why) { report_.failures.push_back(why); }

  const Case& case_;
  std::unique_ptr<Model> model_, serial_;
  Rows sources_, rows_;  // an encoder-decoder reads sources_; rows_ are its decoder's
  bool causal_;
  Report report_;
};

}  // namespace

Report check(const Case& c, const std::function<std::unique_ptr<Model>(int)>& load) { return Checker(c, load).run(); }

}  // namespace golden
